"""One workload beside another, in turn on the same network: what it costs more, on a machine that is never the same."""

from bench import summary
from bench.display import Display
from bench.flows import flows_of
from bench.load import Load
from bench.measuring import Figures, apply
from bench.networks import Shape, network_of, peers_agree
from bench.workloads import WORKLOADS
from privysharing.sdk import Transport

TURNS = 2


async def measure(name: str, load: Load, transport: Transport, shape: Shape, display: Display) -> Figures:
    """A workload's figures, those of the one that it is measured beside, and how much more processor time it takes."""
    workload = WORKLOADS[name]
    names = (workload.beside, name)
    turns: dict[str, list[Figures]] = {each: [] for each in names}
    async with network_of(shape.of(workload.topology)) as processes:
        for _ in range(TURNS):
            for each in names:
                async with flows_of(WORKLOADS[each], processes.network, transport) as flows:
                    turns[each].append(await apply(flows, load, processes, WORKLOADS[each].about, display))
        agree = await peers_agree(processes)
    other, own = (summary.of(turns[each]) for each in names)
    for figures in (other, own):
        del figures["each"]  # in a line of several runs, nobody would find his way
    return own | {
        workload.beside: other,
        f"cpu_of_{workload.beside}": round(_cpu_us(own) / max(1, _cpu_us(other)), 3),
        "peers_agree": agree,
        "transport": transport,
    }


def _cpu_us(figures: Figures) -> float:
    """Processor time of a transaction, of all processes."""
    return float(sum(figures["cpu_us_per_tx"].values()))
