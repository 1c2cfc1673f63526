"""The ordered log of a single orderer, on its own disk.

Whatever has been appended while the disk was busy is written and synced in one piece, so the number of syncs a second
bounds the latency and not the throughput. The disk then rests for a while: each piece costs as much work as many
records, and those that come meanwhile share the next one. Writing happens in a thread of its own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.orderer.log import Entry, LogClosed, LogPlace
from services.orderer.log.appends import Appends, Batch, refuse
from services.runtime.disk import Disk
from services.runtime.recordlog import RecordLog

FRESH_BYTES_MAX = 64 * 1024 * 1024  # durable and not yet read: beyond it, the reader reads from disk
REST_SHARE = 3.0  # the disk rests so many times as long as it has worked
REST_S_MAX = 0.01
READ_RECORDS_MAX = 512  # records read from disk at once
READ_BYTES_MAX = 8 * 1024 * 1024  # and no more than about so many bytes


class FileLog:
    """See `OrderedLog`. Open it inside the event loop that uses it."""

    def __init__(self, records: RecordLog) -> None:
        self._records = records
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")
        self._appends = Appends()
        self._fresh: deque[list[Entry]] = deque()  # durable since the reader last looked
        self._fresh_bytes = 0
        self._end = records.count
        self._grown = asyncio.Event()
        self._closed = False
        self._fault: BaseException | None = None
        self._writer = asyncio.create_task(self._write())

    @classmethod
    async def open(cls, disk: Disk, folder: Path) -> "FileLog":
        """Open the log in a folder, or start one. Raises StorageError."""
        return cls(await asyncio.to_thread(RecordLog.open, disk, folder))

    def append(self, record: bytes) -> asyncio.Future[int]:
        """See `OrderedLog.append`. The future raises DiskFault when the disk fails, and so does every later append."""
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise LogClosed("the log is closed")
        return self._appends.put(record)

    async def room(self) -> None:
        """See `OrderedLog.room`."""
        await self._appends.room()

    @property
    def has_room(self) -> bool:
        """See `OrderedLog.has_room`."""
        return self._appends.has_room

    async def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        """See `OrderedLog.entries`. Raises DiskFault when the disk fails, DamagedRecord."""
        while True:
            fresh = self._take_fresh(start)
            if fresh:
                start += len(fresh)
                yield fresh
            elif start < self._end:
                found = await asyncio.get_running_loop().run_in_executor(self._thread, self._read, start, self._end)
                start += len(found)
                yield found
            elif self._fault is not None:
                raise self._fault
            elif self._writer.done():
                return
            else:
                self._grown.clear()
                await self._grown.wait()

    def start(self) -> int:
        """See `OrderedLog.start`: nothing is ever dropped."""
        return 0

    def end(self) -> int:
        """See `OrderedLog.end`."""
        return self._end

    def quiet(self, offset: int) -> bool:
        """See `OrderedLog.quiet`."""
        return offset == self._end and self._appends.none

    def illness(self) -> str | None:
        """See `OrderedLog.illness`: a disk that fails stops the process."""
        return None

    async def close(self) -> None:
        """See `OrderedLog.close`."""
        if not self._closed:
            self._closed = True
            self._appends.close()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._thread.shutdown()
            self._records.close()

    async def _write(self) -> None:
        """Write and sync, again and again, whatever has been appended meanwhile."""
        loop = asyncio.get_running_loop()
        rested_at = 0.0
        try:
            while await self._appends.some():
                if rested_at > (now := loop.time()):
                    await asyncio.sleep(rested_at - now)
                batch = self._appends.take()
                began = loop.time()
                records = [record for record, _ in batch]
                try:
                    first = await loop.run_in_executor(self._thread, self._store, records)
                except Exception as fault:
                    self._fail(fault, batch)
                    return
                ended = loop.time()
                rested_at = ended + min(REST_SHARE * (ended - began), REST_S_MAX)
                self._appends.written()
                self._publish(first, records)
                for offset, (_, durable) in enumerate(batch, first):
                    if not durable.cancelled():
                        durable.set_result(offset)
        finally:
            self._grown.set()
            self._appends.close()

    def _store(self, records: Sequence[bytes]) -> int:
        first = self._records.append(records)
        self._records.sync()
        return first

    def _publish(self, first: int, records: Sequence[bytes]) -> None:
        self._fresh.append([Entry(offset, record) for offset, record in enumerate(records, first)])
        self._fresh_bytes += sum(map(len, records))
        if self._fresh_bytes > FRESH_BYTES_MAX:
            self._fresh.clear()
            self._fresh_bytes = 0
        self._end = first + len(records)
        self._grown.set()

    def _take_fresh(self, start: int) -> list[Entry]:
        while self._fresh and self._fresh[0][0].offset <= start:
            entries = self._fresh.popleft()
            self._fresh_bytes -= sum(len(entry.record) for entry in entries)
            if entries[-1].offset >= start:
                return entries[start - entries[0].offset :]
        return []

    def _read(self, start: int, stop: int) -> list[Entry]:
        found, size = [], 0
        for offset, record in enumerate(self._records.iterate(start, min(stop, start + READ_RECORDS_MAX)), start):
            found.append(Entry(offset, record))
            size += len(record)
            if size > READ_BYTES_MAX:
                break
        return found

    def _fail(self, fault: Exception, batch: Batch) -> None:
        """Nobody knows what is stored now: nothing more is taken, and nothing that waits is acknowledged."""
        self._fault = fault
        refuse((*batch, *self._appends.take()), fault)


async def open_file_log(place: LogPlace) -> FileLog:
    """See `OpenLog`."""
    return await FileLog.open(place.disk, place.folder)
