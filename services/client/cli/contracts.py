"""`privy contract`: what the contract offers, and any call to it."""

import re

import click

from privysharing.protocol.codec.lifecycle import encode_query_args, parse_query_result
from privysharing.protocol.describe.definition import describe_collections, describe_definition
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.sdk import Call
from services.client.cli.session import CONTRACT, Session, acting

_FIRST_SENTENCE = re.compile(r"(?<=\.)\s|\n\n")


@click.group()
def command() -> None:
    """What a contract offers, and any call to it. The other commands are easier; this one reaches everything."""


@command.command("functions")
@acting
def functions(session: Session) -> None:
    """List every function of the contract with its parameters; --json has all that is written about them."""
    rows = session.evaluate("Describe")
    if session.output.as_json:
        session.output.document(rows)
        return
    shown = [
        {
            **row,
            "parameters": " ".join(parameter["name"] for parameter in row["parameters"]),
            "does": " ".join(_FIRST_SENTENCE.split(row["doc"], maxsplit=1)[0].split()),
        }
        for row in rows
    ]
    session.output.rows("functions", ("name", "kind", "parameters", "does"), shown)


@command.command("definition")
@acting
def definition(session: Session) -> None:
    """Show what the channel's members have agreed on about the contract, and who holds its private data."""
    question = Call(LIFECYCLE, "QueryChaincodeDefinition", (encode_query_args(CONTRACT),))
    found, approvals = parse_query_result(session.system(question))
    approved = [msp_id for msp_id, approves in approvals.items() if approves]
    fields = {"contract": CONTRACT, **describe_definition(found), "approved_by": approved}
    collections = describe_collections(found)
    if session.output.as_json:
        session.output.document({**fields, "collections": collections})
        return
    session.output.record(f"{CONTRACT} on {session.channel}", fields)
    session.output.rows(
        "collections", ("name", "members", "endorsement", "required_peers", "blocks_to_live"), collections
    )


@command.command("evaluate")
@click.argument("function")
@click.argument("args", nargs=-1)
@acting
def evaluate(session: Session, function: str, args: tuple[str, ...]) -> None:
    """Ask FUNCTION on one peer, with ARGS; nothing is ordered."""
    session.output.document(session.evaluate(function, *args))


@command.command("submit")
@click.argument("function")
@click.argument("args", nargs=-1)
@acting
def submit(session: Session, function: str, args: tuple[str, ...]) -> None:
    """Commit a transaction that calls FUNCTION with ARGS."""
    session.output.document(session.submit_for_receipt(function, *args))
