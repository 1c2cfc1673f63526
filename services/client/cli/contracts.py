"""`privy contract`: what the contract offers, and any call to it."""

import click

from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """What a contract offers, and any call to it. The other commands are easier; this one reaches everything."""


@command.command("functions")
@acting
def functions(session: Session) -> None:
    """List every function of the contract with its parameters."""
    rows = session.evaluate("Describe")
    shown = [{**row, "parameters": " ".join(parameter["name"] for parameter in row["parameters"])} for row in rows]
    if session.output.as_json:
        session.output.document(rows)
    else:
        session.output.rows("functions", ("name", "kind", "parameters", "doc"), shown)


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
