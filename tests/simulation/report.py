"""What many runs met, taken together: a fault that no run ever met has shown nothing."""

import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation import lying_clients, lying_endorsers, lying_fellows, lying_orderers
from tests.simulation.faults import MISFORTUNES
from tests.simulation.storm import Run, weather
from tests.simulation.two_stories import ITS_CHILD, TWIN

SMALLEST_COMPLETE = 1000  # runs among which every fault and boundary must have been met
# Where a disk's changes can be interrupted, and what of that is told apart; beginnings of `MemoryDisk` labels.
BOUNDARIES = tuple(
    f"{how} at {deed}"
    for how in ("crash", "power loss")
    for deed in (
        "append /data/ledgersData/health/blocks",
        "sync /data/ledgersData/health/blocks",
        "write database /data/ledgersData/health/state",
        "append /data/logs/health",
        "sync /data/logs/health",
        "append /data/chains/health",
    )
)
LIES = (
    *(f"{lying_clients.LIAR}: {lie}" for lie in lying_clients.LIES),
    *(f"{lying_endorsers.LIAR}: {lie}" for lie in lying_endorsers.LIES),
    *(f"{lying_fellows.LIAR}: {lie}" for lie in lying_fellows.LIES),
    *(f"{lying_orderers.LIAR}: {lie}" for lie in (*lying_orderers.LIES, TWIN, ITS_CHILD)),
)


def many(seeds: Iterable[int], jobs: int) -> Iterator[Run]:
    """Runs of these seeds as they end, so many processes at a time."""
    with multiprocessing.get_context("spawn").Pool(jobs, logging.disable) as pool:
        yield from pool.imap_unordered(weather, seeds)


@dataclass(slots=True)
class Report:
    """Sums over runs."""

    runs: int = 0
    operations: int = 0
    acknowledged: int = 0
    committed: int = 0
    virtual_s: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)  # seeds

    def add(self, run: Run) -> None:
        """One more."""
        self.runs += 1
        self.operations += run.operations
        self.acknowledged += run.acknowledged
        self.committed += run.committed
        self.virtual_s += run.virtual_s
        self.met += run.met
        if run.faults:
            self.failed.append(run.plan.seed)

    def never_met(self) -> list[str]:
        """What no run has shown anything about."""
        names = [misfortune.__name__ for misfortune in dict.fromkeys(MISFORTUNES)]
        wanted: Iterable[str] = (*names, *BOUNDARIES, *LIES)
        return [name for name in wanted if not any(found.startswith(name) for found in self.met)]
