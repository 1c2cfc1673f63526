"""What endorsing runs on: threads, and a guard that ends the contracts in them that do not end by themselves."""

from collections.abc import Callable
from typing import Protocol

from services.peer.chaincode_host.guard import ExecutionGuard, Guard
from services.peer.chaincode_host.host import ChaincodeConfig
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.endorsement.workers import EndorsementWorkers, Process, Workers, WorkersConfig


class Hosting(Protocol):
    """What one peer endorses on."""

    @property
    def guard(self) -> Guard:
        """Runs contracts."""
        ...

    def workers(self, process: Process) -> Workers:
        """Runs `process` for each proposal."""
        ...

    def close(self) -> None:
        """After the workers have been closed."""
        ...


MakeHosting = Callable[[ChaincodeConfig, WorkersConfig], Hosting]


class ThreadHosting:
    """Threads of this process."""

    def __init__(self, chaincode: ChaincodeConfig, workers: WorkersConfig) -> None:
        self._watchdog = Watchdog()
        self._config = workers
        self.guard = ExecutionGuard(self._watchdog, chaincode.execute_timeout_s, chaincode.memory_growth_max)

    def workers(self, process: Process) -> EndorsementWorkers:
        """See `Hosting.workers`."""
        return EndorsementWorkers(process, self._watchdog, self._config)

    def close(self) -> None:
        """See `Hosting.close`."""
        self._watchdog.close()
