"""privy-peer: the process around a peer."""

import asyncio
import logging
from importlib.metadata import version

from services.peer.channels import RecoveryStopped
from services.peer.config import PeerConfig, load
from services.peer.node import Peer
from services.runtime.command import role_command
from services.runtime.logs import Logs
from services.runtime.metrics import Registry
from services.runtime.operations import Operations, standard_routes

_log = logging.getLogger(__name__)


async def serve(config: PeerConfig, stop: asyncio.Event) -> None:
    """Run a peer until `stop` is set; then answer what was asked, store what is being stored, and return."""
    registry = Registry()
    logs = Logs(config.log_spec, as_json=config.log_as_json, registry=registry)
    for key in config.unused_keys:
        _log.warning("this setting means nothing here", extra={"key": key})
    registry.gauge("fabric_version", "The active version of Fabric.", ["version"]).of(version("privysharing")).set(1)
    peer = Peer(config, registry)
    try:
        await peer.open(stop.is_set)
        checks = {"channels": peer.illness, "disk": peer.space.illness}
        routes = standard_routes(registry, logs, version("privysharing"), checks)
        if not config.metrics:
            del routes["/metrics"]
        operations = Operations(config.operations, routes, config.operations_tls)
        operations.start()
        try:
            await peer.run(stop)
        finally:
            operations.stop()
    except RecoveryStopped:
        _log.warning("stopping before every ledger is recovered; the next start goes on")
    finally:
        await peer.close()


main = role_command(
    "Run a peer: it endorses proposals, follows its channels' orderers, and keeps their ledgers.",
    "core.yaml. Every key can be overridden from the environment: CORE_PEER_LISTENADDRESS=0.0.0.0:7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
