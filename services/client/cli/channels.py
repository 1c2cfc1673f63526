"""`privy channel`: what a channel's peers know, and what its settings are."""

import json

import click

from privysharing.protocol.codec.system_chaincodes import parse_blockchain_info
from privysharing.sdk import Call
from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """A channel's height, settings and transactions."""


@command.command("info")
@acting
def info(session: Session) -> None:
    """Show the channel's height and newest block hashes, as one peer of one's organisation has them. For operators."""
    found = parse_blockchain_info(session.system(Call("qscc", "GetChainInfo", (session.channel,))))
    session.output.record(
        session.channel,
        {
            "channel": session.channel,
            "height": found.height,
            "block_hash": found.current_hash.hex(),
            "previous_block_hash": found.previous_hash.hex(),
        },
    )


@command.command("settings")
@acting
def settings(session: Session) -> None:
    """Show which data the channel carries, how grants are paid, and how long requests and days last."""
    session.output.record(f"settings of {session.channel}", session.evaluate("GetSettings"))


@command.command("configure")
@click.option("--asset-type", "asset_types", multiple=True, help="A kind of data to carry; repeat for every one.")
@click.option("--settlement", help="How grants are paid; `immediate`.")
@click.option("--request-days", type=int, help="For how many days a request can be answered.")
@click.option("--day-seconds", type=int, help="How long a paid day lasts; less than 86400 only to watch one end.")
@acting
def configure(
    session: Session,
    asset_types: tuple[str, ...],
    settlement: str | None,
    request_days: int | None,
    day_seconds: int | None,
) -> None:
    """Change the channel's settings; what is not named stays. Only an administrator of the Ministry."""
    named = {
        "asset_types": list(asset_types) or None,
        "settlement": settlement,
        "request_days": request_days,
        "day_seconds": day_seconds,
    }
    changes = {name: value for name, value in named.items() if value is not None}
    if not changes:
        raise click.UsageError("needed at least one of --asset-type, --settlement, --request-days, --day-seconds")
    changed = session.submit("ConfigureChannel", json.dumps(changes))
    session.output.done(f"changed of {session.channel}: {', '.join(changes)}", changed)


@command.command("transactions")
@acting
def transactions(session: Session) -> None:
    """Show who did what with which asset: no values. Only an administrator or an auditor."""
    rows = session.pages("ListTransactions")
    session.output.rows(f"transactions of {session.channel}", ("time", "act", "asset", "by", "tx_id"), rows)
