"""One run: a network of its own, a load on it, and the figures that come of it."""

import asyncio
import os
from statistics import mean
from typing import Any

import psutil

from bench.counters import counted, items_per_message, pages_of, transactions_per_block
from bench.display import Display
from bench.floor import crypto_floor_tps
from bench.flows import Flows, flows_of
from bench.load import Load, run
from bench.meter import CpuMeter, Tally
from bench.networks import Shape, network_of, peers_agree
from bench.profiling.sampling import Sampler
from bench.workloads import Workload
from privysharing.sdk import Transport
from services.client.network.processes import Processes

Figures = dict[str, Any]  # by name, as they go into JSON

CLIENT = "client"


async def measure(
    workload: Workload,
    load: Load,
    transport: Transport,
    shape: Shape,
    display: Display,
    sampler: Sampler | None = None,
) -> Figures:
    """The figures of one run. A sampler, which costs time itself, sees where the processes spend theirs."""
    display.says("measuring what cryptography alone allows, and starting a network")
    topology = shape.of(workload.topology)
    everybody = topology.peers
    endorsers, peers = sum(peer.endorses for peer in everybody), len(everybody)
    work = workload.crypto_work(endorsers, peers)
    floors = [await asyncio.to_thread(crypto_floor_tps, work)]
    async with network_of(topology) as processes:
        async with flows_of(workload, processes.network, transport) as flows:
            figures = await apply(flows, load, processes, workload.about, display, sampler)
        figures["peers_agree"] = await peers_agree(processes)
    floors.append(await asyncio.to_thread(crypto_floor_tps, work))  # the machine may have become another meanwhile
    floor = mean(floors)
    with_tables = await asyncio.to_thread(crypto_floor_tps, work, with_tables=True)
    return figures | {
        "crypto_floor_tps": round(floor),
        "crypto_floors_tps": {
            "before": round(floors[0]),
            "after": round(floors[1]),
            "with_tables": round(with_tables),
        },
        "ratio_to_floor": round(figures["tps"] / floor, 3),
        "transport": transport,
        "cores": len(os.sched_getaffinity(0)),
        "memory_total_gb": round(psutil.virtual_memory().total / 1e9),
        "endorsers": endorsers,
        "peers": peers,
    }


async def apply(
    flows: Flows, load: Load, processes: Processes, about: str, display: Display, sampler: Sampler | None = None
) -> Figures:
    """Apply a load to a network that runs. Processor time and the nodes' own counts are those of the duration."""
    tally = Tally()
    pids = processes.pids() | {CLIENT: os.getpid()}
    async with display.bar(about, load, tally), asyncio.TaskGroup() as group:
        group.create_task(run(flows.attempt, load, tally))
        await asyncio.sleep(load.warmup_s)
        before, cpu = await pages_of(processes.network), CpuMeter(pids)
        if sampler is not None:
            python = [*(node.name for node in processes.network.nodes), CLIENT]
            group.create_task(sampler.sample({name: pids[name] for name in python}, load.duration_s))
        await asyncio.sleep(load.duration_s)
        spent, resident, busy = cpu.spent_s(), cpu.resident_mb(), cpu.cores_busy()
        after = await pages_of(processes.network)
    counts = counted(after) - counted(before)
    done = max(1, tally.in_time)
    return {
        "tps": round(tally.in_time / load.duration_s, 1),
        "p50_ms": tally.percentile_ms(50),
        "p95_ms": tally.percentile_ms(95),
        "p99_ms": tally.percentile_ms(99),
        "failures": dict(tally.failures),
        "failures_retryable": tally.retryable,
        "committed": tally.succeeded,
        "cpu_us_per_tx": {process: round(seconds / done * 1e6) for process, seconds in spent.items()},
        "cores_busy": busy,
        "resident_mb": resident,
        "transactions_per_block": transactions_per_block(counts),
        "items_per_message": items_per_message(counts),
        "in_flight": None if load.rate else load.in_flight,
        "rate": load.rate,
        "duration_s": load.duration_s,
    }
