"""`privy peer`: look into the data of a stopped peer, check them, make its state anew; see what running ones lack."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click

from deploy.layout import MANIFEST
from deploy.manifest import Network
from deploy.wallets import network_wallet
from services.client.cli.output import EXIT_REFUSED
from services.client.cli.session import Session, acting, network_option, with_network
from services.client.network.missing import missing_sets
from services.client.network.processes import Processes

COLUMNS = ("peer", "chaincode", "collection", "missing")
LEDGERS = "ledgersData"  # of a peer's fileSystemPath, as in Fabric
_CHANNEL = click.option("--channel", help="Only this channel.  [default: all]")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")


@click.group()
def command() -> None:
    """Look into the data of a stopped peer, check them, make its state anew; see what running ones lack."""


@command.command("dump-state")
@click.argument("peer")
@with_network
@click.option("--channel", help="Channel to dump.  [default: the only one]")
def dump_state(peer: str, folder: Path, channel: str | None) -> None:
    """Print the state of a stopped PEER, one line of JSON for each key, in key order.

    PEER is a node of the network, such as peer0.citizens.city, or a peer's own data folder (its peer.fileSystemPath).
    """
    ledgers = _data_folder(peer, folder) / LEDGERS
    found = sorted(path.name for path in ledgers.iterdir() if path.is_dir()) if ledgers.is_dir() else []
    if channel is None and len(found) == 1:
        (channel,) = found
    if channel not in found:
        known = ", ".join(found) or "none"
        raise click.UsageError(f"needed a channel with a ledger in {ledgers}; found {known}; name one with --channel")
    _run("dump", ledgers / channel)


@command.command("verify")
@click.argument("peer")
@with_network
@_CHANNEL
@_JSON
def verify(peer: str, folder: Path, channel: str | None, as_json: bool) -> None:
    """Check everything that a stopped PEER keeps, and change nothing.

    Every block is judged again from the channel's first one on: checksums, chain, signatures, verdicts, commit hashes.
    State, history and indexes are compared with those that the blocks make, entry by entry. Ends with 1 and names the
    first fault. PEER is a node of the network or a data folder, a backup's as well.
    """
    _run("verify", _data_folder(peer, folder), *_options(channel, as_json))


@command.command("rebuild")
@click.argument("peer")
@with_network
@_CHANNEL
@_JSON
def rebuild(peer: str, folder: Path, channel: str | None, as_json: bool) -> None:
    """Make state, history and indexes of a stopped PEER anew from its blocks.

    May be broken off at any moment: the next start of the peer, or the next rebuild, goes on. PEER is a node of the
    network or a data folder.
    """
    _run("rebuild", _data_folder(peer, folder), *_options(channel, as_json))


@command.command("missing")
@acting
def missing(session: Session) -> None:
    """Show which private data the running peers of one's organisation should hold and lack: for its administrator.

    They look for it by themselves, and ask the other members until they have it. Ends with 1 when a peer does not tell.
    """
    entry = network_wallet(session.network).get(session.label)
    rows = session.runner.run(missing_sets(session.network, entry, session.channel))
    silent = [row for row in rows if "error" in row]
    if session.output.as_json:
        session.output.document(rows)
    else:
        session.output.rows("missing private data", COLUMNS, [row for row in rows if row not in silent])
        for row in silent:
            session.output.note(f"{row['peer']} does not tell: {row['error']}")
    if silent:
        sys.exit(EXIT_REFUSED)


def _options(channel: str | None, as_json: bool) -> list[str]:
    return [*(["--channel", channel] if channel is not None else []), *(["--json"] if as_json else [])]


def _run(program: str, folder: Path, *options: str) -> NoReturn:
    """A peer's data are its own: its program reads them."""
    command = [sys.executable, "-m", f"services.peer.offline.{program}", str(folder), *options]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 - our own program, a folder as argument


def _data_folder(peer: str, folder: Path) -> Path:
    if Path(peer).is_dir():
        return Path(peer)
    if not (folder / MANIFEST).exists():
        raise click.UsageError(f"{peer} is no folder, and there is no network in {folder} that could have such a peer")
    network = Network.load(folder)
    data = {node.name: node.data for node in network.nodes if node.role == "peer"}
    if peer not in data:
        raise click.UsageError(f"{peer} is neither a folder nor one of the peers {', '.join(data)}")
    if Processes(network).process(network.node(peer)) is not None:
        down = f"privy network down {peer}{network_option(folder)}"
        raise click.ClickException(f"{peer} is running; stop it first: {down}")
    return network.path(data[peer])
