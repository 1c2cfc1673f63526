"""`python -m bench.endurance`: what time and size do to a network. Nothing is to grow but the ledger.

Hundreds of thousands of transactions; then a peer that has them starts again, and one that has lost them catches up;
then as many keys as make a million. The cost of a transaction and the memory of every process, all along.
"""

import asyncio
import contextlib
import json
import shutil
import time
from collections import Counter
from statistics import median

import click
import uvloop

from bench.counters import height_of
from bench.display import Display
from bench.flows import flows_of
from bench.load import Load, run
from bench.measuring import Figures, apply
from bench.meter import Tally
from bench.networks import network_of, peers_agree
from bench.workloads import FILL, FILLED_KEYS, WORKLOADS
from deploy.manifest import NodeEntry
from deploy.topology import load_topology
from services.client.network.processes import Processes
from services.peer.layout import LEDGERS
from services.runtime.process import settle_memory

_IN_FLIGHT, _FILLS_IN_FLIGHT = 600, 20
_FILL_SECONDS = 1.0  # between two looks at how many keys there are
_ROW = ("tps", "p50_ms", "p99_ms", "failures", "cpu_us_per_tx", "resident_mb")
_START_SECONDS_MAX = 600.0
_LOOK_INTERVAL_S = 0.25  # a peer that shows its metrics commits nothing meanwhile


@click.command()
@click.option("--transactions", default=200_000, type=click.IntRange(min=1), show_default=True)
@click.option(
    "--keys",
    default=1_000_000,
    type=click.IntRange(min=0),
    show_default=True,
    help="At least, of the ledger that is filled up.",
)
@click.option("--portion", default=20.0, type=click.FloatRange(1), show_default=True, help="Seconds of load per row.")
def main(transactions: int, keys: int, portion: float) -> None:
    """Grow a ledger, start a peer with it again, and let one that is empty catch up."""
    settle_memory()
    print(json.dumps(uvloop.run(endure(transactions, keys, portion, Display()))))


async def endure(transactions: int, keys: int, portion_s: float, display: Display) -> Figures:
    """The figures of one network's life."""
    rows: list[Figures] = []
    async with network_of(load_topology(WORKLOADS["yardstick"].topology)) as processes:
        written = await _grow(processes, rows, Load(portion_s, _IN_FLIGHT), transactions, display)
        agree = await peers_agree(processes)
        live_tps = median(row["tps"] for row in rows)
        peer, other = (node for node in processes.network.nodes if node.role == "peer")
        display.says(f"starting {peer.name} again, with {written} transactions")
        restart_s = await _start_again(processes, peer)
        display.says(f"starting {peer.name} without its ledger")
        catch_up_s = await _catch_up(processes, peer, other)
        filled = await _fill(processes, keys - written, display)
        # Half as many once more: when the first of them come, LevelDB is still sorting what was filled in.
        await _grow(processes, rows, Load(portion_s, _IN_FLIGHT), transactions // 2, display, present=written + filled)
        agree &= await peers_agree(processes)
    return {
        "transactions": written,
        "keys": written + filled,
        "cpu_us_per_tx": {"first": _cost(rows[0]), "last": _cost(rows[-1])},
        "resident_mb": {"first": rows[0]["resident_mb"], "last": rows[-1]["resident_mb"]},
        "restart_s": round(restart_s, 2),
        "catch_up_s": round(catch_up_s, 2),
        "catch_up_tps": round(written / catch_up_s),
        "live_tps": live_tps,
        "catch_up_of_live": round(written / catch_up_s / max(live_tps, 0.1), 2),
        "failures": dict(sum((Counter(row["failures"]) for row in rows), Counter())),
        "peers_agree": agree,
        "rows": rows,
    }


async def _grow(
    processes: Processes, rows: list[Figures], load: Load, transactions: int, display: Display, present: int = 0
) -> int:
    """So many transactions at least, with a row of figures for each portion of the load; how many there were."""
    committed = 0
    async with flows_of(WORKLOADS["yardstick"], processes.network, "batch") as flows:
        while committed < transactions:
            keys = present + committed
            figures = await apply(flows, load, processes, f"with {keys} keys", display)
            rows.append({"keys": keys} | {name: figures[name] for name in _ROW})
            committed += figures["committed"]
            if not figures["committed"]:
                raise click.ClickException(f"nothing is committed any more: {figures['failures']}")
    return committed


async def _fill(processes: Processes, keys: int, display: Display) -> int:
    """Write so many keys at least, many in a transaction; how many there were."""
    tally = Tally()
    async with flows_of(FILL, processes.network, "batch") as flows:
        while tally.succeeded * FILLED_KEYS < keys:
            display.says(f"writing keys: {tally.succeeded * FILLED_KEYS} of {keys}")
            await run(flows.attempt, Load(_FILL_SECONDS, _FILLS_IN_FLIGHT), tally)
    return tally.succeeded * FILLED_KEYS


async def _start_again(processes: Processes, peer: NodeEntry) -> float:
    """Seconds from the start of a peer's process until it serves."""
    processes.stop([peer.name])
    start = time.perf_counter()
    processes.start([peer.name])
    await processes.ready(_START_SECONDS_MAX)
    return time.perf_counter() - start


async def _catch_up(processes: Processes, peer: NodeEntry, other: NodeEntry) -> float:
    """Seconds from the start of a peer without blocks until it has as many as another."""
    processes.stop([peer.name])
    shutil.rmtree(processes.network.path(peer.data) / LEDGERS)
    start = time.perf_counter()
    processes.start([peer.name])
    height = await height_of(other)
    async with asyncio.timeout(_START_SECONDS_MAX):
        while await height_of(peer) < height:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(_LOOK_INTERVAL_S)
    return time.perf_counter() - start


def _cost(row: Figures) -> int:
    total: int = sum(row["cpu_us_per_tx"].values())
    return total


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
