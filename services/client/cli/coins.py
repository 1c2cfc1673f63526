"""`privy coin`: PrivyCoins."""

import json
import secrets

import click

from services.client.cli.paying import choose_coins, coins
from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """See, transfer, mint, burn and audit PrivyCoins. One coin pays for one asset and day."""


@command.command("list")
@acting
def list_coins(session: Session) -> None:
    """Show one's own coins; nobody sees another's."""
    answer = session.evaluate("MyCoins")
    if session.output.as_json:
        session.output.document(answer)
    else:
        session.output.rows(coins(answer["total"]), ("id", "amount"), answer["coins"])


@command.command("mint")
@click.argument("amount", type=int)
@click.option("--to", required=True, help="Who has paid for them.")
@click.option("--payment", help="Reference of the payment; each counts once.  [default: drawn at random]")
@acting
def mint(session: Session, amount: int, to: str, payment: str | None) -> None:
    """Create AMOUNT coins for somebody who has paid in money. Only the Ministry."""
    receipt = session.submit("MintCoins", session.party(to), str(amount), payment or f"payment-{secrets.token_hex(8)}")
    session.output.done(f"{coins(amount)} for {session.party(to)}", receipt)


@command.command("transfer")
@click.argument("amount", type=int)
@click.option("--to", required=True, help="Who gets them.")
@acting
def transfer(session: Session, amount: int, to: str) -> None:
    """Give AMOUNT of one's own coins to somebody."""
    payment = json.dumps(choose_coins(session.evaluate("MyCoins"), amount))
    answer = session.submit("TransferCoins", session.party(to), str(amount), payment)
    session.output.done(f"{coins(amount)} to {session.party(to)}", answer)


@command.command("burn")
@click.argument("amount", type=int)
@click.option("--payout", help="Reference of the payout in money; each counts once.  [default: drawn at random]")
@acting
def burn(session: Session, amount: int, payout: str | None) -> None:
    """Destroy AMOUNT of the coins that one holds, paid out in money. Only the Ministry."""
    spent = json.dumps(choose_coins(session.evaluate("MyCoins"), amount))
    receipt = session.submit("BurnCoins", str(amount), payout or f"payout-{secrets.token_hex(8)}", spent)
    session.output.done(f"{coins(amount)} burned", receipt)


@command.command("audit")
@acting
def audit(session: Session) -> None:
    """Check that minted = held + escrowed + burned. Only an admin, an auditor or the Ministry."""
    session.output.record("coins of the channel", session.evaluate("AuditCoins"))
