"""More than a network can take: does it go on at its pace, say no clearly, and recover at once?"""

from collections.abc import Mapping
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
    """One network under a load, under `TIMES` as much for three times as long, and under the first again.

    Then the first on a new network: what the machine has to give by now, whatever it gave before.
    """
    much = replace(load, in_flight=TIMES * load.in_flight, duration_s=3 * load.duration_s)
    phases = {"before": load, "overload": much, "after": load}
    figures, agree = await _on_a_network(phases, transport, shape, display)
    new, new_agree = await _on_a_network({"new": load}, transport, shape, display)
    figures |= new
    return figures | {
        "peers_agree": agree and new_agree,
        "transport": transport,
        "of_peak": _quotient(figures, "overload", "before"),
        "recovered": _quotient(figures, "after", "before"),
        "recovered_of_new": _quotient(figures, "after", "new"),
    }


def _quotient(figures: Figures, name: str, of: str) -> float:
    return float(round(figures[name]["tps"] / max(0.1, figures[of]["tps"]), 3))


async def _on_a_network(
    phases: Mapping[str, Load], transport: Transport, shape: Shape, display: Display
) -> tuple[Figures, bool]:
    """The figures of each load, one after the other, and whether all peers agree at the end."""
    workload = WORKLOADS["yardstick"]
    figures: Figures = {}
    async with network_of(shape.of(workload.topology)) as processes:
        async with flows_of(workload, processes.network, transport) as flows:
            for name, phase in phases.items():
                figures[name] = await apply(flows, phase, processes, name, display)
        return figures, await peers_agree(processes)
