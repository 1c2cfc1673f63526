"""privy-orderer: the composition root."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.chain import ChainContext
from services.orderer.channels import Channels, read_genesis
from services.orderer.config import OrdererConfig, load
from services.orderer.delivery import Delivery
from services.orderer.intake import Intake
from services.orderer.metrics import OrdererMetrics
from services.orderer.rpc import AtomicBroadcastRpc, BatchBroadcastRpc
from services.runtime.command import role_command
from services.runtime.config import ConfigError
from services.runtime.disk import RealDisk
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.logs import Logs
from services.runtime.metrics import Registry
from services.runtime.operations import Operations, standard_routes

DRAIN_SECONDS = 3.0  # for what has been ordered to get into blocks
HANG_UP_SECONDS = 2.0  # for clients to take their last answers

_log = logging.getLogger(__name__)


async def serve(config: OrdererConfig, stop: asyncio.Event) -> None:
    """Run an orderer until `stop` is set; then answer what was asked, cut what is pending, and return."""
    registry = Registry()
    logs = Logs(config.log_spec, as_json=config.log_as_json, registry=registry)
    for key in config.unused_keys:
        _log.warning("this setting means nothing here", extra={"key": key})
    metrics = OrdererMetrics(registry)
    metrics.version.of(version("privysharing")).set(1)
    context = ChainContext(config.signer, metrics, time.time_ns, config.cut_interval_s)
    channels = Channels(RealDisk(), config.location, context)
    await channels.open(read_genesis(path) for path in _genesis_files(config.genesis))

    intake = Intake(channels, config.signer, lambda: _clock(config, config.time_window_ns), metrics)
    rpc = AtomicBroadcastRpc(
        Broadcast(intake),
        Delivery(channels, lambda: _clock(config, config.seek_window_ns), metrics),
        binds_to_certificate=config.tls is not None and config.tls.client_auth_required,
    )
    batches = BatchBroadcastRpc(intake)
    server = grpc_server(registry, config.limits)
    server.add_generic_rpc_handlers((rpc.handler(), batches.handler()))
    port = listen(server, config.listen, config.tls, "General.ListenAddress and General.ListenPort")
    routes = standard_routes(registry, logs, version("privysharing"), {"ordering": lambda: _illness(channels)})
    if not config.metrics:
        del routes["/metrics"]
    operations = Operations(config.operations, routes, config.operations_tls)

    chains = asyncio.create_task(channels.run())
    try:
        operations.start()
        if await _before(chains, _first(channels.caught_up(), stop.wait())) and not stop.is_set():
            await server.start()
            _log.info("serving", extra={"address": str(config.listen), "port": port})
            if await _before(chains, stop.wait()):
                await _drain(channels)
    finally:
        channels.halt()
        batches.hang_up()
        await server.stop(HANG_UP_SECONDS)
        chains.cancel()
        await asyncio.gather(chains, return_exceptions=True)
        await channels.close()
        await asyncio.to_thread(operations.stop)
    if not chains.cancelled():
        chains.result()  # raises what ended them


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


async def _drain(channels: Channels) -> None:
    try:
        await asyncio.wait_for(channels.drained(), DRAIN_SECONDS)
    except TimeoutError:
        _log.warning("stopping with envelopes that are ordered and not in a block yet; the next start makes it")


def _genesis_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    if not folder.is_dir():
        raise ConfigError(f"privysharing.Genesis: {folder} is not a folder")
    return sorted(folder.glob("*.block"))


def _clock(config: OrdererConfig, window_ns: int) -> Clock:
    return Clock(time.time_ns(), window_ns, config.check_expiry)


def _illness(channels: Channels) -> str | None:
    halted = [chain.channel_id for chain in channels.all() if chain.halted]
    return f"halted: {', '.join(halted)}" if halted else None


main = role_command(
    "Run an ordering node: it takes envelopes, puts them in one order per channel, and serves signed blocks.",
    "orderer.yaml. Every key can be overridden from the environment: ORDERER_GENERAL_LISTENPORT=7051.",
    load,
    serve,
)


if __name__ == "__main__":
    main()
