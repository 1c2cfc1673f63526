"""The channels of a peer: opened at the start, joined later, each with its folder and its tasks."""

import asyncio
import logging
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.errors import ProtocolError
from services.peer.block_feed.sources import OrdererSource
from services.peer.chaincode_host.ports import JoinRefused
from services.peer.channel import Channel, ChannelTools
from services.peer.commits import replay
from services.peer.committer import store_genesis
from services.peer.config import ChannelBootstrap
from services.peer.ledger.ledger import Ledger
from services.runtime.config import ConfigError

_log = logging.getLogger(__name__)


class Channels:
    """See the module. `get`, `ids` and `join` may be called by any thread, the rest belongs to the event loop."""

    def __init__(self, folder: Path, tools: ChannelTools, bootstraps: Iterable[ChannelBootstrap] = ()) -> None:
        self._folder = folder
        self._tools = tools
        self._bootstraps = {bootstrap.channel_id: bootstrap for bootstrap in bootstraps}
        self._channels: dict[str, Channel] = {}
        self._joining = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._joined: asyncio.Queue[Channel] = asyncio.Queue()

    def get(self, channel_id: str) -> Channel | None:
        return self._channels.get(channel_id)

    def ids(self) -> Sequence[str]:
        return tuple(self._channels)

    def all(self) -> Sequence[Channel]:
        """Every channel joined."""
        return tuple(self._channels.values())

    async def open(self) -> None:
        """Recover every ledger on disk and join what the configuration says. Raises LedgerFault, ConfigError."""
        known = {path.name for path in self._folder.iterdir() if path.is_dir()} if self._folder.is_dir() else set()
        for channel_id in sorted(known | set(self._bootstraps)):
            bootstrap = self._bootstraps.get(channel_id)
            ledger = await asyncio.to_thread(self._open_ledger, channel_id)
            if ledger.height == 0 and bootstrap is None:
                ledger.close()
                _log.warning("channel was never joined to the end; join it again", extra={"channel": channel_id})
                continue
            if bootstrap is not None:
                await asyncio.to_thread(_begin, ledger, bootstrap)
            self._add(ledger)

    def join(self, genesis: Block) -> None:
        """See `chaincode_host.ports.Channels`. Not for the event loop's thread."""
        channel_id = ChannelConfig.from_block(genesis).channel_id
        with self._joining:
            if channel_id in self._channels:
                raise JoinRefused(
                    f"cannot create ledger from genesis block: ledger [{channel_id}] already exists with state [ACTIVE]"
                )
            ledger = self._open_ledger(channel_id)
            if ledger.height == 0:
                store_genesis(ledger, genesis)
            asyncio.run_coroutine_threadsafe(self._add_joined(ledger), self._loop).result()

    async def run(self) -> None:
        """Let all channels grow, those that are joined meanwhile as well. A fault of storage in one ends it."""
        async with asyncio.TaskGroup() as group:
            while True:
                channel = await self._joined.get()
                group.create_task(channel.run())

    def hang_up(self) -> None:
        """End every stream and every wait: no block will come any more."""
        for channel in self._channels.values():
            channel.notifier.stop("the peer is stopping")

    def close(self) -> None:
        """After `run` has ended: release every ledger."""
        for channel in self._channels.values():
            channel.close()

    def illness(self) -> str | None:
        """Which channels have stopped, and why; None when none has."""
        stopped = [f"{channel.channel_id}: {channel.stopped}" for channel in self.all() if channel.stopped]
        return "; ".join(stopped) or None

    def _open_ledger(self, channel_id: str) -> Ledger:
        return Ledger.open(channel_id, self._folder / channel_id, self._tools.disk, replay)

    async def _add_joined(self, ledger: Ledger) -> None:
        self._add(ledger)

    def _add(self, ledger: Ledger) -> None:
        bootstrap = self._bootstraps.get(ledger.channel_id)
        orderers: tuple[OrdererSource, ...] = bootstrap.orderers if bootstrap is not None else ()
        channel = Channel(ledger, self._folder / ledger.channel_id, self._tools, orderers)
        self._channels[ledger.channel_id] = channel
        self._joined.put_nowait(channel)
        _log.info("serving channel", extra={"channel": ledger.channel_id, "height": ledger.height})


def _begin(ledger: Ledger, bootstrap: ChannelBootstrap) -> None:
    """Store the configured genesis block, or make sure that it is the one stored."""
    stored = ledger.block(0)
    if stored is None:
        try:
            found = ChannelConfig.from_block(bootstrap.genesis).channel_id
        except ProtocolError as error:
            raise ConfigError(f"channel {bootstrap.channel_id}: its genesis block cannot be used: {error}") from error
        if found != bootstrap.channel_id:
            raise ConfigError(f"channel {bootstrap.channel_id}: the genesis block is that of channel {found}")
        store_genesis(ledger, bootstrap.genesis)
    elif header_hash(stored.header) != header_hash(bootstrap.genesis.header):
        raise ConfigError(
            f"channel {bootstrap.channel_id}: the ledger begins with another genesis block than the configured one"
        )
