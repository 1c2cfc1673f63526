"""`privy asset delete`, and the proof that private values are gone."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from deploy.manifest import Network
from privysharing.contract.assets import PRIVATE
from privysharing.contract.critical import CRITICAL
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.describe.values import describe_time
from privysharing.sdk import Contract
from privysharing.sdk.purging import PurgeStatements
from privysharing.sdk.routing import collection_of
from services.client.cli.output import Output
from services.client.cli.session import CONTRACT, Session, acting, network_option, with_network, with_output
from services.client.network.levels import asset_of, delete_asset
from services.client.network.proofs import Proof, verify_proof

WAIT_SECONDS = 60.0

_FILE = click.Path(path_type=Path, dir_okay=False)
_wait = click.option(
    "--wait",
    default=WAIT_SECONDS,
    show_default=True,
    type=click.FloatRange(0),
    help="For how many seconds to ask the peers again that cannot state it yet.",
)


@click.command("delete")
@click.argument("name")
@click.option("--decline", "requesters", multiple=True, help="Whose open requests for it to decline with it.")
@click.option(
    "--proof", "file", type=_FILE, help="A new file for the signed statements of the peers that held its values."
)
@_wait
@acting
def delete(session: Session, name: str, requesters: tuple[str, ...], file: Path | None, wait: float) -> None:
    """Delete one's own asset with its readings and grants. Its history stays.

    The readings of a private asset are purged: the peers that held them keep nothing. With --proof, each signs that no
    byte is left on its disk, once that is so; `privy asset verify-purge` verifies it anywhere. A large asset takes
    several transactions: if one fails, the file has what those before it purged, and the rest needs another file.
    """
    asset = session.asset(name)
    parties = json.dumps([session.party(requester) for requester in requesters])
    noted = _noting(session, asset, file) if file is not None else lambda _: None
    with session.output.busy("waiting for the commit"):
        answer = session.use(lambda contract: delete_asset(contract, asset, parties, noted))
    if file is None or not session.output.as_json:
        session.output.done(_deleted(asset, answer), answer)
    if file is not None:
        _confirm(session, Proof.load(file), file, wait)


@click.command("confirm-purge")
@click.argument("file", type=_FILE)
@_wait
@acting
def confirm_purge(session: Session, file: Path, wait: float) -> None:
    """Ask the peers again that had not stated everything when `privy asset delete --proof FILE` ended."""
    _confirm(session, Proof.load(file), file, wait)


@click.command("verify-purge")
@click.argument("file", type=_FILE)
@click.option("--genesis", type=_FILE, help="The channel's first block.  [default: that of the network]")
@with_network
@with_output
def verify_purge(file: Path, genesis: Path | None, folder: Path, output: Output) -> None:
    """Verify the signed statements in FILE, offline: that peers of every member hold no byte of the purged values.

    They prove who said so. Nothing proves that nobody had copied the values before.
    """
    proof = Proof.load(file)
    if genesis is None:
        network = Network.load(folder)
        genesis = network.path(network.channel(proof.channel).genesis)
    rows, lacking = verify_proof(proof, ChannelConfig.from_block(parse_block(genesis.read_bytes())))
    if lacking:
        missing = ", ".join(f"{member} ({number})" for member, number in lacking.items())
        output.fail(f"not confirmed by all members of {proof.collection}; keys that lack a statement: {missing}")
    shown = [
        {"msp_id": each.msp_id, "peer": each.peer, "keys": each.keys, "time": describe_time(each.time_ns)}
        for each in rows
    ]
    output.rows(f"no byte is left of {proof.asset}, as stated by", ("peer", "msp_id", "keys", "time"), shown)


PURGES = (delete, confirm_purge, verify_purge)


def _noting(session: Session, asset: str, file: Path) -> Callable[[Sequence[str]], None]:
    """Writes a proof about keys that are purged, by their hashes. It lacks the statements: these are asked for later.

    Whether there can be a proof, and where, is better known before anything is deleted.
    """

    async def begin(contract: Contract) -> Proof:
        if (await asset_of(contract, asset))["confidentiality"] != PRIVATE:
            raise click.UsageError(
                "--proof is for private assets: every member keeps the blocks with a plain one's values"
            )
        channel = contract.channel
        members = collection_of(channel.name, CONTRACT, CRITICAL, channel.nodes).members
        return Proof(channel.name, CONTRACT, CRITICAL, asset, tuple(sorted(members)), ())

    if file.exists() and file.stat().st_size:
        raise click.UsageError(f"{file} is not empty, and may prove something else; needed: a new file")
    begun = session.work(begin)
    file.touch()
    return lambda purged: replace(begun, key_hashes=tuple(map(bytes.fromhex, purged))).save(file)


def _deleted(asset: str, answer: dict[str, Any]) -> str:
    number = len(answer.get("purged", ()))
    return f"{asset} is deleted" + (f", {number} reading{'s' * (number != 1)} purged" if number else "")


def _confirm(session: Session, proof: Proof, file: Path, wait: float) -> None:
    """Collect statements into the file, and tell who has not made his."""

    async def collect(contract: Contract) -> PurgeStatements:
        channel = contract.channel
        return await channel.purge_statements(proof.contract, proof.collection, proof.key_hashes, timeout_s=wait)

    with session.output.busy("waiting until every byte is gone"):
        collected = session.work(collect)
    proof.with_statements(each.signed for each in collected.stated).save(file)
    if collected.lacking:
        again = f"privy asset confirm-purge {file} --as {session.label}{network_option(session.network.folder)}"
        session.output.fail(
            f"not confirmed yet by {', '.join(collected.lacking)}; ask again with: {again}", dict(collected.lacking)
        )
    peers = sorted({each.peer for each in collected.stated})
    session.output.done(
        f"{', '.join(peers) or 'nobody had anything to'} confirm that every byte is gone: {file}",
        {"asset": proof.asset, "file": str(file), "keys": len(proof.key_hashes), "peers": peers},
    )
