"""A peer, put together: from the wires that proposals and blocks come in by to the ledgers."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from privysharing.protocol.msp.provider import Msp
from services.peer.access import AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.guard import Guard
from services.peer.chaincode_host.host import ChaincodeHost
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.channel import ChannelTools
from services.peer.channels import Channels
from services.peer.config import PeerConfig
from services.peer.connections import Connections
from services.peer.endorsement.endorser import Endorser
from services.peer.endorsement.hosting import MakeHosting, ThreadHosting
from services.peer.endorsement.issued import IssuedEndorsements
from services.peer.endorsement.metrics import EndorserMetrics
from services.peer.events.delivery import Deliveries
from services.peer.layout import LEDGERS
from services.peer.metrics import DeliverMetrics, LedgerMetrics
from services.peer.private_data.exchange import ExchangeTools, PrivateExchange
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.service import PrivateDataService
from services.peer.rpc import BatchEndorserRpc, DeliverRpc, EndorserRpc, PrivateDataRpc
from services.peer.system_chaincodes import system_chaincodes
from services.peer.verifier import Verifier
from services.runtime.disk import StorageError
from services.runtime.diskspace import DiskSpace
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.machine import Machine
from services.runtime.metrics import Registry
from services.runtime.rpc import offer

HANG_UP_SECONDS = 3.0  # for what is being endorsed or delivered to end

_log = logging.getLogger(__name__)


class Peer:
    """Its channels, and the services over them. Made inside the event loop that runs it."""

    def __init__(
        self,
        config: PeerConfig,
        registry: Registry,
        machine: Machine = Machine(),
        make_hosting: MakeHosting = ThreadHosting,
    ) -> None:
        """Nothing is read yet."""
        self._config = config
        self._serves = False
        self._registry = registry
        self._machine = machine
        self._crypto = ThreadPoolExecutor(config.crypto_threads, "crypto")
        self._verifier = Verifier(wanted=config.verifier)
        self._transient_writer = ThreadPoolExecutor(1, "transient")
        self._exchange_metrics = ExchangeMetrics.register(registry)
        self._connections = _connections(config, machine)
        self._issued = IssuedEndorsements()
        self.space = DiskSpace(machine.disk, config.location, registry, config.disk_watermark)
        tools = ChannelTools(
            disk=machine.disk,
            databases=machine.databases,
            crypto=self._crypto,
            verifier=self._verifier,
            crypto_parts=max(1, config.crypto_threads - 1),  # one is left for the blocks around it
            metrics=LedgerMetrics.register(registry),
            calls=self._connections,
            feed=config.feed,
            vouched=self._issued,
            msp_id=config.msp.name,
            room=self.space.room,
            exchange=self._exchange_tools(),
        )
        self.channels = Channels(config.location / LEDGERS, tools, config.channels)
        self._loop = asyncio.get_running_loop()
        self._fault: asyncio.Future[StorageError] = self._loop.create_future()  # the first that an endorsement met
        self._hosting = make_hosting(config.chaincode, config.endorsement_workers)
        self._workers = self._hosting.workers(self._endorser(self._hosting.guard).admit)

    async def open(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Recover every ledger, and join what the configuration says.

        Raises LedgerFault, ConfigError, and RecoveryStopped when `stopping` says so between two blocks.
        """
        await self.channels.open(stopping)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; then answer what was asked, store what is being stored, and return.

        Raises what ends the growth of a channel, and any fault of storage.
        """
        config, channels = self._config, self.channels
        deliveries = Deliveries(
            channels.get,
            DeliverMetrics.register(self._registry),
            window_ns=config.seek_window_ns,
            clock_ns=self._machine.outside.now_ns,
            unread_blocks_max=config.unread_blocks_max,
        )
        binds = config.tls is not None and config.tls.client_auth_required
        endorsing = BatchEndorserRpc(self._workers, config.batches)
        delivering = DeliverRpc(deliveries, binds_to_certificate=binds)
        exchanging = PrivateDataRpc(self._private_data(), binds_to_certificate=binds, on_fault=self._failed)
        server = grpc_server(self._registry, config.limits, self._machine.make_server)
        health = offer(
            server,
            (EndorserRpc(self._workers).handler(), endorsing.handler(), delivering.handler(), exchanging.handler()),
            lambda: self.illness() or self.space.illness(),
            reflection=config.reflection,
        )
        port = listen(server, config.listen, config.tls, "peer.listenAddress")
        growing = asyncio.create_task(channels.run())
        watching = asyncio.create_task(self.space.watch())
        stopping = asyncio.create_task(stop.wait())
        try:
            await server.start()
            self._serves = True
            _log.info("serving", extra={"address": str(config.listen), "port": port})
            await asyncio.wait((growing, self._fault, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            watching.cancel()
            growing.cancel()
            await asyncio.wait((growing,))
            endorsing.hang_up()
            health.hang_up()
            channels.hang_up()
            await server.stop(HANG_UP_SECONDS)
        if not growing.cancelled():
            growing.result()  # raises what ended it
        if self._fault.done():
            raise self._fault.result()

    async def close(self) -> None:
        """After `run` has ended, or instead of it: finish what is under way and release everything."""
        await asyncio.to_thread(self._workers.close, HANG_UP_SECONDS)
        self._hosting.close()
        await self._connections.close()
        self._transient_writer.shutdown()
        self.channels.close()
        await self._verifier.close()
        self._crypto.shutdown()

    def illness(self) -> str | None:
        """Which channels do not grow, and why; None when all do."""
        return self.channels.illness() or (None if self._serves else "not serving yet")

    def _failed(self, fault: StorageError) -> None:
        """Called by any thread."""

        def note() -> None:
            if not self._fault.done():
                self._fault.set_result(fault)

        self._loop.call_soon_threadsafe(note)

    def _exchange_tools(self) -> ExchangeTools:
        config = self._config
        return ExchangeTools(
            me=config.signer.serialized,
            msp_id=config.msp.name,
            calls=self._connections,
            outside=self._machine.outside,
            writer=self._transient_writer,
            metrics=self._exchange_metrics,
            settings=config.exchange,
        )

    def _private_data(self) -> PrivateDataService:
        config = self._config

        def exchange(channel_id: str) -> PrivateExchange | None:
            channel = self.channels.get(channel_id)
            return None if channel is None else channel.exchange

        return PrivateDataService(
            exchange,
            config.signer,
            AccessControl(Msp(config.msp)),
            self._machine.outside,
            config.private_data_service,
            self._exchange_metrics,
        )

    def _endorser(self, guard: Guard) -> Endorser:
        config, registry = self._config, self._registry
        access = AccessControl(Msp(config.msp))
        host = ChaincodeHost(
            contracts=Contracts.installed(config.contracts if config.endorses else {}),
            system=system_chaincodes(self.channels, access, config.msp.name),
            definitions=Definitions(config.msp.name),
            channels=self.channels,
            access=access,
            guard=guard,
            metrics=ChaincodeMetrics(registry),
            limits=config.chaincode.limits,
        )
        return Endorser(
            signer=config.signer,
            access=access,
            channels=self.channels,
            host=host,
            issued=self._issued,
            metrics=EndorserMetrics(registry),
            config=config.endorser,
            clock_ns=self._machine.outside.now_ns,
            has_room=lambda: self.space.shortage is None,
            on_fault=self._failed,
        )


def _connections(config: PeerConfig, machine: Machine) -> Connections:
    shown = config.client_tls
    return Connections(
        config.signer,
        tls=shown is not None,
        certificate=shown.certificate if shown else b"",
        key=shown.key if shown else b"",
        outside=machine.outside,
    )
