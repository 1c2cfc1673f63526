"""The channels of a peer: opened at the start, joined later, each with its folder and its tasks."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.errors import ProtocolError
from services.peer.block_feed.sources import OrdererSource
from services.peer.chaincode_host.ports import JoinRefused
from services.peer.channel import Channel, ChannelTools, stored_config
from services.peer.commits import replay
from services.peer.committer import store_genesis
from services.peer.config import ChannelBootstrap
from services.peer.layout import PRIVATE
from services.peer.ledger.ledger import Ledger, Replay
from services.peer.ledger.types import Commit, StateView
from services.peer.private_data.store import PrivateStore
from services.peer.validation.validate import genesis_config
from services.runtime.config import ConfigError

_log = logging.getLogger(__name__)


class RecoveryStopped(Exception):
    """The process is asked to stop while it recovers a ledger."""


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

    async def open(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Recover every ledger on disk and join what the configuration says. Raises LedgerFault, ConfigError.

        Raises RecoveryStopped when `stopping` says so between two blocks; the next start goes on from there.
        """

        def check() -> None:
            if stopping():
                raise RecoveryStopped

        def next_commit(block: Block, state: StateView, commit_hash: bytes) -> Commit:
            check()
            return replay(block, state, commit_hash)

        disk = self._tools.disk
        known = set(disk.folders(self._folder)) if disk.exists(self._folder) else set()
        for channel_id in sorted(known | set(self._bootstraps)):
            bootstrap = self._bootstraps.get(channel_id)
            ledger = await asyncio.to_thread(self._open_ledger, channel_id, next_commit)
            if ledger.height == 0 and bootstrap is None:
                ledger.close()
                _log.warning("channel was never joined to the end; join it again", extra={"channel": channel_id})
                continue
            with _closed_on_error(ledger):
                if bootstrap is not None:
                    await asyncio.to_thread(_begin, ledger, bootstrap)
                self._add(ledger, await asyncio.to_thread(self._open_private, ledger, check))

    def join(self, genesis: Block) -> None:
        """See `chaincode_host.ports.Channels`. Not for the event loop's thread."""
        try:
            channel_id = genesis_config(genesis).channel_id
        except ProtocolError as error:
            raise JoinRefused(f"cannot create ledger from genesis block: {error}") from error
        with self._joining:
            if channel_id in self._channels:
                raise JoinRefused(
                    f"cannot create ledger from genesis block: ledger [{channel_id}] already exists with state [ACTIVE]"
                )
            ledger = self._open_ledger(channel_id, replay)
            with _closed_on_error(ledger):
                if ledger.height == 0:
                    store_genesis(ledger, genesis)
                private = self._open_private(ledger)
                asyncio.run_coroutine_threadsafe(self._add_joined(ledger, private), self._loop).result()

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
        """Which channels do not grow, and why; None when all do."""
        ill = [f"{channel.channel_id}: {channel.illness}" for channel in self.all() if channel.illness]
        return "; ".join(ill) or None

    def _open_ledger(self, channel_id: str, next_commit: Replay) -> Ledger:
        tools = self._tools
        return Ledger.open(channel_id, self._folder / channel_id, tools.disk, tools.databases, next_commit)

    async def _add_joined(self, ledger: Ledger, private: PrivateStore) -> None:
        self._add(ledger, private)

    def _open_private(self, ledger: Ledger, between: Callable[[], None] = lambda: None) -> PrivateStore:
        tools, config = self._tools, stored_config(ledger)
        folder = self._folder / ledger.channel_id / PRIVATE
        return PrivateStore.open(ledger, folder, tools.disk, tools.databases, config, tools.msp_id, between)

    def _add(self, ledger: Ledger, private: PrivateStore) -> None:
        bootstrap = self._bootstraps.get(ledger.channel_id)
        orderers: tuple[OrdererSource, ...] = bootstrap.orderers if bootstrap is not None else ()
        channel = Channel(ledger, private, self._folder / ledger.channel_id, self._tools, orderers)
        self._channels[ledger.channel_id] = channel
        self._joined.put_nowait(channel)
        _log.info("serving channel", extra={"channel": ledger.channel_id, "height": ledger.height})


@contextmanager
def _closed_on_error(ledger: Ledger) -> Iterator[None]:
    try:
        yield
    except BaseException:
        ledger.close()
        raise


def _begin(ledger: Ledger, bootstrap: ChannelBootstrap) -> None:
    """Store the configured genesis block, or make sure that it is the one stored."""
    stored = ledger.block(0)
    if stored is None:
        try:
            found = genesis_config(bootstrap.genesis).channel_id
        except ProtocolError as error:
            raise ConfigError(f"channel {bootstrap.channel_id}: its genesis block cannot be used: {error}") from error
        if found != bootstrap.channel_id:
            raise ConfigError(f"channel {bootstrap.channel_id}: the genesis block is that of channel {found}")
        store_genesis(ledger, bootstrap.genesis)
    elif header_hash(stored.header) != header_hash(bootstrap.genesis.header):
        raise ConfigError(
            f"channel {bootstrap.channel_id}: the ledger begins with another genesis block than the configured one"
        )
