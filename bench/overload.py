"""More than a network can take: does it go on at its pace, say no clearly, and recover at once?"""

from dataclasses import replace

from bench.display import Display
from bench.flows import flows_of
from bench.load import Load
from bench.measuring import Figures, apply
from bench.networks import Shape, network_of, peers_agree
from bench.workloads import WORKLOADS
from privysharing.sdk import Transport

TIMES = 5  # as many calls in flight as at the peak


async def measure(load: Load, transport: Transport, shape: Shape, display: Display) -> Figures:
    """The same network under a load, under `TIMES` as much for three times as long, and under the first again."""
    workload = WORKLOADS["yardstick"]
    much = replace(load, in_flight=TIMES * load.in_flight, duration_s=3 * load.duration_s)
    phases = {"before": load, "overload": much, "after": load}
    figures: Figures = {}
    async with network_of(shape.of(workload.topology)) as processes:
        async with flows_of(workload, processes.network, transport) as flows:
            for name, phase in phases.items():
                figures[name] = await apply(flows, phase, processes, name, display)
        figures["peers_agree"] = await peers_agree(processes)
    return figures | {
        "transport": transport,
        "of_peak": round(figures["overload"]["tps"] / max(0.1, figures["before"]["tps"]), 3),
        "recovered": round(figures["after"]["tps"] / max(0.1, figures["before"]["tps"]), 3),
    }
