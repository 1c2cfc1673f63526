"""Runs a store, cuts its power in many ways, and tells which it did not survive."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.powerloss.cuts import Cut, cuts
from tests.powerloss.recording import RecordedDisk, RootedDisk
from tests.powerloss.stores import OrdererChain, PeerLedger, PrivateStoreOfChannel, Store

_MEMORY = Path("/dev/shm")
SCRATCH = _MEMORY if _MEMORY.is_dir() else None  # what a sync does is not tested here: it may as well be quick

STORES: dict[str, Callable[[], Store]] = {
    "peer ledger": PeerLedger,
    "private data": PrivateStoreOfChannel,
    "orderer": OrdererChain,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a store after a cut; None: all that was promised."""

    cut: Cut
    wrong: BaseException | None

    def __str__(self) -> str:
        return f"{self.cut.moment.label}; then {self.cut.label}: {self.wrong!r}"


def run(name: str, folder: Path, count: int, seed: int) -> Iterator[Outcome]:
    """Try so many cuts, evenly drawn from all there are."""
    store = STORES[name]()
    root = folder / "root"
    root.mkdir(parents=True)
    disk = RecordedDisk(root, folder / "copies", lambda: store.acknowledged)
    store.work(root, disk)
    every = list(cuts(disk.moments, seed))
    chosen = every if len(every) <= count else random.Random(seed).sample(every, count)
    for number, cut in enumerate(chosen):
        left = folder / "left"
        shutil.copytree(cut.moment.copy, left)
        wrong = _survives(store, left, cut)
        yield Outcome(cut, wrong)
        if wrong is None:
            shutil.rmtree(left)
        else:
            left.rename(folder / f"wrong-{number}")


def _survives(store: Store, left: Path, cut: Cut) -> BaseException | None:
    for harm in cut.harms:
        harm(left)
    try:
        store.judge(left, RootedDisk(left), cut.moment.acknowledged)
    except Exception as wrong:
        return wrong
    return None
