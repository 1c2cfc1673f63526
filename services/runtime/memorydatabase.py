"""Databases in memory: the twin of `database.LevelDatabases`, on a `MemoryDisk`, whose crashes are theirs.

As LevelDB does, one writes its newest batches to where they are kept whenever a buffer is full; a crash takes those in
the buffer. After a power cut it may be found damaged at once, or by the first who reads a certain key.
"""

import random
from bisect import bisect_left, insort
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from services.runtime.database import DamagedDatabase, DatabaseFault
from services.runtime.disk import StorageError
from services.runtime.memorydisk import MemoryDisk, no_space

BUFFER_BYTES = 16 * 1024
DAMAGED_AT_ONCE = 0.1  # share of power cuts
DAMAGED_UNSEEN = 0.05


@dataclass(slots=True)
class _Stored:
    """Every key with its values, oldest first, each with the number of its batch; None: deleted."""

    keys: list[bytes] = field(default_factory=list)  # sorted
    values: dict[bytes, list[tuple[int, bytes | None]]] = field(default_factory=dict)
    batches: int = 0
    kept: int = 0  # batches that a crash leaves
    buffered: int = 0  # bytes of the others
    size: int = 0
    is_open: bool = False
    precious: bool = False
    damaged: bytes | None = None  # the key that will be found so

    def put(self, key: bytes, value: bytes | None) -> None:
        if key not in self.values:
            insort(self.keys, key)
            self.values[key] = []
        elif key == self.damaged:
            self.damaged = None
        self.values[key].append((self.batches, value))

    def get(self, key: bytes, batches: int) -> bytes | None:
        for batch, value in reversed(self.values.get(key, ())):
            if batch <= batches:
                return value
        return None

    def as_kept(self) -> "_Stored":
        """What a crash leaves."""
        left = ((key, self.get(key, self.kept)) for key in self.keys)
        there = {key: value for key, value in left if value is not None}
        size = sum(len(key) + len(value) for key, value in there.items())
        values: dict[bytes, list[tuple[int, bytes | None]]] = {key: [(0, value)] for key, value in there.items()}
        return _Stored(list(there), values, size=size, precious=self.precious, damaged=self.damaged)


class MemoryDatabases:
    """See `Databases`."""

    def __init__(self, disk: MemoryDisk, buffer_bytes: int = BUFFER_BYTES) -> None:
        self.disk = disk
        self.buffer_bytes = buffer_bytes
        self._stored: dict[Path, _Stored] = {}
        self._doubted: set[Path] = set()
        disk.shared_with(self)

    def open(self, folder: Path, *, precious: bool = False) -> "MemoryDatabase":
        """See `Databases.open`."""
        self.disk.do("open database", folder)
        if not self.disk.exists(folder.parent):
            raise DatabaseFault(folder, "No such file or directory")
        stored = self._stored.get(folder, _Stored())
        if stored.is_open:
            raise DatabaseFault(folder, "its lock is held")
        if folder in self._doubted:
            self._doubted.discard(folder)
            stored = _Stored()
        self._stored[folder] = stored = stored.as_kept()
        stored.is_open = True
        stored.precious = precious
        return MemoryDatabase(self, folder, stored)

    def discard(self, folder: Path) -> None:
        """See `Databases.discard`."""
        self.disk.do("discard database", folder)
        self._stored.pop(folder, None)
        self._doubted.discard(folder)

    def doubt(self, folder: Path) -> None:
        """Let the next opening start empty."""
        self._doubted.add(folder)

    @property
    def used(self) -> int:
        """See `memorydisk.Other`."""
        return sum(stored.size for stored in self._stored.values())

    def lose(self, rng: random.Random | None) -> None:
        """See `memorydisk.Other`."""
        for folder in sorted(self._stored):
            if not self.disk.exists(folder.parent):
                del self._stored[folder]
                continue
            stored = self._stored[folder] = self._stored[folder].as_kept()
            luck = 1.0 if rng is None else rng.random()
            if stored.precious:
                continue  # what is synced survives; that it does not is no way of recovering but an end
            if luck < DAMAGED_AT_ONCE:
                self.doubt(folder)
            elif rng is not None and luck < DAMAGED_AT_ONCE + DAMAGED_UNSEEN and stored.keys:
                stored.damaged = rng.choice(stored.keys)


class MemoryReader:
    """See `DatabaseReader`: what the first so many batches made, or all of them."""

    def __init__(self, databases: MemoryDatabases, folder: Path, stored: _Stored, batches: int | None = None) -> None:
        self._databases = databases
        self._folder = folder
        self._stored = stored
        self._batches = batches
        self._generation = databases.disk.generation
        self._closed = False

    def get(self, key: bytes) -> bytes | None:
        self._ready()
        self._read(key)
        return self._stored.get(key, self._until)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[tuple[bytes, bytes]]:
        """See `DatabaseReader.scan`."""
        until = self._until
        keys = self._stored.keys
        while True:
            self._ready()
            place = bisect_left(keys, stop) - 1 if reverse else bisect_left(keys, start)
            if not 0 <= place < len(keys):
                return
            key = keys[place]
            if key < start if reverse else key >= stop:
                return
            self._read(key)
            value = self._stored.get(key, until)
            if value is not None:
                yield key, value
            start, stop = (start, key) if reverse else (key + b"\0", stop)

    @property
    def _until(self) -> int:
        return self._stored.batches if self._batches is None else self._batches

    def _ready(self) -> None:
        self._databases.disk.look("read database", self._folder, self._generation)
        if self._closed:
            raise DatabaseFault(self._folder, "it is closed")

    def _read(self, key: bytes) -> None:
        if self._stored.damaged == key:
            self._databases.doubt(self._folder)
            raise DamagedDatabase(self._folder, "a checksum does not match")


class MemorySnapshot(MemoryReader):
    """See `DatabaseSnapshot`."""

    def close(self) -> None:
        self._closed = True


class MemoryDatabase(MemoryReader):
    """See `Database`."""

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes]) -> None:
        self._ready()
        disk, stored = self._databases.disk, self._stored
        disk.do("write database", self._folder)
        size = sum(len(key) + len(value) for key, value in puts)
        if disk.room("write database", self._folder, size) < size:
            raise no_space(self._folder, "write database")
        stored.batches += 1
        stored.size += size
        stored.buffered += size
        for key, value in puts:
            stored.put(key, value)
        for key in deletes:
            stored.put(key, None)
        if stored.buffered > self._databases.buffer_bytes:
            self._keep()

    def snapshot(self) -> MemorySnapshot:
        self._ready()
        return MemorySnapshot(self._databases, self._folder, self._stored, self._stored.batches)

    def flush(self) -> None:
        self._ready()
        self._keep()

    def rewrite(self, keys: Sequence[bytes]) -> None:
        self.flush()
        for key in keys:
            if key in self._stored.values:
                del self._stored.values[key][:-1]

    def erase(self, keys: Sequence[bytes]) -> bool:
        del keys
        self.flush()
        return True

    def close(self) -> None:
        """See `Database.close`. On a disk that fails, it only releases."""
        if not self._closed and self._generation == self._databases.disk.generation:
            with suppress(StorageError):
                self._keep()
            self._closed = True
            self._stored.is_open = False

    def _keep(self) -> None:
        self._databases.disk.do("sync database", self._folder)
        self._stored.kept, self._stored.buffered = self._stored.batches, 0
