"""One channel's blocks: record n of a record log is block n."""

from collections import OrderedDict
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import last_config_index, parse_block
from services.runtime.disk import Disk
from services.runtime.recordlog import RecordLog

RECENT_BYTES_MAX = 32 * 1024 * 1024  # newest blocks kept in memory: every peer wants them at once
SYNC_EVERY_BLOCKS = 128  # blocks that a restart after a power cut derives from the ordering log again


class BlockStore:
    """Marshalled blocks by number. One thread appends; any thread reads.

    `append` does not sync: a block can always be derived again from the ordering log, which is durable.
    """

    def __init__(self, disk: Disk, folder: Path) -> None:
        """Open or start the store. Raises StorageError."""
        self._records = RecordLog.open(disk, folder)
        self._recent: OrderedDict[int, bytes] = OrderedDict()
        self._recent_bytes = 0

    @property
    def height(self) -> int:
        """How many blocks there are."""
        return self._records.count

    def append(self, block: bytes) -> None:
        """Store the next block."""
        number = self._records.append([block])
        self._recent[number] = block
        self._recent_bytes += len(block)
        while self._recent_bytes > RECENT_BYTES_MAX and len(self._recent) > 1:
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest)
        if self._records.count - self._records.durable_count >= SYNC_EVERY_BLOCKS:
            self._records.sync()

    def recent(self, number: int) -> bytes | None:
        """A block, if it can be had without the disk."""
        return self._recent.get(number)

    def read(self, number: int) -> bytes:
        """A block. Raises DamagedRecord."""
        return self._recent.get(number) or self._records.read(number)

    def block(self, number: int) -> Block:
        """A block, parsed. Raises DamagedRecord."""
        return parse_block(self.read(number))

    def config_behind(self, block: Block) -> ChannelConfig:
        """The configuration in force behind a block that is stored. Raises DamagedRecord."""
        return ChannelConfig.from_block(self.block(last_config_index(block)))

    def sync(self) -> None:
        """Return once every block is durable."""
        self._records.sync()

    def close(self) -> None:
        """Release the files."""
        self._records.close()
