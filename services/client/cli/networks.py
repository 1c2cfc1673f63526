"""`privy network`: start, watch and stop a network on this machine."""

import asyncio
import shutil
import sys
from pathlib import Path

import click

from deploy.generate import generate
from deploy.layout import MANIFEST
from deploy.manifest import Network
from deploy.topology import load_topology
from services.client.cli.output import EXIT_REFUSED, Output
from services.client.cli.session import network_option, with_network, with_output
from services.client.network.contracts import bring_up
from services.client.network.identities import fill_wallet
from services.client.network.processes import Processes
from services.client.network.status import network_status

DEFAULT_TOPOLOGY = "demo"


@click.group()
def command() -> None:
    """Start, watch and stop a network on this machine, one process for each node."""


@command.command("up")
@with_network
@click.option("--topology", help="Which network of deploy/network.yaml to generate.  [default: demo]")
@with_output
def up(folder: Path, topology: str | None, output: Output) -> None:
    """Generate the network if it is not there yet, start its nodes, and define its contracts."""
    if (folder / MANIFEST).exists():
        network = Network.load(folder)
        if topology not in (None, network.topology):
            raise click.UsageError(
                f"{folder} holds a network of topology {network.topology}, not {topology}; name another --network, "
                f"or remove this one with: privy network down --remove{network_option(folder)}"
            )
    else:
        with output.busy("generating keys, certificates and genesis blocks"):
            network = generate(load_topology(topology or DEFAULT_TOPOLOGY), folder)
            fill_wallet(network)
    processes = Processes(network)
    with output.busy(f"starting {len(network.nodes)} nodes"):
        asyncio.run(bring_up(processes))
    output.done(
        f"network {network.topology} serves in {folder} ({len(network.nodes)} nodes); "
        f"see `privy network status{network_option(folder)}`, `privy wallet list{network_option(folder)}`",
        {"network": str(folder), "topology": network.topology, "pids": processes.pids()},
    )


@command.command("status")
@with_network
@with_output
def status(folder: Path, output: Output) -> None:
    """Show, for every node, whether it serves, and for every peer and channel: height, block hash, commit hash.

    Ends with 1 when a node does not serve, or a peer does not tell.
    """
    network = Network.load(folder)
    with output.busy("asking every node"):
        nodes, ledgers = asyncio.run(network_status(network, Processes(network)))
    if output.as_json:
        output.document({"nodes": nodes, "ledgers": ledgers})
    else:
        output.rows("nodes", ("name", "role", "pid", "serves", "address"), nodes)
        output.rows("ledgers", ("peer", "channel", "height", "block_hash", "commit_hash"), ledgers)
    if not any(node["pid"] for node in nodes):
        output.note(f"the network is not running; start it with: privy network up{network_option(folder)}")
    if not all(node["serves"] for node in nodes) or any("error" in ledger for ledger in ledgers):
        sys.exit(EXIT_REFUSED)


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
