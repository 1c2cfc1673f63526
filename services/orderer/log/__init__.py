"""The ordered log: one channel's records, in the one order that all its orderers see.

`OrderedLog` is the port. `filelog.FileLog` keeps it on a disk of one orderer, `services.orderer.kafka` on brokers that
several orderers share, `memorylog.MemoryLog` in memory: their twin, which several orderers of one process may share.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.values import value
from services.runtime.disk import Disk, StorageError

REMEDY = "see docs/operations.md, 'When an ordering log is lost'"


@value
class Entry:
    """A record at its place."""

    offset: int
    record: bytes


class LogClosed(Exception):
    """The log takes no more records."""


class LogUnavailable(Exception):
    """The log did not say that it has the record. It may have it all the same; later it may take it."""


class LostRecords(StorageError):
    """The log does not hold what this chain was made from. It says what to do about it."""


class OrderedLog(Protocol):
    """Append-only, durable, read in order."""

    def append(self, record: bytes) -> asyncio.Future[int]:
        """Put a record behind all those appended before; the future gives its offset once it is durable.

        Raises LogClosed, LogUnavailable, or what the log failed of (StorageError); and so may the future.
        """
        ...

    async def room(self) -> None:
        """Return when the log can take more without piling up memory."""
        ...

    @property
    def has_room(self) -> bool:
        """Whether `room` would return at once."""
        ...

    def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        """Durable records from an offset on, as many at a time as there are; waits for more. One reader a chain.

        Raises LostRecords.
        """
        ...

    def start(self) -> int:
        """The offset of the oldest record that is kept."""
        ...

    def end(self) -> int:
        """The offset behind the last durable record."""
        ...

    def quiet(self, offset: int) -> bool:
        """Whether nothing stands at this offset, and nothing is on its way."""
        ...

    def illness(self) -> str | None:
        """Why it takes nothing at the moment; None when it does."""
        ...

    async def close(self) -> None:
        """Make durable what was appended, and take no more."""
        ...


@dataclass(frozen=True, slots=True)
class LogPlace:
    """What the log of a channel belongs to.

    `folder`: where it is kept, unless it is kept elsewhere. `config`: that of the newest block. `next_offset`: where it
    is to be read from; 0 for a channel that has but its first block.
    """

    disk: Disk
    folder: Path
    config: ChannelConfig
    next_offset: int


OpenLog = Callable[[LogPlace], Awaitable[OrderedLog]]
"""Opens the log of a channel, which may take as long as brokers are away. Raises LostRecords, StorageError."""
