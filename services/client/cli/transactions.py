"""`privy transaction`: what became of a transaction, for whoever was not told."""

import click

from privysharing.protocol.envelopes import TxId
from services.client.cli.session import Session, acting


@click.group()
def command() -> None:
    """What became of a transaction, for whoever was not told."""


@command.command("status")
@click.argument("tx_id")
@click.option("--since", default=0, show_default=True, type=click.IntRange(min=0), help="Block to begin to look in.")
@acting
def status(session: Session, tx_id: str, since: int) -> None:
    """Show in which block a transaction is, and the peers' verdict on it, as one peer has it now.

    Ends with 1 when no block holds it yet, and with 0 whatever the verdict is.
    """
    verdict = session.verdict(TxId(tx_id), since)
    if verdict is None:
        session.output.fail(
            f"no block of {session.channel} from {since} on holds transaction {tx_id}; if it was ordered, it may still "
            "be committed",
            {"tx_id": tx_id},
        )
    fields = {"tx_id": tx_id, "verdict": verdict.code.name, "block": verdict.block_num}
    session.output.record(f"transaction on {session.channel}", fields)


@command.command("resubmit")
@click.argument("tx_id")
@acting
def resubmit(session: Session, tx_id: str) -> None:
    """Order a transaction of unknown outcome once more, and wait for the verdict on it.

    For one whose command ended without a verdict: it was kept in the network's folder. Nothing happens twice, because
    an id that is in a block is used up.
    """
    receipt = session.resubmit(TxId(tx_id))
    session.output.done(f"transaction {tx_id} is committed in block {receipt['block']}", receipt)
