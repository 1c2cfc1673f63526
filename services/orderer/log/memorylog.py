"""An ordered log in memory: the twin of `filelog.FileLog`, and the reference for it. Survives nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from services.orderer.log import Entry, LogClosed


class MemoryLog:
    """Records in a list; every reader has a place of his own."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._grown = asyncio.Event()
        self._closed = False

    def append(self, record: bytes) -> asyncio.Future[int]:
        """See `OrderedLog.append`."""
        if self._closed:
            raise LogClosed("the log is closed")
        self._records.append(record)
        self._wake()
        offset: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        offset.set_result(len(self._records) - 1)
        return offset

    async def room(self) -> None:
        """See `OrderedLog.room`."""

    @property
    def has_room(self) -> bool:
        """See `OrderedLog.has_room`."""
        return True

    async def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        """See `OrderedLog.entries`."""
        while True:
            grown = self._grown
            if start < len(self._records):
                found = [Entry(offset, self._records[offset]) for offset in range(start, len(self._records))]
                start += len(found)
                yield found
            elif self._closed:
                return
            else:
                await grown.wait()

    def start(self) -> int:
        """See `OrderedLog.start`."""
        return 0

    def end(self) -> int:
        """See `OrderedLog.end`."""
        return len(self._records)

    def quiet(self, offset: int) -> bool:
        """See `OrderedLog.quiet`."""
        return offset == len(self._records)

    def illness(self) -> str | None:
        """See `OrderedLog.illness`."""
        return None

    async def close(self) -> None:
        """See `OrderedLog.close`."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
