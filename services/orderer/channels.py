"""All channels of an orderer: each has a chain, a block store and an ordering log of its own."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block, last_config_index, parse_block
from privysharing.protocol.errors import ProtocolError
from services.orderer.catching_up import CatchingUp
from services.orderer.chain import Chain, ChainContext
from services.orderer.fellows import BlockCalls
from services.orderer.log import LogPlace, LostRecords, OpenLog
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
        self._lock: DiskLock | None = None

    async def open(self, geneses: Iterable[Genesis]) -> None:
        """Open every stored channel, and start those that are new. Raises ConfigError, StorageError."""
        new = {genesis.channel_id: genesis for genesis in geneses}
        self._lock = await asyncio.to_thread(self._locked)
        self._disk.make_folder(self._location / CHAINS_FOLDER)
        stored = self._disk.folders(self._location / CHAINS_FOLDER)
        for channel_id in sorted({*stored, *new}):
            chain = await self._open(channel_id, new.get(channel_id))
            if chain is not None:
                self._chains[channel_id] = chain
                _log.info("channel opened", extra={"channel": channel_id, "height": chain.height})

    def get(self, channel_id: str) -> Chain | None:
        """The chain of a channel."""
        return self._chains.get(channel_id)

    def all(self) -> tuple[Chain, ...]:
        """Every chain."""
        return tuple(self._chains.values())

    async def caught_up(self) -> None:
        """Return when every chain has made the blocks that its log had in it at the start."""
        for chain in self.all():
            await chain.caught_up()

    async def run(self) -> None:
        """Run all chains. Raises what stops one of them: a disk that fails, or a record that is damaged."""
        async with asyncio.TaskGroup() as group:
            for chain in self.all():
                group.create_task(chain.run())

    async def drained(self) -> None:
        """Return when everything that was ordered is in a block."""
        for chain in self.all():
            await chain.drained()

    def halt(self) -> None:
        """Let no chain take anything more."""
        for chain in self.all():
            chain.halt()

    async def close(self) -> None:
        """Halt, and store everything durably."""
        for chain in self.all():
            await chain.close()
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

    async def _open(self, channel_id: str, genesis: Genesis | None) -> Chain | None:
        store = await asyncio.to_thread(BlockStore, self._disk, self._location / CHAINS_FOLDER / channel_id)
        if store.height == 0:
            if genesis is None:
                _log.warning("a channel's folder holds no block", extra={"channel": channel_id})
                store.close()
                return None
            store.append(encode_block(genesis.block))
            await asyncio.to_thread(store.sync)
        elif genesis is not None:
            first = parse_block(store.read(0))
            if header_hash(first.header) != header_hash(genesis.block.header):
                raise ConfigError(f"channel {channel_id} was started from another genesis block than the one given")
        place = self._place(channel_id, store)
        log = await self._open_log(place)
        if log.start() > place.next_offset:
            if self._calls is None:
                raise LostRecords(f"channel {channel_id}: the log has dropped records from {place.next_offset} on")
            await CatchingUp(store, self._calls).reach(log.start())
        return Chain(store, log, self._context)

    def _place(self, channel_id: str, store: BlockStore) -> LogPlace:
        tip = parse_block(store.read(store.height - 1))
        config = ChannelConfig.from_block(parse_block(store.read(last_config_index(tip))))
        folder = self._location / LOGS_FOLDER / channel_id
        return LogPlace(self._disk, folder, config, position_of(tip).last_offset + 1)
