"""privy-peer: the composition root."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from privysharing.protocol.msp.provider import Msp
from services.peer.access import AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.guard import ExecutionGuard
from services.peer.chaincode_host.host import ChaincodeHost
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.channel import ChannelTools
from services.peer.channels import Channels, RecoveryStopped
from services.peer.config import PeerConfig, load
from services.peer.endorsement.endorser import Endorser
from services.peer.endorsement.issued import IssuedEndorsements
from services.peer.endorsement.metrics import EndorserMetrics
from services.peer.endorsement.workers import EndorsementWorkers
from services.peer.events.delivery import Deliveries
from services.peer.metrics import DeliverMetrics, LedgerMetrics
from services.peer.orderers import OrdererConnections
from services.peer.private_data import StoredPrivateValues
from services.peer.rpc import BatchEndorserRpc, DeliverRpc, EndorserRpc
from services.peer.system_chaincodes import system_chaincodes
from services.runtime.command import role_command
from services.runtime.disk import RealDisk
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.logs import Logs
from services.runtime.metrics import Registry
from services.runtime.operations import Operations, standard_routes

HANG_UP_SECONDS = 3.0  # for what is being endorsed or delivered to end
LEDGERS = "ledgersData"  # names within peer.fileSystemPath
PRIVATE_VALUES = "privateValues"

_log = logging.getLogger(__name__)


async def serve(config: PeerConfig, stop: asyncio.Event) -> None:
    """Run a peer until `stop` is set; then answer what was asked, store what is being stored, and return."""
    registry = Registry()
    logs = Logs(config.log_spec, as_json=config.log_as_json, registry=registry)
    for key in config.unused_keys:
        _log.warning("this setting means nothing here", extra={"key": key})
    registry.gauge("fabric_version", "The active version of Fabric.", ["version"]).of(version("privysharing")).set(1)
    crypto = ThreadPoolExecutor(config.crypto_threads, "crypto")
    orderers = _orderers(config)
    issued = IssuedEndorsements()
    tools = ChannelTools(
        RealDisk(), crypto, LedgerMetrics.register(registry), orderers, config.feed, issued, config.msp.name
    )
    channels = Channels(config.location / LEDGERS, tools, config.channels)
    try:
        await channels.open(stop.is_set)
    except RecoveryStopped:
        _log.warning("stopping before every ledger is recovered; the next start goes on")
        channels.close()
        crypto.shutdown()
        return

    private_values = StoredPrivateValues(config.location / PRIVATE_VALUES)
    watchdog = Watchdog()
    endorser = _endorser(config, registry, channels, private_values, issued, watchdog)
    workers = EndorsementWorkers(endorser.process, watchdog, config.endorsement_workers)
    deliveries = Deliveries(channels.get, DeliverMetrics.register(registry), window_ns=config.seek_window_ns)
    binds = config.tls is not None and config.tls.client_auth_required
    server = grpc_server(registry, config.limits)
    endorsing, delivering = BatchEndorserRpc(workers), DeliverRpc(deliveries, binds_to_certificate=binds)
    server.add_generic_rpc_handlers((EndorserRpc(workers).handler(), endorsing.handler(), delivering.handler()))
    port = listen(server, config.listen, config.tls, "peer.listenAddress")
    routes = standard_routes(registry, logs, version("privysharing"), {"channels": channels.illness})
    if not config.metrics:
        del routes["/metrics"]
    operations = Operations(config.operations, routes, config.operations_tls)

    growing = asyncio.create_task(channels.run())
    try:
        operations.start()
        await server.start()
        _log.info("serving", extra={"address": str(config.listen), "port": port})
        await asyncio.wait((growing, asyncio.create_task(stop.wait())), return_when=asyncio.FIRST_COMPLETED)
    finally:
        growing.cancel()
        await asyncio.wait((growing,))
        endorsing.hang_up()
        channels.hang_up()
        await server.stop(HANG_UP_SECONDS)
        await asyncio.to_thread(workers.close, HANG_UP_SECONDS)
        watchdog.close()
        await orderers.close()
        channels.close()
        private_values.close()
        crypto.shutdown()
        operations.stop()
    if not growing.cancelled():
        growing.result()  # raises what ended it


def _orderers(config: PeerConfig) -> OrdererConnections:
    shown = config.client_tls
    return OrdererConnections(
        config.signer,
        tls=shown is not None,
        certificate=shown.certificate if shown else b"",
        key=shown.key if shown else b"",
    )


def _endorser(
    config: PeerConfig,
    registry: Registry,
    channels: Channels,
    private_values: StoredPrivateValues,
    issued: IssuedEndorsements,
    watchdog: Watchdog,
) -> Endorser:
    access = AccessControl(Msp(config.msp))
    host = ChaincodeHost(
        contracts=Contracts.installed(config.contracts if config.endorses else {}),
        system=system_chaincodes(channels, access, config.msp.name),
        definitions=Definitions(config.msp.name),
        channels=channels,
        access=access,
        private_values=private_values,
        guard=ExecutionGuard(watchdog, config.chaincode.execute_timeout_s, config.chaincode.memory_growth_max),
        metrics=ChaincodeMetrics(registry),
        limits=config.chaincode.limits,
    )
    return Endorser(
        signer=config.signer,
        access=access,
        channels=channels,
        host=host,
        private_values=private_values,
        issued=issued,
        metrics=EndorserMetrics(registry),
        config=config.endorser,
    )


main = role_command(
    "Run a peer: it endorses proposals, follows its channels' orderers, and keeps their ledgers.",
    "core.yaml. Every key can be overridden from the environment: CORE_PEER_LISTENADDRESS=0.0.0.0:7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
