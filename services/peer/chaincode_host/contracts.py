"""The contracts that the peer's owner installed in this process."""

import importlib.metadata
import threading
import time
from collections.abc import Callable, Mapping

from services.peer.chaincode_host.errors import InvocationRefused
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.ports import Contract
from services.runtime.config import ConfigError

ENTRY_POINTS = "privysharing.contracts"

Launch = Callable[[], Contract]


class Contracts:
    """Contracts by chaincode name, each made at its first call: a peer that only commits loads none."""

    def __init__(self, launchers: Mapping[str, Launch]) -> None:
        self._launchers = launchers
        self._running: dict[str, Contract] = {}
        self._lock = threading.Lock()

    @classmethod
    def installed(cls, chaincodes: Mapping[str, str]) -> "Contracts":
        """From chaincode names to names of entry points of group `privysharing.contracts`. Raises ConfigError."""
        found = {entry.name: entry for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)}
        for chaincode, name in sorted(chaincodes.items()):
            if name not in found:
                installed = ", ".join(sorted(found)) or "none"
                raise ConfigError(
                    f"privysharing.contracts.{chaincode}: {name} is not an installed contract (installed: {installed})"
                )
        return cls({chaincode: _launcher(found[name]) for chaincode, name in chaincodes.items()})

    def __contains__(self, chaincode: str) -> bool:
        return chaincode in self._launchers

    def launch(self, chaincode: str, chaincode_id: str, metrics: ChaincodeMetrics) -> Contract:
        """The running contract. Raises InvocationRefused when it cannot be started."""
        running = self._running.get(chaincode)
        if running is not None:
            return running
        with self._lock:
            if chaincode not in self._running:
                self._running[chaincode] = self._start(chaincode, chaincode_id, metrics)
            return self._running[chaincode]

    def _start(self, chaincode: str, chaincode_id: str, metrics: ChaincodeMetrics) -> Contract:
        began = time.perf_counter()
        try:
            contract = self._launchers[chaincode]()
        except Exception as error:  # whatever somebody's package raises when it is imported
            metrics.launch_failures.of(chaincode_id).inc()
            metrics.launch_duration.of(chaincode_id, "false").observe(time.perf_counter() - began)
            raise InvocationRefused(f"could not launch chaincode {chaincode_id}") from error
        metrics.launch_duration.of(chaincode_id, "true").observe(time.perf_counter() - began)
        return contract


def _launcher(entry: importlib.metadata.EntryPoint) -> Launch:
    def launch() -> Contract:
        contract: Contract = entry.load()()
        return contract

    return launch
