"""`python -m bench`: a network of its own, a load on it, and what came of it as JSON on the last line."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, get_args

import click
import psutil
from rich.console import Console

from bench.floor import crypto_floor_tps
from bench.load import Load, commit_everywhere, run
from bench.meter import CpuMeter, Tally
from bench.workloads import CONTRACT, WORKLOADS, Workload, prepared_key, value
from deploy.generate import generate
from deploy.manifest import Network
from deploy.topology import load_topology
from privysharing.sdk import Call, Channel, Transport, connect
from services.client.network.contracts import bring_up
from services.client.network.identities import fill_wallet, network_wallet, profile_of
from services.client.network.processes import Processes
from services.client.network.status import network_status

TOPOLOGY, CHANNEL, CLIENT = "bench-1ch", "health", "alice"
_PREPARED_AT_ONCE = 100


@click.command()
@click.option("--workload", type=click.Choice(list(WORKLOADS)), default="yardstick", show_default=True)
@click.option(
    "--in-flight",
    default=600,
    type=click.IntRange(min=1),
    show_default=True,
    help="Callers that each wait for their answer.",
)
@click.option(
    "--duration", default=20.0, type=click.FloatRange(0, min_open=True), show_default=True, help="Seconds of load."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="Calls a second, whatever the answers do, instead of --in-flight.",
)
@click.option(
    "--transport",
    type=click.Choice(get_args(Transport)),
    default="batch",
    show_default=True,
    help="Many calls on a stream, or Fabric's own calls.",
)
def main(workload: str, in_flight: int, duration: float, rate: float | None, transport: Transport) -> None:
    """Measure a network of processes on this machine, this client included."""
    console = Console(stderr=True, highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="privysharing-bench-"))
    try:
        result = asyncio.run(measure(folder, WORKLOADS[workload], Load(duration, in_flight, rate), transport, console))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"workload": workload, **result}))


async def measure(
    folder: Path, workload: Workload, load: Load, transport: Transport, console: Console
) -> dict[str, Any]:
    """The figures of one run on a network that is made for it."""
    network = generate(load_topology(TOPOLOGY), folder)
    fill_wallet(network)
    endorsers = sum(node.endorses for node in network.nodes)
    peers = sum(node.role == "peer" for node in network.nodes)
    console.print("measuring what cryptography alone allows")
    floor = await asyncio.to_thread(crypto_floor_tps, workload.crypto_work(endorsers, peers))
    processes = Processes(network, stop_with=os.getpid())
    console.print(f"starting {len(network.nodes)} nodes")
    try:
        await bring_up(processes)
        with console.status(f"{workload.about}, for {load.duration_s:g} s"):
            figures = await _apply(network, processes, workload, load, transport)
        figures["peers_agree"] = await _peers_agree(network, processes)
    finally:
        processes.stop()
    return figures | {
        "crypto_floor_tps": round(floor),
        "ratio_to_floor": round(figures["tps"] / floor, 3),
        "in_flight": None if load.rate else load.in_flight,
        "rate": load.rate,
        "transport": transport,
        "duration_s": load.duration_s,
        "cores": len(os.sched_getaffinity(0)),
        "endorsers": endorsers,
        "peers": peers,
    }


async def _apply(
    network: Network, processes: Processes, workload: Workload, load: Load, transport: Transport
) -> dict[str, Any]:
    entry = network_wallet(network).get(CLIENT)
    async with connect(profile_of(network, entry.msp_id), entry.signing_identity(), transport=transport) as connection:
        channel = connection.channel(CHANNEL)
        await _prepare(channel, workload)
        listeners = [await channel.commits(node) for node in channel.nodes.event_sources]
        name = secrets.token_hex(4)

        async def attempt(number: int) -> None:
            call = workload.call(name, number)
            if workload.queries:
                await channel.evaluate(call)
            else:
                await commit_everywhere(channel, call, listeners)

        tally = Tally()
        cpu = CpuMeter(processes.pids() | {"client": os.getpid()})
        seconds = await run(attempt, load, tally)
        spent = cpu.spent_s()
    done = max(1, len(tally.latencies_s))
    return {
        "tps": round(tally.in_time / seconds, 1),
        "p50_ms": tally.percentile_ms(50),
        "p95_ms": tally.percentile_ms(95),
        "p99_ms": tally.percentile_ms(99),
        "failures": dict(tally.failures),
        "committed": len(tally.latencies_s),
        "cpu_us_per_tx": {process: round(seconds / done * 1e6) for process, seconds in spent.items()},
        "resident_mb": cpu.resident_mb(),
        "memory_total_gb": round(psutil.virtual_memory().total / 1e9),
    }


async def _prepare(channel: Channel, workload: Workload) -> None:
    """Commit the keys that the workload reads."""
    for first in range(0, workload.prepared_keys, _PREPARED_AT_ONCE):
        keys = [prepared_key(first + number) for number in range(_PREPARED_AT_ONCE)]
        await asyncio.gather(*(channel.submit(Call(CONTRACT, "Create", (key, value()))) for key in keys))


async def _peers_agree(network: Network, processes: Processes) -> bool:
    """Whether all peers come to one height and commit hash within some seconds."""
    for _ in range(100):
        _, ledgers = await network_status(network, processes)
        if len({(row["height"], row["commit_hash"]) for row in ledgers}) == 1:
            return all(row["commit_hash"] for row in ledgers)
        await asyncio.sleep(0.1)
    return False


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
