"""`python -m tests.chaos`: strikes on a network of its own, and what came of it as JSON on the last line."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from deploy.kafka.cluster import MemberFault
from deploy.manifest import Network, NodeEntry
from deploy.ordering import Wish, with_ordering
from services.client.network.processes import NodeFault
from tests.canary.places import files
from tests.chaos.evidence import Evidence, resident_mb, states, unsound
from tests.chaos.load import Load
from tests.chaos.opinion import opinion
from tests.chaos.privacy import misplaced, private_of
from tests.chaos.records import Records
from tests.chaos.relays import Relays
from tests.chaos.schedule import KAFKA_KINDS, KINDS, STOPPED_SECONDS, FullDisk, Step, Victims, schedule
from tests.chaos.smalldisk import MISSING, can_be_filled, with_own_mounts
from tests.chaos.strikes import Hand, Stuck
from tests.support.live import LiveNetwork

TOPOLOGY, KAFKA_TOPOLOGY = "demo", "ordering4"
MINUTE = (60.0, 60.0)
EXIT_BROKEN = 1
# Nodes stop taking work long before their disk is full; here they are to fill it.
NO_WATERMARK = {"CORE_PRIVYSHARING_DISKWATERMARK": "0", "ORDERER_PRIVYSHARING_DISKWATERMARK": "0"}


@click.command()
@click.option("--kills", default=60, type=click.IntRange(min=0), show_default=True, help="Processes to kill.")
@click.option("--seed", type=int, help="Who is struck, how and when.  [default: drawn at random]")
@click.option("--minutes", is_flag=True, help="Freeze, and cut connections, for a minute each time.")
@click.option("--only", multiple=True, type=click.Choice([*KINDS, *KAFKA_KINDS]), help="Strike in these ways only.")
@with_ordering
def main(kills: int, seed: int | None, minutes: bool, only: tuple[str, ...], ordering: Wish) -> None:
    """Strike the processes of a network under load, then look for everything that was acknowledged."""
    with_own_mounts([sys.executable, "-m", "tests.chaos", *sys.argv[1:]])
    os.environ.update(NO_WATERMARK)
    seed = secrets.randbelow(2**32) if seed is None else seed
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="privy-chaos-"))
    console.print(f"seed {seed}, in {folder}")
    try:
        result, broken = run(folder, Plan(kills, seed, minutes, only, ordering), console)
    except BaseException:
        console.print(f"broke off; logs and data are in {folder}")
        raise
    if broken:
        console.print(f"broken: {', '.join(broken)}; logs, blocks and findings.json are in {folder}")
    else:
        shutil.rmtree(folder)
    click.echo(json.dumps(result))
    sys.exit(EXIT_BROKEN if broken else 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for."""

    kills: int
    seed: int
    minutes: bool
    only: tuple[str, ...]
    ordering: Wish

    def steps(self, network: LiveNetwork) -> list[Step]:
        """Against this network."""
        kafka = network.processes.kafka
        victims = Victims(
            nodes=tuple(node.name for node in network.network.nodes),
            orderers=tuple(orderer.name for orderer in network.orderers),
            brokers=tuple(broker.name for broker in kafka.brokers) if kafka else (),
            ensemble=tuple(member.name for member in kafka.ensemble) if kafka else (),
        )
        return list(schedule(self.seed, self.kills, victims, MINUTE if self.minutes else STOPPED_SECONDS, self.only))


def run(folder: Path, plan: Plan, console: Console) -> tuple[dict[str, Any], list[str]]:
    """The figures of one run on a network that is made for it, and which of them must be 0 and are not."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        relays: list[Relays] = []

        def prepare(manifest: Network) -> Network:
            if manifest.ordering.cluster:
                relays.append(stack.enter_context(contextlib.closing(Relays(manifest, _cut_off(manifest)))))
            return manifest

        topology = KAFKA_TOPOLOGY if plan.ordering.through_kafka else TOPOLOGY
        network = LiveNetwork(topology, folder / "network", plan.ordering, prepare)
        return _judged(folder, plan, network, relays[0] if relays else None, began, console)


def _cut_off(manifest: Network) -> NodeEntry:
    """The orderer that can be cut off from its brokers."""
    return [node for node in manifest.nodes if node.role == "orderer"][-1]


def _judged(
    folder: Path, plan: Plan, network: LiveNetwork, relays: Relays | None, began: float, console: Console
) -> tuple[dict[str, Any], list[str]]:
    records, seed = Records(), plan.seed
    hand = Hand(network.processes, relays, lambda: records.progress, console.print)
    load = Load(network.network, records, Random(seed))
    steps = plan.steps(network)
    if not can_be_filled():
        console.print(f"no disk is filled: {MISSING}")
        steps = [step for step in steps if not isinstance(step.strike, FullDisk)]
    try:
        stuck = asyncio.run(_strike(network, load, hand, steps, console))
        memory = resident_mb(network)
        evidence = Evidence.collect(network)
    finally:
        network.stop()
        hand.close()
    console.print(f"looking for {len(records.transactions)} transactions in {evidence.height} blocks")
    found = {**_findings(network, records, load, evidence), "stuck": stuck}
    broken = [kind for kind, what in found.items() if what]
    if broken:
        evidence.keep(folder, found)
    counts = {kind: len(what) for kind, what in found.items()}
    struck = asdict(hand.struck)
    return {
        "kills": struck.pop("kills"),
        "acknowledged": len(records.transactions),
        **{kind: counts.pop(kind) for kind in ("lost", "duplicated", "forks")},
        "seed": seed,
        **counts,
        **struck,
        "seconds": round(time.monotonic() - began),
        "blocks": evidence.height,
        "codes": evidence.codes(),
        "topic": len(evidence.topic),
        "configurations": records.configurations,
        "failures": dict(records.failures),
        "resident_mb": memory,
        **({} if can_be_filled() else {"missing": MISSING}),
    }, broken


def _findings(
    network: LiveNetwork, records: Records, load: Load, evidence: Evidence
) -> dict[str, dict[Any, str] | list[str]]:
    """All that is wrong, by kind; the nodes have stopped."""
    dumped = states(network)
    first, *others = dumped
    second = opinion(evidence.genesis, evidence.stored, dumped, load.operations)
    private = private_of(network, load.operations, second.private)
    return {
        **asdict(evidence.findings(records)),
        "differing_orderers": evidence.differing_orderers(),
        "contradicted": evidence.contradicted(),
        "unsettled": sorted(records.unsettled),
        "faults": evidence.faults(),
        "differing_states": [other for other in others if dumped[other] != dumped[first]],
        "unsound": unsound(network),
        "objections": second.objections,
        "misplaced": [*misplaced(private, files(network.network.folder, network.network.nodes))],
    }


async def _strike(network: LiveNetwork, load: Load, hand: Hand, steps: Sequence[Step], console: Console) -> list[str]:
    """Return when every strike is got over, every client knows what it has done, and all peers agree; or why not."""
    stuck: list[str] = []
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("strikes", total=len(steps))
        async with load.running():
            try:
                for step in steps:
                    await asyncio.sleep(step.quiet_s)
                    console.print(f"{len(load.records.transactions):6} acknowledged; {step.strike}")
                    await hand.strike(step.strike)
                    progress.advance(bar)
                await hand.recovered()
            except (NodeFault, MemberFault, Stuck) as fault:
                console.print(str(fault))
                stuck.append(str(fault))
    with contextlib.suppress(AssertionError, OSError):  # who does not agree in time is found by comparing
        await network.agreement()
        stuck += [f"{node} lacks private data" for node in await network.completeness()]
    return stuck


if __name__ == "__main__":
    main()
