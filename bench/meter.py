"""What a run of load did: latencies, failures, and the processor time that each process spent."""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil


@dataclass(slots=True)
class Tally:
    """Counts of one run. Latencies are in seconds, from the call to its verdict."""

    latencies_s: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    retryable: int = 0  # failures that say that the same call can succeed later
    succeeded: int = 0
    in_time: int = 0  # successes within the load's duration

    def percentile_ms(self, percent: float) -> float | None:
        """Nearest-rank percentile of the latencies in milliseconds; None when nothing succeeded."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)] * 1000, 1)


class CpuMeter:
    """Processor time of named processes from now on: all threads of each, no children; and of the whole machine."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._start = self._read()
        self._machine = _Machine.read()

    def spent_s(self) -> dict[str, float]:
        """Seconds of user and system time since the meter was made."""
        return {name: now - self._start[name] for name, now in self._read().items()}

    def cores_busy(self) -> dict[str, float]:
        """How many cores were busy since then: with these processes, with others, and not ours to use at all.

        A measurement in which others were busy says little.
        """
        own, now = sum(self.spent_s().values()), _Machine.read()
        elapsed = max(now.at - self._machine.at, 1e-9)
        others = max(0.0, now.busy_s - self._machine.busy_s - own)
        busy = {"measured": own, "others": others, "stolen": now.stolen_s - self._machine.stolen_s}
        return {whose: round(seconds / elapsed, 2) for whose, seconds in busy.items()}

    def _read(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: t.user + t.system for name, t in times.items()}

    def resident_mb(self) -> dict[str, float]:
        """Resident memory of each process now, in megabytes."""
        return {name: round(process.memory_info().rss / 1e6, 1) for name, process in self._processes.items()}


@dataclass(frozen=True, slots=True)
class _Machine:
    """Seconds that all cores had been busy at a moment, and that a hypervisor had given to somebody else."""

    at: float
    busy_s: float
    stolen_s: float

    @classmethod
    def read(cls) -> "_Machine":
        times = psutil.cpu_times()._asdict()
        stolen = times.get("steal", 0.0)
        counted_twice = ("guest", "guest_nice")  # in user and nice
        idle = ("idle", "iowait", "steal", *counted_twice)
        return cls(time.monotonic(), sum(spent for name, spent in times.items() if name not in idle), stolen)
