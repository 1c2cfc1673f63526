"""Seed after seed, until the judges object to a mutant."""

import logging
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final

from tests.simulation.bringing_up import brought_up
from tests.simulation.mutants.catalogue import MUTANTS
from tests.simulation.plan import Plan
from tests.simulation.storm import DAY_SECONDS, scene_of, weather

CPU_S_MAX: Final = 60  # of one run: code that is broken need not end


@dataclass(frozen=True, slots=True)
class Hunt:
    """How it went with one mutant. `fault`: the first objection; empty when there was none."""

    mutant: str
    seeds: int
    cpu_s: float
    fault: str


class DoesNotEnd(BaseException):
    """A run takes too long."""


def hunt_all(names: Sequence[str], seeds: Sequence[int], jobs: int) -> Iterator[Hunt]:
    """Hunt each with these seeds, so many at a time."""
    logging.disable()
    _get_ready(seeds)
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(_hunt, [(name, tuple(seeds)) for name in names], chunksize=1)


def _get_ready(seeds: Sequence[int]) -> None:
    """Bring up, by honest code, whatever these seeds begin with: the hunters inherit it."""
    for plan in map(Plan.of, seeds):
        brought_up(scene_of(plan), DAY_SECONDS)


def _hunt(task: tuple[str, Sequence[int]]) -> Hunt:
    name, seeds = task
    began = time.process_time()
    signal.signal(signal.SIGPROF, _give_up)
    with MUTANTS[name].applied():
        for count, seed in enumerate(seeds, 1):
            if fault := _fault_of(seed):
                return Hunt(name, count, time.process_time() - began, f"seed {seed}: {fault}")
    return Hunt(name, len(seeds), time.process_time() - began, "")


def _fault_of(seed: int) -> str:
    signal.setitimer(signal.ITIMER_PROF, CPU_S_MAX)
    try:
        faults = weather(seed).faults
    except DoesNotEnd:
        return f"it does not end within {CPU_S_MAX} s"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return faults[0].strip().splitlines()[-1] if faults else ""


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise DoesNotEnd
