"""`privy demo`: a day in Alice's life, on a network of its own."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console

from deploy.generate import generate
from deploy.kafka.settings import BROKER, ZOOKEEPER
from deploy.layout import MANIFEST, NODES
from deploy.manifest import Network
from deploy.ordering import Wish, with_ordering
from deploy.topology import load_topology
from deploy.wallets import fill_wallet
from services.client.cli.failures import message_of
from services.client.demo.narrator import Narrator, StoryBroken
from services.client.demo.story import Story
from services.client.network.contracts import bring_up
from services.client.network.processes import Processes


@click.command("demo")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep the network's folder here, to look around in it.")
@click.option("--on", type=click.Path(path_type=Path), help="Play on a network that runs and that nobody has used yet.")
@with_ordering
def command(keep: Path | None, on: Path | None, ordering: Wish) -> None:
    """Boot a city's network as processes, play a day of Alice's on it, and stop everything. Takes half a minute."""
    console = Console(highlight=False, width=None if os.isatty(1) else 110)
    if on is not None:
        if keep is not None or ordering != Wish():
            raise click.UsageError("--on is for a network that is there: it goes with no other option")
        _play_on(Network.load(on), Narrator(console))
        console.print("demo ok")
        return
    folder = keep or Path(tempfile.mkdtemp(prefix="privysharing-demo-"))
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As an interrupt, which asyncio turns into a cancellation: an exception of ours could be lost in a callback.
        signal.signal(number, lambda _number, _frame: signal.raise_signal(signal.SIGINT))
    narrator = Narrator(console)
    kept = keep is not None
    try:
        asyncio.run(_play(folder, narrator, ordering))
    except Exception as error:
        kept = kept or (folder / MANIFEST).exists()
        logs = f"; each node's log is kept, in {folder / NODES}" if kept else ""
        raise StoryBroken(f"in {narrator.place}: {message_of(error)}{logs}") from error
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
    console.print("demo ok")


def _play_on(network: Network, narrator: Narrator) -> None:
    try:
        asyncio.run(Story(network, narrator).play())
    except Exception as error:
        raise StoryBroken(f"in {narrator.place}: {message_of(error)}") from error


async def _play(folder: Path, narrator: Narrator, ordering: Wish) -> None:
    narrator.scene("A city's organisations start their nodes")
    start = time.monotonic()
    network = generate(load_topology("demo").ordered(ordering), folder)
    fill_wallet(network)
    narrator.says(f"{len(network.organisations)} organisations have their keys, certificates and channel "
                  f"[dim]({time.monotonic() - start:.1f} s)[/dim]")  # fmt: skip
    processes = Processes(network, stop_with=os.getpid())
    start = time.monotonic()
    try:
        await bring_up(processes)
        pids = processes.pids()
        for name, duty in _duties(processes).items():
            narrator.says(f"{name:<24} {duty:<24} [dim]process {pids[name]}[/dim]")
        narrator.says(f"ready for the first transaction after {time.monotonic() - start:.1f} s")
        await Story(network, narrator).play()
    finally:
        processes.stop()


def _duties(processes: Processes) -> dict[str, str]:
    """What each process is for."""
    kinds = {BROKER: "keeps the ordering log", ZOOKEEPER: "knows which brokers live"}
    members = processes.kafka.members if processes.kafka is not None else ()
    return {member.name: kinds[member.kind] for member in members} | {
        node.name: "orders" if node.role == "orderer" else "endorses and commits" if node.endorses else "commits only"
        for node in processes.network.nodes
    }
