"""`privy network`: start, watch and stop a network on this machine."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import click

from deploy.generate import generate
from deploy.layout import MANIFEST
from deploy.manifest import Network
from deploy.topology import load_topology
from services.client.cli.output import Output
from services.client.cli.session import with_network, with_output
from services.client.network.contracts import bring_up
from services.client.network.identities import fill_wallet
from services.client.network.processes import Processes
from services.client.network.status import network_status


@click.group()
def command() -> None:
    """Start, watch and stop a network on this machine, one process for each node."""


@command.command("up")
@with_network
@click.option("--topology", default="demo", show_default=True, help="Which network of deploy/network.yaml to generate.")
@with_output
def up(folder: Path, topology: str, output: Output) -> None:
    """Generate the network if it is not there yet, start its nodes, and define its contracts."""
    if (folder / MANIFEST).exists():
        network = Network.load(folder)
    else:
        with output.busy(f"generating keys, certificates and genesis blocks for {topology}"):
            network = generate(load_topology(topology), folder)
            fill_wallet(network)
    processes = Processes(network)
    with output.busy(f"starting {len(network.nodes)} nodes"):
        asyncio.run(bring_up(processes))
    output.done(
        f"network {network.topology} serves in {folder} ({len(network.nodes)} nodes); "
        "see `privy network status`, `privy wallet list`",
        {"network": str(folder), "topology": network.topology, "pids": processes.pids()},
    )


@command.command("status")
@with_network
@with_output
def status(folder: Path, output: Output) -> None:
    """Show, for every node, whether it serves, and for every peer and channel: height, block hash, commit hash."""
    network = Network.load(folder)
    with output.busy("asking every node"):
        nodes, ledgers = asyncio.run(network_status(network, Processes(network)))
    if output.as_json:
        output.document({"nodes": nodes, "ledgers": ledgers})
        return
    output.rows("nodes", ("name", "role", "pid", "serves", "address"), nodes)
    output.rows("ledgers", ("peer", "channel", "height", "block_hash", "commit_hash"), [_short(row) for row in ledgers])


@command.command("down")
@with_network
@click.option("--remove", is_flag=True, help="Remove the folder too: keys, ledgers and all.")
@with_output
def down(folder: Path, remove: bool, output: Output) -> None:
    """Stop the network's nodes. What is committed stays, unless you ask to remove it."""
    network = Network.load(folder)
    with output.busy("draining"):
        Processes(network).stop()
    if remove:
        shutil.rmtree(folder)
    output.done("the network has stopped", {"network": str(folder), "removed": remove})


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Hashes to their first 16 digits, for people."""
    return {name: value[:16] if name.endswith("_hash") and value else value for name, value in row.items()}
