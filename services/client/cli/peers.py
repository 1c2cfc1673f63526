"""`privy peer`: look into the data of a stopped peer."""

import subprocess
import sys
from pathlib import Path

import click

from deploy.layout import MANIFEST
from deploy.manifest import Network
from services.client.cli.session import network_option, with_network
from services.client.network.processes import Processes

LEDGERS = "ledgersData"  # of a peer's fileSystemPath, as in Fabric


@click.group()
def command() -> None:
    """Look into the data of a stopped peer."""


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
    # The ledger is the peer's own: its program reads it.
    dump = [sys.executable, "-m", "services.peer.dump", str(ledgers / channel)]
    sys.exit(subprocess.run(dump, check=False).returncode)  # noqa: S603 - our own program, a folder as argument


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
        raise click.ClickException(f"{peer} is running; stop it first: privy network down{network_option(folder)}")
    return network.path(data[peer])
