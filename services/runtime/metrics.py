"""Counters, gauges and histograms of prometheus_client, exposed under exactly the names they are given.

Fabric's counters carry no `_total`, which the client library appends when it writes them down; existing dashboards want
them as they are, so the page is written here.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Metric, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.samples import Sample

__all__ = ["CONTENT_TYPE", "DEFAULT_BUCKETS", "Counter", "Family", "Gauge", "Histogram", "Registry"]

DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # Prometheus', in seconds
_PROCESS = "process_"  # names of the library's own, which are as they should be


class Counter(prometheus_client.Counter):
    """One that counts only; `Family` sees that it is no parent, which the library's asks each time."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """See the library's; exemplars are not kept."""
        self._value.inc(amount)


class Histogram(prometheus_client.Histogram):
    """The same for observations."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """See the library's; exemplars are not kept."""
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Many at once: each figure is locked once for all of them."""
        self._sum.inc(sum(amounts))
        places = [bisect_left(self._upper_bounds, amount) for amount in amounts]
        for place in set(places):
            self._buckets[place].inc(places.count(place))


MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)


class Family(Generic[MetricT]):
    """Metrics of one name, one for each combination of label values."""

    def __init__(self, parent: MetricT, labels: Sequence[str]) -> None:
        self._parent: MetricT = parent
        self._members: dict[tuple[str, ...], MetricT] = {} if labels else {(): parent}

    def of(self, *values: str) -> MetricT:
        """The metric with these label values, in the order of the labels. A series appears with its first use."""
        try:
            return self._members[values]
        except KeyError:
            return self._members.setdefault(values, self._parent.labels(*values))


class Registry:
    """All metrics of a process, its own processor time and memory among them."""

    def __init__(self) -> None:
        self._collectors = CollectorRegistry()
        ProcessCollector(registry=self._collectors)

    def counter(self, name: str, about: str, labels: Sequence[str] = ()) -> Family[Counter]:
        """A family of counters. Raises ValueError for a name that is taken."""
        return Family(Counter(name, about, labels, registry=self._collectors), labels)

    def gauge(self, name: str, about: str, labels: Sequence[str] = ()) -> Family[Gauge]:
        """A family of gauges."""
        return Family(Gauge(name, about, labels, registry=self._collectors), labels)

    def histogram(
        self, name: str, about: str, labels: Sequence[str] = (), buckets: Sequence[float] = DEFAULT_BUCKETS
    ) -> Family[Histogram]:
        """A family of histograms."""
        return Family(Histogram(name, about, labels, buckets=buckets, registry=self._collectors), labels)

    def render(self) -> str:
        """The page that Prometheus reads."""
        metrics = sorted(self._collectors.collect(), key=lambda metric: metric.name)
        return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
    if not samples:
        return
    name = _name(metric.name, samples[0]) if metric.type == "counter" else metric.name
    yield f"# HELP {name} {_escaped(metric.documentation)}"
    yield f"# TYPE {name} {metric.type}"
    for sample in samples:
        labels = ",".join(f'{label}="{_quoted(label, value)}"' for label, value in sample.labels.items())
        own = name if metric.type == "counter" else sample.name
        yield f"{own}{{{labels}}} {_number(sample.value)}" if labels else f"{own} {_number(sample.value)}"


def _name(name: str, sample: Sample) -> str:
    return sample.name if name.startswith(_PROCESS) else name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(label: str, value: str) -> str:
    if label == "le" and value != "+Inf":
        return _number(float(value))  # a bound of a histogram, as Go writes it
    return _escaped(value).replace('"', '\\"')
