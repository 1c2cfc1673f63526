"""Counters, gauges and histograms in Prometheus' text form, under exactly the names they are given.

Fabric's counters carry no `_total`, which the usual client library insists on; existing dashboards want them as they
are. A labelled series appears with its first use.
"""

import os
import resource
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # Prometheus', in seconds
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_STARTED = time.time()


class Counter:
    """Only ever grows."""

    kind = "counter"

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Grow."""
        self.value += amount

    def samples(self, name: str, labels: str) -> Iterator[str]:
        """Lines of the exposition."""
        yield f"{name}{_braced(labels)} {_number(self.value)}"


class Gauge:
    """A value that moves both ways."""

    kind = "gauge"

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """Replace the value."""
        self.value = value

    def add(self, amount: float) -> None:
        """Move the value."""
        self.value += amount

    def samples(self, name: str, labels: str) -> Iterator[str]:
        """Lines of the exposition."""
        yield f"{name}{_braced(labels)} {_number(self.value)}"


class Histogram:
    """How often a value fell below each bound."""

    kind = "histogram"

    def __init__(self, buckets: Sequence[float] = DEFAULT_BUCKETS) -> None:
        self._buckets = tuple(buckets)
        self._counts = [0] * (len(self._buckets) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._buckets, value)] += 1
        self._sum += value

    def samples(self, name: str, labels: str) -> Iterator[str]:
        """Lines of the exposition: cumulative buckets, sum, count."""
        comma = "," if labels else ""
        total = 0
        for bound, count in zip((*map(_number, self._buckets), "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels}{comma}le="{bound}"}} {total}'
        yield f"{name}_sum{_braced(labels)} {_number(self._sum)}"
        yield f"{name}_count{_braced(labels)} {total}"


class _Metric(Protocol):
    def samples(self, name: str, labels: str) -> Iterator[str]: ...


MetricT = TypeVar("MetricT", bound=_Metric)


class Family(Generic[MetricT]):
    """Metrics of one name, one for each combination of label values."""

    def __init__(self, name: str, about: str, labels: Sequence[str], make: Callable[[], MetricT], kind: str) -> None:
        self.name = name
        self._about = about
        self._labels = tuple(labels)
        self._make = make
        self._kind = kind
        self._members: dict[tuple[str, ...], MetricT] = {}

    def of(self, *values: str) -> MetricT:
        """The metric with these label values, in the order of the labels."""
        try:
            return self._members[values]
        except KeyError:
            assert len(values) == len(self._labels), (self.name, self._labels, values)
            return self._members.setdefault(values, self._make())

    def render(self) -> Iterator[str]:
        """Lines of the exposition; none before the first use."""
        members = list(self._members.items())
        if not members:
            return
        yield f"# HELP {self.name} {self._about}"
        yield f"# TYPE {self.name} {self._kind}"
        for values, metric in sorted(members, key=lambda item: item[0]):
            pairs = zip(self._labels, values, strict=True)
            yield from metric.samples(self.name, ",".join(f'{label}="{_escaped(value)}"' for label, value in pairs))


class _Rendered(Protocol):
    name: str

    def render(self) -> Iterator[str]: ...


class Registry:
    """All metrics of a process, by name."""

    def __init__(self) -> None:
        self._families: dict[str, _Rendered] = {}
        self._lock = threading.Lock()

    def counter(self, name: str, about: str, labels: Sequence[str] = ()) -> Family[Counter]:
        """A family of counters."""
        return self._add(Family(name, about, labels, Counter, Counter.kind))

    def gauge(self, name: str, about: str, labels: Sequence[str] = ()) -> Family[Gauge]:
        """A family of gauges."""
        return self._add(Family(name, about, labels, Gauge, Gauge.kind))

    def histogram(
        self, name: str, about: str, labels: Sequence[str] = (), buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> Family[Histogram]:
        """A family of histograms."""
        return self._add(Family(name, about, labels, lambda: Histogram(buckets), Histogram.kind))

    def render(self) -> str:
        """The page that Prometheus reads, the process' own figures included."""
        with self._lock:
            families = [self._families[name] for name in sorted(self._families)]
        lines = [line for family in families for line in family.render()]
        return "\n".join([*lines, *_process_lines()]) + "\n"

    def _add(self, family: Family[MetricT]) -> Family[MetricT]:
        with self._lock:
            if family.name in self._families:
                raise ValueError(f"metric {family.name} exists")
            self._families[family.name] = family
        return family


def _process_lines() -> Iterator[str]:
    """The process_* figures that every Prometheus client exports."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    open_files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    figures = (
        ("process_cpu_seconds_total", "counter", "CPU time used, in seconds.", usage.ru_utime + usage.ru_stime),
        ("process_open_fds", "gauge", "Open file descriptors.", open_files),
        ("process_resident_memory_bytes", "gauge", "Resident memory, in bytes.", resident),
        ("process_start_time_seconds", "gauge", "Start of the process, in seconds since the epoch.", _STARTED),
    )
    for name, kind, about, value in figures:
        yield f"# HELP {name} {about}"
        yield f"# TYPE {name} {kind}"
        yield f"{name} {_number(value)}"


def _braced(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
