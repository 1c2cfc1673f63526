"""Feeds targets, one input after the other: bounds the time and the memory of each, keeps those that break a promise.

An input follows from seed, target and number alone, so that a run can be repeated, split, or begun in the middle.
"""

import logging
import random
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from tests.fuzz.messages import parts
from tests.fuzz.mutate import Mutator
from tests.fuzz.oracle import Broken, Listener

SECONDS_MAX = 5.0  # of the processor, for one input: a machine that others use too makes nothing slow
WAITING_FACTOR = 12  # and so many times as long by the clock, for what waits and does not work
GROWTH_MAX = 96 * 1024 * 1024  # bytes by which one input may raise the process's highest memory
WARM_UP = 20  # inputs of a target before its memory counts: caches, metrics and code come first
_KIB = 1024
_STATUS = Path("/proc/self/status")


class Target(Protocol):
    """Something that is fed. `feed` raises whatever should not have happened; what it returns is only counted."""

    name: str

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        """An input."""

    def feed(self, raw: bytes) -> str:
        """What became of an input, in a word. Must not depend on what was fed before."""


class TooSlow(BaseException):
    """An input took longer than SECONDS_MAX. No Exception: nobody takes it for an error of his own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that broke a promise."""

    target: str
    number: int
    raw: bytes = field(repr=False)
    why: str

    def save(self, folder: Path, seed: int) -> Path:
        """Keep the input, in a file that `--replay` takes: the target's name, a line feed, the input."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.target}-{seed}-{self.number}.input"
        path.write_bytes(self.target.encode() + b"\n" + self.raw)
        path.with_suffix(".txt").write_text(self.why)
        return path


@dataclass(slots=True)
class Report:
    """What a run came to."""

    inputs: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, target: str, seconds: float, outcome: str) -> None:
        self.inputs[target] += 1
        self.seconds[target] += seconds  # type: ignore[assignment] # a counter of seconds
        self.outcomes.setdefault(target, Counter())[outcome] += 1


def resident_bytes() -> int:
    """Memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def highest_bytes() -> int:
    """The most memory that this process had since `forget_highest`."""
    status = _STATUS.read_bytes()
    start = status.index(b"VmHWM:") + len(b"VmHWM:")
    return int(status[start : status.index(b"kB", start)]) * _KIB


def forget_highest() -> None:
    """Begin anew: proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def time_bound(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the body when it takes longer, and again each second: some code swallows what is raised."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {seconds:g} s")

    kinds = (
        (signal.SIGPROF, signal.ITIMER_PROF, seconds),
        (signal.SIGALRM, signal.ITIMER_REAL, WAITING_FACTOR * seconds),
    )
    before = [(number, signal.signal(number, ring)) for number, _, _ in kinds]
    try:
        for _, timer, bound in kinds:
            signal.setitimer(timer, bound, min(bound, 1.0))
        yield
    finally:
        for _, timer, _ in kinds:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)


class Runner:
    """Runs targets from one seed."""

    def __init__(
        self,
        targets: Sequence[Target],
        seed: int,
        *,
        seconds_max: float = SECONDS_MAX,
        found: Callable[[Finding], None] = lambda _finding: None,
    ) -> None:
        """`found` is told of each finding at once."""
        self.targets = {target.name: target for target in targets}
        self.report = Report()
        self._seed = seed
        self._seconds_max = seconds_max
        self._found = found
        self._donors = parts()
        self._listener = Listener()
        self._highest = 0

    def make(self, target: Target, number: int) -> bytes:
        """Input `number` of a target."""
        chance = random.Random(f"{self._seed}/{target.name}/{number}")
        return target.make(chance, Mutator(chance, self._donors))

    def run(self, inputs: int, first: int = 0, progress: Callable[[int], None] | None = None) -> Report:
        """So many inputs. Each target gets as much time as any other; one bad input does not end the run."""
        spent = dict.fromkeys(self.targets, 0.0)
        with self._listening():
            for done in range(1, inputs + 1):
                name = min(spent, key=spent.__getitem__)
                started = time.process_time()
                self._one(self.targets[name], first + self.report.inputs[name])
                spent[name] += time.process_time() - started
                if progress is not None:
                    progress(done)
        return self.report

    def replay(self, name: str, raw: bytes) -> Finding | None:
        """Feed one input again."""
        with self._listening():
            return self._fed(self.targets[name], -1, raw)

    def close(self) -> None:
        """End what targets have running: those that have anything have a `close`."""
        for target in self.targets.values():
            getattr(target, "close", lambda: None)()

    def _one(self, target: Target, number: int) -> None:
        raw = self.make(target, number)
        finding = self._fed(target, number, raw)
        if finding is not None:
            self.report.findings.append(finding)
            self._found(finding)

    def _fed(self, target: Target, number: int, raw: bytes) -> Finding | None:
        started = time.perf_counter()
        outcome, why = "broken", None
        try:
            with time_bound(self._seconds_max):
                outcome = target.feed(raw)
            self._listener.check()
        except TooSlow as slow:
            why = f"{slow}\n{traceback.format_exc()}"
        except Broken as broken:
            why = str(broken)
        except (Exception, SystemExit):  # anything else that came out of the code under test is what we look for
            why = traceback.format_exc()
        self._listener.records.clear()
        highest = highest_bytes()
        grown, self._highest = highest - self._highest, highest
        if why is None and grown > GROWTH_MAX and self.report.inputs[target.name] >= WARM_UP:
            why = f"took {grown >> 20} MiB of memory"
        self.report.add(target.name, time.perf_counter() - started, outcome)
        return None if why is None else Finding(target.name, number, raw, why)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        logger = logging.getLogger()
        level = logger.level
        logger.addHandler(self._listener)
        logger.setLevel(logging.INFO)
        forget_highest()
        self._highest = highest_bytes()
        try:
            yield
        finally:
            logger.removeHandler(self._listener)
            logger.setLevel(level)
