"""An append-only log of records on disk: block n of a chain, or record n of an ordering log.

`append` gives records their indexes, `sync` makes them durable, all at once. After a crash the log holds every synced
record, and perhaps some later ones: a tail that was torn is cut off when the log is opened. A synced record that has
changed is `DamagedRecord`, at opening or at reading, and names its index. What was synced is told by each record, of
those before it, and by `close`. Of the newest batch of a process that was killed nobody tells: damage there passes for
a torn tail, which is logged.
"""

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from services.runtime.disk import Disk, StorageError
from services.runtime.segment import SALT_BYTES, DamagedRecord, Segment, UnknownFormat

SEGMENT_BYTES = 64 * 1024 * 1024  # a segment is closed by the first record behind this
OPEN_SEGMENTS_MAX = 8  # closed segments kept open for reading

__all__ = ["DamagedRecord", "RecordLog", "UnknownFormat"]


class RecordLog:
    """See the module. One thread at a time appends and syncs; any thread reads."""

    def __init__(
        self, disk: Disk, folder: Path, closed: list[int], last: Segment, segment_bytes: int, salt: Callable[[], bytes]
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._closed = closed  # index of the first record of each closed segment
        self._last = last
        self._segment_bytes = segment_bytes
        self._salt = salt
        self._readers: OrderedDict[int, Segment] = OrderedDict()
        self._lock = threading.Lock()
        self._durable = last.first + last.count
        self._fault: StorageError | None = None
        self._grew = False

    @classmethod
    def open(
        cls,
        disk: Disk,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        salt: Callable[[], bytes] = lambda: os.urandom(SALT_BYTES),
    ) -> Self:
        """Open the log in `folder`, or start one. Raises DamagedRecord, UnknownFormat, DiskFault."""
        disk.make_folder(folder)
        firsts = sorted(int(Path(name).stem) for name in disk.list(folder) if name.endswith(".records"))
        if firsts and firsts[0] != 0:
            raise DamagedRecord(folder / _name(firsts[0]), 0, "the log's first segment is missing")
        last = None
        while firsts and last is None:
            last = Segment.open_last(disk, folder / _name(firsts[-1]), firsts[-1])
            if last is None:
                if len(firsts) == 1:
                    break
                firsts.pop()  # begun when the power went, never written: its predecessor is the last one again
        if last is None:
            last = Segment.create(disk, folder / _name(0), 0, salt())
            firsts = [0]
        else:
            last.settle()  # what survived a crash unsynced is now part of the log: it must not vanish in the next one
            disk.sync_folder(folder)
        return cls(disk, folder, firsts[:-1], last, segment_bytes, salt)

    @property
    def count(self) -> int:
        """How many records there are, synced or not: the index of the next one."""
        last = self._last
        return last.first + last.count

    @property
    def durable_count(self) -> int:
        """How many records are known to survive a power cut."""
        return self._durable

    def append(self, records: Sequence[bytes]) -> int:
        """Write records, in order, in one piece; returns the index of the first. Not durable before `sync`.

        Raises DiskFault, for good.
        """
        with self._for_good():
            if self._last.count and self._last.end >= self._segment_bytes:
                self._roll()
            first = self.count
            self._last.append(records, self._durable)
            self._grew = True
        return first

    def sync(self) -> None:
        """Return once every record appended before the call is durable. Raises DiskFault, for good."""
        count = self.count
        with self._for_good():
            self._last.sync()
        self._durable = count

    def read(self, index: int) -> bytes:
        """One record. Raises IndexError, DamagedRecord."""
        return next(self.iterate(index, index + 1))

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Records from `start` up to `stop`, or up to those there are when the call is made."""
        stop = self.count if stop is None else stop
        if not 0 <= start <= stop <= self.count:
            raise IndexError(f"records {start} to {stop} of {self.count}")
        return self._iterate(start, stop)

    def close(self) -> None:
        """Release the files, and write down how many records there are, so that none goes missing unnoticed."""
        if self._grew and self._fault is None:
            with suppress(StorageError):  # a help, no promise
                self._last.seal()
        with self._lock:
            for reader in self._readers.values():
                reader.close()
            self._readers.clear()
        self._last.close()

    @contextmanager
    def _for_good(self) -> Iterator[None]:
        """Try nothing again that failed: neither the file nor the folder tells twice that something is lost."""
        if self._fault is not None:
            raise self._fault
        try:
            yield
        except StorageError as fault:
            self._fault = fault
            raise

    def _iterate(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            segment = self._segment_of(start)
            for record in segment.iterate(start):
                yield record
                start += 1
                if start == stop:
                    return

    def _segment_of(self, index: int) -> Segment:
        last = self._last
        if index >= last.first:
            return last
        with self._lock:
            place = bisect_right(self._closed, index) - 1
            first = self._closed[place]
            if first not in self._readers:
                after = self._closed[place + 1] if place + 1 < len(self._closed) else self._last.first
                path = self._folder / _name(first)
                self._readers[first] = Segment.open_closed(self._disk, path, first, after - first)
                if len(self._readers) > OPEN_SEGMENTS_MAX:
                    self._readers.popitem(last=False)  # its file closes when the last reader lets go of it
            self._readers.move_to_end(first)
            return self._readers[first]

    def _roll(self) -> None:
        """Close the last segment, durably and with its index, and start the next."""
        full, next_first = self._last, self.count
        full.seal()
        self._durable = next_first
        fresh = Segment.create(self._disk, self._folder / _name(next_first), next_first, self._salt())
        with self._lock:
            self._closed.append(full.first)
            self._readers[full.first] = full
            self._last = fresh


def _name(first: int) -> str:
    return f"{first:020d}.records"
