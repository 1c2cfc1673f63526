"""An append-only journal that is written anew without what is no longer needed, so that this leaves the disk.

Two record logs in turns. The first record of each says which is newer and how many records it took over: a newer one
that a crash left incomplete does not count.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from services.runtime.disk import Disk
from services.runtime.recordlog import RecordLog

FOLDERS = ("journal-a", "journal-b")

_HEAD = struct.Struct(">QQ")  # generation, records taken over


class Journal:
    """See the module. One thread at a time writes; any thread reads.

    Raises DiskFault, for good, and DamagedRecord.
    """

    def __init__(self, disk: Disk, folder: Path, log: RecordLog, generation: int) -> None:
        """For `open`."""
        self._disk = disk
        self._folder = folder
        self._log = log
        self._generation = generation
        self.size = 0  # bytes of the records that came since it was opened or written anew

    @classmethod
    def open(cls, disk: Disk, folder: Path) -> Self:
        """Open the journal in a folder that is there, or begin one."""
        logs = {name: RecordLog.open(disk, folder / name) for name in FOLDERS}
        whole: list[tuple[int, str]] = []
        for name, log in logs.items():
            if log.count:
                generation, taken = _HEAD.unpack(log.read(0))
                if log.count > taken:
                    whole.append((generation, name))
        generation, name = max(whole, default=(0, FOLDERS[0]))
        for other, log in logs.items():
            if other != name:
                log.close()
                _empty(disk, folder / other)
        if not whole:
            logs[name].close()
            return cls(disk, folder, _begin(disk, folder / name, 0, ()), 0)
        return cls(disk, folder, logs[name], generation)

    @property
    def records(self) -> Iterator[tuple[int, bytes]]:
        """All that it holds, each with its index."""
        return enumerate(self._log.iterate(1), start=1)

    def append(self, records: Sequence[bytes]) -> int:
        """Write records; the index of the first. They are durable when this returns."""
        first = self._log.append(records)
        self._log.sync()
        self.size += sum(map(len, records))
        return first

    def read(self, index: int) -> bytes:
        """One record."""
        return self._log.read(index)

    def renew(self, records: Sequence[bytes] = ()) -> None:
        """Hold just these records, durably: indexes begin at 1 again. Nothing else is left on the disk."""
        old, old_folder = self._log, self._folder / FOLDERS[self._generation % 2]
        self._generation += 1
        self._log = _begin(self._disk, self._folder / FOLDERS[self._generation % 2], self._generation, records)
        self.size = 0
        old.close()
        _empty(self._disk, old_folder)

    def close(self) -> None:
        """Release the files."""
        self._log.close()


def _begin(disk: Disk, folder: Path, generation: int, records: Sequence[bytes]) -> RecordLog:
    _empty(disk, folder)
    log = RecordLog.open(disk, folder)
    log.append([_HEAD.pack(generation, len(records)), *records])
    log.sync()
    return log


def _empty(disk: Disk, folder: Path) -> None:
    """Remove a log's files: what helps to read it first, for a log that lacks what its index has counts as damaged."""
    names = disk.list(folder) if disk.exists(folder) else []
    indexes = [name for name in names if name.endswith(".index")]
    for name in indexes:
        disk.remove(folder / name)
    if indexes:
        disk.sync_folder(folder)
    for name in sorted(set(names) - set(indexes), reverse=True):  # a log without its first segment is a damaged one
        disk.remove(folder / name)
        disk.sync_folder(folder)
