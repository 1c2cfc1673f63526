"""`python -m tests.chaos`: strikes on a network of its own, and what came of it as JSON on the last line."""

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from tests.chaos.evidence import Evidence, differing_states, resident_mb
from tests.chaos.load import Load
from tests.chaos.records import Records
from tests.chaos.schedule import FullDisk, Step, schedule
from tests.chaos.smalldisk import MISSING, can_be_filled, with_own_mounts
from tests.chaos.strikes import Hand
from tests.support.live import LiveNetwork

TOPOLOGY = "demo"
EXIT_BROKEN = 1
# Nodes stop taking work long before their disk is full; here they are to fill it.
NO_WATERMARK = {"CORE_PRIVYSHARING_DISKWATERMARK": "0", "ORDERER_PRIVYSHARING_DISKWATERMARK": "0"}


@click.command()
@click.option("--kills", default=60, type=click.IntRange(min=0), show_default=True, help="Processes to kill.")
@click.option("--seed", type=int, help="Who is struck, how and when.  [default: drawn at random]")
def main(kills: int, seed: int | None) -> None:
    """Strike the processes of a network under load, then look for everything that was acknowledged."""
    with_own_mounts([sys.executable, "-m", "tests.chaos", *sys.argv[1:]])
    os.environ.update(NO_WATERMARK)
    seed = secrets.randbelow(2**32) if seed is None else seed
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="privy-chaos-"))
    console.print(f"seed {seed}, in {folder}")
    try:
        result, broken = run(folder, kills, seed, console)
    except BaseException:
        console.print(f"broke off; logs and data are in {folder}")
        raise
    if broken:
        console.print(f"broken: {', '.join(broken)}; logs, blocks and findings.json are in {folder}")
    else:
        shutil.rmtree(folder)
    click.echo(json.dumps(result))
    sys.exit(EXIT_BROKEN if broken else 0)


def run(folder: Path, kills: int, seed: int, console: Console) -> tuple[dict[str, Any], list[str]]:
    """The figures of one run on a network that is made for it, and which of them must be 0 and are not."""
    began = time.monotonic()
    network = LiveNetwork(TOPOLOGY, folder / "network")
    records = Records()
    hand = Hand(network.processes, lambda: records.progress, console.print)
    steps = list(schedule(seed, kills, [node.name for node in network.network.nodes]))
    if not can_be_filled():
        console.print(f"no disk is filled: {MISSING}")
        steps = [step for step in steps if not isinstance(step.strike, FullDisk)]
    try:
        asyncio.run(_strike(network, records, hand, steps, Random(seed), console))
        memory = resident_mb(network)
        evidence = Evidence.collect(network)
    finally:
        network.stop()
        hand.close()
    console.print(f"looking for {len(records.transactions)} transactions in {evidence.height} blocks")
    findings = evidence.findings(records)
    wrong = {
        **{kind: len(found) for kind, found in asdict(findings).items()},
        "unsettled": len(records.unsettled),
        "faults": len(faults := evidence.faults()),
        "differing_states": len(differing := differing_states(network)),
    }
    broken = [kind for kind, count in wrong.items() if count]
    if broken:
        evidence.keep(
            folder,
            {
                **asdict(findings),
                "unsettled": sorted(records.unsettled),
                "faults": faults,
                "differing_states": differing,
            },
        )
    struck = asdict(hand.struck)
    return {
        "kills": struck.pop("kills"),
        "acknowledged": len(records.transactions),
        **{kind: wrong.pop(kind) for kind in ("lost", "duplicated", "forks")},
        "seed": seed,
        **wrong,
        **struck,
        "seconds": round(time.monotonic() - began),
        "blocks": evidence.height,
        "codes": evidence.codes(),
        "failures": dict(records.failures),
        "resident_mb": memory,
        **({} if can_be_filled() else {"missing": MISSING}),
    }, broken


async def _strike(
    network: LiveNetwork, records: Records, hand: Hand, steps: Iterable[Step], random: Random, console: Console
) -> None:
    """Return when every strike is got over, every client knows what it has done, and all peers agree."""
    steps = list(steps)
    load = Load(network.network, records, random)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("strikes", total=len(steps))
        async with load.running():
            for step in steps:
                await asyncio.sleep(step.quiet_s)
                console.print(f"{len(records.transactions):6} acknowledged; {step.strike}")
                await hand.strike(step.strike)
                progress.advance(bar)
            await hand.recovered()
    await network.agreement()


if __name__ == "__main__":
    main()
