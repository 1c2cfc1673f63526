"""Fabric's metrics of chaincode (core/chaincode metrics.go), under Fabric's names."""

from services.runtime.metrics import Counter, Histogram, Registry


class ChaincodeMetrics:
    """The chaincode_* families. `chaincode` is the id that runs: `<name>:<version>`, or `<name>.syscc`."""

    def __init__(self, registry: Registry) -> None:
        shim = ("type", "channel", "chaincode")
        self.launch_duration = registry.histogram(
            "chaincode_launch_duration", "The time to launch a chaincode.", ("chaincode", "success")
        )
        self.launch_failures = registry.counter(
            "chaincode_launch_failures", "The number of chaincode launches that have failed.", ("chaincode",)
        )
        self.requests_received = registry.counter(
            "chaincode_shim_requests_received", "The number of chaincode shim requests received.", shim
        )
        self.requests_completed = registry.counter(
            "chaincode_shim_requests_completed",
            "The number of chaincode shim requests completed.",
            (*shim, "success"),
        )
        self.request_duration = registry.histogram(
            "chaincode_shim_request_duration", "The time to complete chaincode shim requests.", (*shim, "success")
        )
        self.execute_timeouts = registry.counter(
            "chaincode_execute_timeouts",
            "The number of chaincode executions (Init or Invoke) that have timed out.",
            ("chaincode",),
        )
        self._requests: dict[tuple[str, str], ShimRequests] = {}

    def requests(self, channel_id: str, chaincode: str) -> "ShimRequests":
        """The counters of one chaincode on one channel."""
        found = self._requests.get((channel_id, chaincode))
        if found is None:
            found = self._requests.setdefault((channel_id, chaincode), ShimRequests(self, channel_id, chaincode))
        return found


class ShimRequests:
    """Counts one chaincode's requests on one channel; the series are looked up once."""

    def __init__(self, metrics: ChaincodeMetrics, channel_id: str, chaincode: str) -> None:
        self._metrics = metrics
        self._labels = channel_id, chaincode
        self._served: dict[str, _Series] = {}
        self._failed: dict[str, _Series] = {}

    def served(self, kind: str, seconds: float) -> None:
        """One request was answered."""
        _count(self._served.get(kind) or self._make(self._served, kind, "true"), seconds)

    def failed(self, kind: str, seconds: float) -> None:
        """One request was answered with an error."""
        _count(self._failed.get(kind) or self._make(self._failed, kind, "false"), seconds)

    def _make(self, series: "dict[str, _Series]", kind: str, success: str) -> "_Series":
        labels = (kind, *self._labels)
        made = (
            self._metrics.requests_received.of(*labels),
            self._metrics.requests_completed.of(*labels, success),
            self._metrics.request_duration.of(*labels, success),
        )
        return series.setdefault(kind, made)


_Series = tuple[Counter, Counter, Histogram]  # received, completed, how long it took


def _count(series: _Series, seconds: float) -> None:
    received, completed, duration = series
    received.inc()
    completed.inc()
    duration.observe(seconds)
