"""`privy network`: start, watch and stop a network on this machine."""

import asyncio
import shutil
import sys
from pathlib import Path

import click

from deploy.generate import generate
from deploy.layout import MANIFEST
from deploy.manifest import Network
from deploy.ordering import EMBEDDED, KAFKA, Wish, with_ordering
from deploy.topology import load_topology
from deploy.wallets import fill_wallet
from services.client.cli.output import EXIT_REFUSED, Output
from services.client.cli.session import network_option, with_network, with_output
from services.client.network.contracts import bring_up, take_part
from services.client.network.processes import Processes
from services.client.network.status import network_status

DEFAULT_TOPOLOGY = "demo"


@click.group()
def command() -> None:
    """Start, watch and stop a network on this machine, one process for each node."""


@command.command("up")
@with_network
@click.option("--topology", help="Which network of deploy/network.yaml to generate.  [default: demo]")
@with_ordering
@click.option("--watch", is_flag=True, help="Start a Prometheus that scrapes the nodes, too.")
@with_output
def up(folder: Path, topology: str | None, ordering: Wish, watch: bool, output: Output) -> None:
    """Generate the network if it is not there yet, start its nodes, and define its contracts.

    With Kafka, brokers and ZooKeeper nodes start and stop with it, unless deploy/network.yaml names a cluster.
    """
    if (folder / MANIFEST).exists():
        network = Network.load(folder)
        if topology not in (None, network.topology):
            raise click.UsageError(
                f"{folder} holds a network of topology {network.topology}, not {topology}; name another --network, "
                f"or remove this one with: privy network down --remove{network_option(folder)}"
            )
        if ordering.through_kafka not in (None, bool(network.ordering.brokers)):
            kept = KAFKA if network.ordering.brokers else EMBEDDED
            raise click.UsageError(
                f"{folder} holds a network whose ordering is {kept}; name another --network, "
                f"or remove this one with: privy network down --remove{network_option(folder)}"
            )
    else:
        with output.busy("generating keys, certificates and genesis blocks"):
            network = generate(load_topology(topology or DEFAULT_TOPOLOGY).ordered(ordering), folder)
            fill_wallet(network)
    processes = Processes(network)
    with output.busy(f"starting {len(processes.names)} nodes"):
        asyncio.run(bring_up(processes))
    watched = {"prometheus": processes.watch()} if watch else {}
    output.done(
        f"network {network.topology} serves in {folder} ({len(processes.names)} nodes); "
        f"see `privy network status{network_option(folder)}`, `privy wallet list{network_option(folder)}`",
        {"network": str(folder), "topology": network.topology, "pids": processes.pids()} | watched,
    )
    if watch:
        output.note(f"Prometheus, with alerts, is on http://{watched['prometheus']}, until the network stops")


@command.command("status")
@with_network
@with_output
def status(folder: Path, output: Output) -> None:
    """Show, for every node, whether it serves, and for every peer and channel: height, block hash, commit hash.

    Ends with 1 when a node does not serve, or a peer does not tell.
    """
    network = Network.load(folder)
    processes = Processes(network)
    with output.busy("asking every node"):
        nodes, ledgers = asyncio.run(network_status(network, processes))
    if output.as_json:
        output.document({"nodes": nodes, "ledgers": ledgers})
    else:
        output.rows("nodes", ("name", "role", "pid", "serves", "address"), nodes)
        output.rows("ledgers", ("peer", "channel", "height", "block_hash", "commit_hash"), ledgers)
        for row in nodes:
            if row["pid"] and row["reason"]:
                output.note(f"{row['name']}: {row['reason']}")
        for row in ledgers:
            if "error" in row and any(node["name"] == row["peer"] and node["pid"] for node in nodes):
                output.note(f"{row['peer']} tells nothing of {row['channel']}: {row['error']}")
    if processes.prometheus is not None and processes.prometheus.running.process is not None:
        output.note(f"Prometheus is on http://{processes.prometheus.address}")
    if not any(node["pid"] for node in nodes):
        output.note(f"the network is not running; start it with: privy network up{network_option(folder)}")
    if not all(node["serves"] for node in nodes) or any("error" in ledger for ledger in ledgers):
        sys.exit(EXIT_REFUSED)


@command.command("define")
@with_network
@click.option("--organisation", required=True, help="Whose administrator's keys to use.")
@click.option(
    "--wait", "seconds_max", type=click.FloatRange(min=0), default=300.0, show_default=True, help="For nodes."
)
@with_output
def define(folder: Path, organisation: str, seconds_max: float, output: Output) -> None:
    """Do one organisation's part in defining the contracts: approve them, or also commit what all have approved.

    For networks whose nodes others start, where each organisation has its own keys only. Needs to be done once, and
    may be done again.
    """
    network = Network.load(folder)
    with output.busy("waiting for nodes and approvals"):
        asyncio.run(take_part(network, organisation, seconds_max))
    output.done(f"{organisation} has done its part", {"network": str(folder), "organisation": organisation})


@command.command("down")
@click.argument("nodes", metavar="[NODE]...", nargs=-1)
@with_network
@click.option("--remove", is_flag=True, help="Remove the folder too: keys, ledgers and all.")
@with_output
def down(nodes: tuple[str, ...], folder: Path, remove: bool, output: Output) -> None:
    """Stop the network's nodes, or those that are named; `privy network up` starts what does not run.

    What is committed stays, unless you ask to remove it.
    """
    network = Network.load(folder)
    processes = Processes(network)
    known = list(processes.names)
    if unknown := [name for name in nodes if name not in known]:
        raise click.UsageError(f"needed nodes of {folder}, which are {', '.join(known)}; found {', '.join(unknown)}")
    if nodes and remove:
        raise click.UsageError("--remove is for the whole network: name no node")
    with output.busy("draining"):
        processes.stop(nodes or None)
    if remove:
        shutil.rmtree(folder)
    what = f"{', '.join(nodes)} {'have' if len(nodes) > 1 else 'has'} stopped" if nodes else "the network has stopped"
    output.done(what, {"network": str(folder), "stopped": list(nodes or known), "removed": remove})
