"""What a process tells of itself: its logs, its figures, and on the operations port whether it is well."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

from cryptography import x509

from services.runtime.config import Address
from services.runtime.logs import Logs, LogSpec
from services.runtime.metrics import Registry
from services.runtime.operations import HealthCheck, Operations, OperationsTls, standard_routes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportingConfig:
    """To whom, and in which form."""

    operations: Address = Address("127.0.0.1", 0)
    operations_tls: OperationsTls | None = None
    metrics: bool = True
    log_spec: LogSpec = LogSpec.parse("info")
    log_as_json: bool = False
    unused_keys: tuple[str, ...] = ()  # of the configuration: worth a warning each


class Reporting:
    """Logs from the beginning, and answers on the operations port when there is something to answer."""

    def __init__(self, config: ReportingConfig) -> None:
        self.registry = Registry()
        self._config = config
        self._logs = Logs(config.log_spec, as_json=config.log_as_json, registry=self.registry)
        self._version = version("privysharing")
        for key in config.unused_keys:
            _log.warning("this setting means nothing here", extra={"key": key})
        active = self.registry.gauge("fabric_version", "The active version of Fabric.", ["version"])
        active.of(self._version).set(1)
        clock = self.registry.gauge(
            "privysharing_clock_timestamp_seconds", "This node's clock, at the moment it is asked."
        )
        clock.of().set_function(time.time)

    def certificates(self, **chains: bytes | None) -> None:
        """Tell until when the certificates are valid that this process shows: PEM chains by their use, if there are."""
        ends = self.registry.gauge(
            "privysharing_certificate_expiry_timestamp_seconds",
            "When the first certificate of a chain expires that this node shows.",
            ["certificate"],
        )
        for use, chain in chains.items():
            try:
                read = x509.load_pem_x509_certificates(chain or b"")
            except ValueError:
                continue  # there is none, or whoever needs it says what is wrong with it
            ends.of(use).set(min(each.not_valid_after_utc for each in read).timestamp())

    @asynccontextmanager
    async def answering(self, checks: Mapping[str, HealthCheck]) -> AsyncIterator[None]:
        """Answer for the length of the block; `checks` by component. Raises ConfigError."""
        healthy = self.registry.gauge(
            "privysharing_component_healthy",
            "1 while /healthz finds nothing wrong with a component, else 0.",
            ["component"],
        )
        for component, check in checks.items():
            healthy.of(component).set_function(_one_if_well(check))
        routes = standard_routes(self.registry, self._logs, self._version, checks)
        if not self._config.metrics:
            del routes["/metrics"]
        operations = Operations(self._config.operations, routes, self._config.operations_tls)
        operations.start()
        try:
            yield
        finally:
            await asyncio.to_thread(operations.stop)


def _one_if_well(check: HealthCheck) -> Callable[[], float]:
    return lambda: 1 if check() is None else 0
