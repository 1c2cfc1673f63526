"""The log of a channel whose own is not open yet, or will never be."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from services.orderer.log import Entry, LogUnavailable

WHY = "consenter for this channel hasn't started yet; try again later"


class NotOpen:
    """See `OrderedLog`. Holds nothing, and takes nothing."""

    def append(self, record: bytes) -> asyncio.Future[int]:
        """See `OrderedLog.append`."""
        raise LogUnavailable(WHY)

    async def room(self) -> None:
        """See `OrderedLog.room`."""

    @property
    def has_room(self) -> bool:
        """See `OrderedLog.has_room`."""
        return True

    async def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        """See `OrderedLog.entries`: there are none."""
        return
        yield

    def start(self) -> int:
        """See `OrderedLog.start`."""
        return 0

    def end(self) -> int:
        """See `OrderedLog.end`."""
        return 0

    def quiet(self, offset: int) -> bool:
        """See `OrderedLog.quiet`."""
        return True

    def illness(self) -> str | None:
        """See `OrderedLog.illness`."""
        return "its ordering log is not open yet"

    async def close(self) -> None:
        """See `OrderedLog.close`."""
