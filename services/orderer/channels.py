"""All channels of an orderer: each has a chain, a block store and an ordering log of its own."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.errors import ProtocolError
from services.orderer.catching_up import CatchingUp
from services.orderer.chain import Chain, ChainContext
from services.orderer.fellows import BlockCalls
from services.orderer.log import LogPlace, LostRecords, OpenLog, OrderedLog
from services.orderer.log.filelog import open_file_log
from services.orderer.sealing import position_of
from services.orderer.store import BlockStore
from services.runtime.config import ConfigError
from services.runtime.disk import Disk, DiskLock, InUse
from services.runtime.formats import Format

CHAINS_FOLDER = "chains"  # below FileLedger.Location, as in Fabric: blocks
LOGS_FOLDER = "logs"  # and beside it: ordering logs
LOCK_FILE = "LOCK"  # held while a process has the others open
FORMAT = Format("orderer's folder", 1, "run the release that wrote it")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Genesis:
    """The first block of a channel."""

    channel_id: str
    block: Block


def read_genesis(path: Path) -> Genesis:
    """Read a genesis block, and see whether a channel could run under it. Raises ConfigError."""
    try:
        block = parse_block(path.read_bytes())
        config = ChannelConfig.from_block(block)
    except (OSError, ProtocolError) as error:
        raise ConfigError(f"{path} is not the genesis block of a channel: {error}") from error
    if block.header.number != 0:
        raise ConfigError(f"{path} is block {block.header.number} of channel {config.channel_id}, not its first")
    return Genesis(config.channel_id, block)


class Channels:
    """Chains by channel id."""

    def __init__(
        self,
        disk: Disk,
        location: Path,
        context: ChainContext,
        open_log: OpenLog = open_file_log,
        calls: BlockCalls | None = None,
    ) -> None:
        self._disk = disk
        self._location = location
        self._context = context
        self._calls = calls
        self._open_log = open_log
        self._chains: dict[str, Chain] = {}
        self._stores: dict[str, BlockStore] = {}
        self._lock: DiskLock | None = None

    async def open(self, geneses: Iterable[Genesis]) -> None:
        """Open what is stored of every channel, and of those that are new. Raises ConfigError, StorageError."""
        new = {genesis.channel_id: genesis for genesis in geneses}
        self._lock = await asyncio.to_thread(self._locked)
        self._disk.make_folder(self._location / CHAINS_FOLDER)
        stored = self._disk.folders(self._location / CHAINS_FOLDER)
        for channel_id in sorted({*stored, *new}):
            store = await self._store(channel_id, new.get(channel_id))
            if store is not None:
                self._stores[channel_id] = store
                self._chains[channel_id] = chain = Chain(store, self._context)
                _log.info("channel opened", extra={"channel": channel_id, "height": chain.height})

    def get(self, channel_id: str) -> Chain | None:
        """The chain of a channel."""
        return self._chains.get(channel_id)

    def all(self) -> tuple[Chain, ...]:
        """Every chain."""
        return tuple(self._chains.values())

    async def caught_up(self) -> None:
        """Return when every chain has made the blocks that its log had in it at the start, or never will."""
        for chain in self.all():
            await chain.caught_up()

    async def run(self) -> None:
        """Open all logs, and run all chains. One whose log is lost halts; none waits for another's brokers.

        Raises what stops one of them, and with it the process: a setting, a disk that fails, a damaged record.
        """
        async with asyncio.TaskGroup() as group:
            for chain in self.all():
                group.create_task(self._run(chain))

    async def drained(self) -> None:
        """Return when everything that was ordered is in a block."""
        await asyncio.gather(*(chain.drained() for chain in self.all()))

    def halt(self) -> None:
        """Let no chain take anything more."""
        for chain in self.all():
            chain.halt()

    async def close(self) -> None:
        """Halt, and store everything durably."""
        await asyncio.gather(*(chain.close() for chain in self.all()))
        if self._lock is not None:
            self._lock.release()

    def _locked(self) -> DiskLock:
        """The location, ours alone: two orderers would append to the same logs, and overwrite what both promised."""
        self._disk.make_folder(self._location)
        try:
            lock = self._disk.lock(self._location / LOCK_FILE)
        except InUse:
            raise ConfigError(f"FileLedger.Location: {self._location} is in use by another orderer") from None
        try:
            FORMAT.check(self._disk, self._location)
        except BaseException:
            lock.release()
            raise
        return lock

    async def _store(self, channel_id: str, genesis: Genesis | None) -> BlockStore | None:
        store = await asyncio.to_thread(BlockStore, self._disk, self._location / CHAINS_FOLDER / channel_id)
        if store.height == 0:
            if genesis is None:
                _log.warning("a channel's folder holds no block", extra={"channel": channel_id})
                store.close()
                return None
            store.append(encode_block(genesis.block))
            await asyncio.to_thread(store.sync)
        elif genesis is not None and header_hash(store.block(0).header) != header_hash(genesis.block.header):
            raise ConfigError(f"channel {channel_id} was started from another genesis block than the one given")
        return store

    async def _run(self, chain: Chain) -> None:
        try:
            chain.start(await self._log(chain.channel_id))
            await chain.run()
        except LostRecords as fault:
            chain.lose(fault)

    async def _log(self, channel_id: str) -> OrderedLog:
        """The log of a channel; its store gets those blocks of which the log has dropped the records."""
        store = self._stores[channel_id]
        tip = store.block(store.height - 1)
        place = LogPlace(
            self._disk,
            self._location / LOGS_FOLDER / channel_id,
            store.config_behind(tip),
            position_of(tip).last_offset + 1,
        )
        log = await self._open_log(place)
        try:
            if log.start() > place.next_offset:
                await self._catch_up(store, log.start())
        except BaseException:  # also an orderer that stops meanwhile: nobody else knows of the log yet
            await log.close()
            raise
        return log

    async def _catch_up(self, store: BlockStore, start: int) -> None:
        if self._calls is None:
            raise LostRecords(f"the log has dropped the records before {start}, and no other orderer can be asked")
        await CatchingUp(store, self._calls).reach(start)
