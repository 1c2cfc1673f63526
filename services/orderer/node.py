"""An ordering node, put together: from the wires that envelopes come in by to the disk that keeps their order."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.chain import ChainContext
from services.orderer.channels import Channels, Genesis
from services.orderer.config import OrdererConfig
from services.orderer.delivery import Delivery
from services.orderer.fellows import Fellows
from services.orderer.intake import Intake
from services.orderer.log import OpenLog
from services.orderer.log.filelog import open_file_log
from services.orderer.metrics import OrdererMetrics
from services.orderer.neighbours import Neighbours, Nobody
from services.orderer.rpc import AtomicBroadcastRpc, BatchBroadcastRpc, DirectoryRpc
from services.runtime.diskspace import DiskSpace
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.machine import Machine
from services.runtime.metrics import Registry
from services.runtime.rpc import offer

CATCH_UP_SECONDS = 5.0  # for channels to catch up with their logs; then those that have are served before the others
DRAIN_SECONDS = 3.0  # for what has been ordered to get into blocks
HANG_UP_SECONDS = 2.0  # for clients to take their last answers

_log = logging.getLogger(__name__)


class Orderer:
    """Its channels, and the services over them. Made inside the event loop that runs it."""

    def __init__(
        self,
        config: OrdererConfig,
        registry: Registry,
        machine: Machine = Machine(),
        open_log: OpenLog = open_file_log,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._config = config
        self._machine = machine
        self._serves = False
        outside = machine.outside
        metrics = OrdererMetrics(registry)
        neighbours = neighbours or Nobody(config.me)
        context = ChainContext(config.signer, metrics, config.cut_interval_s, outside, neighbours.leads)
        self.space = DiskSpace(machine.disk, config.location, registry, config.disk_watermark)
        fellows = Fellows(config.signer, config.tls, config.me, neighbours.live, outside)
        self._channels = Channels(machine.disk, config.location, context, open_log, fellows)
        intake = Intake(
            self._channels,
            config.signer,
            clock=lambda: self._clock(config.time_window_ns),
            metrics=metrics,
            random_bytes=outside.random_bytes,
            has_room=lambda: self.space.shortage is None,
        )
        rpc = AtomicBroadcastRpc(
            Broadcast(intake),
            Delivery(self._channels, lambda: self._clock(config.seek_window_ns), metrics, config.unread_blocks_max),
            binds_to_certificate=config.tls is not None and config.tls.client_auth_required,
        )
        self._batches = BatchBroadcastRpc(intake, config.batches)
        self._server = grpc_server(registry, config.limits, machine.make_server)
        self._health = offer(
            self._server,
            (rpc.handler(), self._batches.handler(), DirectoryRpc(neighbours.live).handler()),
            lambda: self.illness() or self.space.illness(),
            reflection=config.reflection,
        )

    async def open(self, geneses: Iterable[Genesis]) -> None:
        """Open what is stored of every channel, and of new ones. Raises ConfigError, StorageError."""
        await self._channels.open(geneses)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; then answer what was asked, cut what is pending, and return.

        Raises what ends a chain, which only a fault of this node does: ConfigError, StorageError.
        """
        port = listen(
            self._server, self._config.listen, self._config.tls, "General.ListenAddress and General.ListenPort"
        )
        channels = self._channels
        chains = asyncio.create_task(channels.run())
        watching = asyncio.create_task(self.space.watch())
        try:
            ready = _first(channels.caught_up(), stop.wait(), asyncio.sleep(CATCH_UP_SECONDS))
            if await _before(chains, ready) and not stop.is_set():
                await self._server.start()
                self._serves = True
                _log.info("serving", extra={"address": str(self._config.listen), "port": port})
                if await _before(chains, stop.wait()):
                    await self._drain()
        finally:
            watching.cancel()
            channels.halt()
            self._batches.hang_up()
            self._health.hang_up()
            await self._server.stop(HANG_UP_SECONDS)
            chains.cancel()
            await asyncio.gather(chains, return_exceptions=True)
            await channels.close()
        if not chains.cancelled():
            chains.result()  # raises what ended them

    def illness(self) -> str | None:
        """Which channels take nothing, and why; None when all do."""
        found = ((chain.channel_id, chain.illness()) for chain in self._channels.all())
        told = "; ".join(f"{channel_id}: {why}" for channel_id, why in found if why)
        return told or (None if self._serves else "not serving yet: the channels catch up with their logs")

    async def _drain(self) -> None:
        try:
            await asyncio.wait_for(self._channels.drained(), DRAIN_SECONDS)
        except TimeoutError:
            _log.warning("stopping with envelopes that are ordered and not in a block yet; the next start makes it")

    def _clock(self, window_ns: int) -> Clock:
        return Clock(self._machine.outside.now_ns(), window_ns, self._config.check_expiry)


async def _before(chains: asyncio.Task[None], event: Coroutine[Any, Any, object]) -> bool:
    """Whether an event comes before the chains end, which they do only over a fault."""
    waiting = asyncio.create_task(event)
    await asyncio.wait((chains, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return not chains.done()


async def _first(*events: Coroutine[Any, Any, object]) -> None:
    """Return with the first of these, and give up the others."""
    waiting = [asyncio.create_task(event) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
