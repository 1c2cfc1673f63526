"""privy-orderer: the process around an ordering node."""

import asyncio
import logging
from importlib.metadata import version
from pathlib import Path

from services.orderer.channels import read_genesis
from services.orderer.config import OrdererConfig, load
from services.orderer.metrics import OrdererMetrics
from services.orderer.node import Orderer
from services.runtime.command import role_command
from services.runtime.config import ConfigError
from services.runtime.logs import Logs
from services.runtime.metrics import Registry
from services.runtime.operations import Operations, standard_routes

_log = logging.getLogger(__name__)


async def serve(config: OrdererConfig, stop: asyncio.Event) -> None:
    """Run an orderer until `stop` is set; then answer what was asked, cut what is pending, and return."""
    registry = Registry()
    logs = Logs(config.log_spec, as_json=config.log_as_json, registry=registry)
    for key in config.unused_keys:
        _log.warning("this setting means nothing here", extra={"key": key})
    metrics = OrdererMetrics(registry)
    metrics.version.of(version("privysharing")).set(1)
    orderer = Orderer(config, metrics, registry)
    await orderer.open(read_genesis(path) for path in _genesis_files(config.genesis))
    checks = {"ordering": orderer.illness, "disk": orderer.space.illness}
    routes = standard_routes(registry, logs, version("privysharing"), checks)
    if not config.metrics:
        del routes["/metrics"]
    operations = Operations(config.operations, routes, config.operations_tls)
    try:
        operations.start()
        await orderer.run(stop)
    finally:
        await asyncio.to_thread(operations.stop)


def _genesis_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise ConfigError(f"privysharing.Genesis: {folder} is not a folder")
    return sorted(folder.glob("*.block"))


main = role_command(
    "Run an ordering node: it takes envelopes, puts them in one order per channel, and serves signed blocks.",
    "orderer.yaml. Every key can be overridden from the environment: ORDERER_GENERAL_LISTENPORT=7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
