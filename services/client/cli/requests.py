"""`privy request`: asking for access, and answering."""

import json

import click

from services.client.cli.paying import choose_coins, coins
from services.client.cli.session import Session, acting

PAGE_ITEMS = 100  # as many as the contract gives by itself
COLUMNS = ("asset", "requester", "days", "purpose", "status", "expires_at")


@click.group()
def command() -> None:
    """Ask for access to an asset, and answer those who ask. `privy asset share` says yes."""


@command.command("file")
@click.argument("asset")
@click.option("--days", required=True, type=int, help="For how many days; one coin each is set aside.")
@click.option("--purpose", required=True, help="What the data is for; the owner reads it.")
@acting
def file_request(session: Session, asset: str, days: int, purpose: str) -> None:
    """Ask the owner of ASSET (such as alice/pulse) for access, and set the payment aside."""
    payment = json.dumps(choose_coins(session.evaluate("MyCoins"), days))
    answer = session.submit("FileRequest", session.asset(asset), str(days), purpose, payment)
    session.output.done(f"asked for {session.asset(asset)}, {coins(days)} set aside", answer)


@command.command("list")
@click.option("--mine", is_flag=True, help="Requests that one has filed, instead of those for one's own assets.")
@click.option("--all", "every", is_flag=True, help="Also requests for one's own assets that have been answered.")
@acting
def list_requests(session: Session, mine: bool, every: bool) -> None:
    """Show open requests for one's own assets, or all those that one has filed."""
    if mine:
        rows = session.pages("ListMyRequests")
    else:
        rows = session.pages("ListRequests", "", after=(str(PAGE_ITEMS), "all" if every else "open"))
    session.output.rows("requests", COLUMNS, rows)


@command.command("decline")
@click.argument("asset")
@click.option("--of", "requester", required=True, help="Whose request.")
@acting
def decline(session: Session, asset: str, requester: str) -> None:
    """Say no to a request for one's own ASSET; its coins go back."""
    answer = session.submit("DeclineRequest", session.asset(asset), session.party(requester))
    session.output.done(f"declined; the coins are back with {session.party(requester)}", answer)


@command.command("cancel")
@click.argument("asset")
@acting
def cancel(session: Session, asset: str) -> None:
    """Take back one's own request for ASSET; the coins come back."""
    session.output.done("cancelled; the coins are back", session.submit("CancelRequest", session.asset(asset)))
