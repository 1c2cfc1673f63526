"""The ordered log: one channel's records, in the one order that all its orderers see.

`OrderedLog` is the port. `filelog.FileLog` keeps it on a disk of one orderer, `memorylog.MemoryLog` in memory: its
twin, which several orderers of one process may share.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A record at its place."""

    offset: int
    record: bytes


class LogClosed(Exception):
    """The log takes no more records: it was closed, or it failed."""


class OrderedLog(Protocol):
    """Append-only, durable, read in order."""

    def append(self, record: bytes) -> asyncio.Future[int]:
        """Put a record behind all those appended before; the future gives its offset once it is durable.

        Raises LogClosed.
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
        """Durable records from an offset on, as many at a time as there are; waits for more. One reader a chain."""
        ...

    def end(self) -> int:
        """The offset behind the last durable record."""
        ...

    def quiet(self, offset: int) -> bool:
        """Whether nothing stands at this offset, and nothing is on its way."""
        ...

    async def close(self) -> None:
        """Make durable what was appended, and take no more."""
        ...
