"""A disk in memory whose power and processes fail on request: the twin of `disk.RealDisk`, and every store's judge.

A process that ends leaves what it wrote. A power cut leaves what was synced; of the rest, each 512-byte sector survives
or not, whatever the order of writing, and in each folder a first part of the creations, renames and removals does;
which, a seed decides. What a failed sync was to keep, no later sync keeps.
"""

import errno
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.runtime.disk import DiskFault, DiskFile, DiskLock, InUse, StorageError
from services.runtime.memoryfile import SECTOR_BYTES, Contents

FREE_BYTES = 2**40  # of a disk without a capacity


class PowerLoss(StorageError):
    """The machine, or the process that opened this file, is gone: nothing reaches the disk."""


@dataclass(slots=True)
class _Fault:
    deed: str
    place: str
    code: int
    skip: int
    for_good: bool


class Other(Protocol):
    """What lives on the same disk and is no file, as seen from here."""

    @property
    def used(self) -> int:
        """Bytes that it takes."""
        ...

    def lose(self, rng: random.Random | None) -> None:
        """The process has ended (None), or power was lost, and this chance decides what survives."""
        ...


_Names = dict[Path, Contents | None]  # None: a folder
_Deed = Callable[[_Names], object]


class MemoryDisk:
    """Files in memory. Every changing deed has a name such as `append /data/logs/health/#.records`."""

    def __init__(self) -> None:
        self._seen: _Names = {Path("/"): None}
        self._durable: _Names = {Path("/"): None}
        self._renames: list[tuple[Path, _Deed]] = []  # (folder, what it does to the names)
        self._deeds_left: int | None = None
        self._halted: str | None = None  # the deed at which power was cut
        self._last = "nothing"
        self._faults: list[_Fault] = []
        self._locked: set[Path] = set()
        self._others: list[Other] = []
        self.capacity: int | None = None  # bytes; give room by setting it anew
        self.generation = 0  # how often everything that was open was lost
        self.deeds = 0  # how many deeds so far
        self.done: Counter[str] = Counter()  # and which
        self.struck: Counter[str] = Counter()  # on what a crash, a power loss or a fault fell

    def cut_power_after(self, deeds: int) -> None:
        """Let that many more deeds happen. The next happens in part, or not at all; it and all later raise PowerLoss.

        Then `restart`, or `crash` if only the process is to have ended there.
        """
        self._deeds_left = deeds

    def restart(self, seed: int = 0) -> None:
        """Lose power, if it is still on, and come back with what survived. Open files and locks are gone."""
        rng = random.Random(seed)  # noqa: S311 - chance in a simulation, not a secret
        kept: dict[Path, int] = {}
        for folder in sorted({folder for folder, _ in self._renames}):
            kept[folder] = rng.randint(0, sum(1 for of, _ in self._renames if of == folder))
        for folder, deed in self._renames:
            if kept[folder] > 0:
                kept[folder] -= 1
                deed(self._durable)
        for path in sorted(self._durable, key=lambda path: path.parts):  # parents first
            if path.parent not in self._durable:
                del self._durable[path]  # what was in a folder is lost with the folder's name
        for path in sorted(self._durable):
            contents = self._durable[path]
            if contents is not None:
                contents.survive(rng)
        self._seen = dict(self._durable)
        self._renames = []
        self._lose("power loss", rng)

    def crash(self) -> None:
        """End the process, as kill -9 does. What it wrote stays; open files and locks are gone."""
        self._lose("crash", None)

    def shared_with(self, other: Other) -> None:
        """Let something else live on this disk: it shares the room, and what befalls the disk befalls it."""
        self._others.append(other)

    def fail(self, deed: str, place: str = "", *, code: int = errno.EIO, skip: int = 0, for_good: bool = False) -> None:
        """Let a deed of such a name (or `read`, `open`), in such a place, fail: the next, or one after `skip`."""
        self._faults.append(_Fault(deed, place, code, skip, for_good))

    def mend(self) -> None:
        """Let nothing fail any more."""
        self._faults = []

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        self.look("open", path)
        if create:
            if path in self._seen:
                raise FileExistsError(path)
            contents = Contents()
            self._name("create", path, lambda names: names.__setitem__(path, contents))
        return _MemoryFile(self, path, self._file(path), self.generation)

    def lock(self, path: Path) -> DiskLock:
        """See `Disk.lock`."""
        self._inside(path)
        if path in self._locked:
            raise InUse(path)
        self._locked.add(path)
        return _MemoryLock(self._locked, path)

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return path in self._seen

    def folders(self, folder: Path) -> list[str]:
        """See `Disk.folders`."""
        return [*self._entries(folder, folders=True)]

    def list(self, folder: Path) -> list[str]:
        """See `Disk.list`."""
        return [*self._entries(folder, folders=False)]

    def make_folder(self, folder: Path) -> None:
        """See `Disk.make_folder`."""
        if folder not in self._seen:
            self.make_folder(folder.parent)
            self._name("make folder", folder, lambda names: names.__setitem__(folder, None))
        self.sync_folder(folder.parent)

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        assert source.parent == target.parent
        self._file(source)

        def deed(names: _Names) -> None:
            if source in names:
                names[target] = names.pop(source)

        self._name("rename", source, deed)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        self._file(path)
        self._name("remove", path, lambda names: names.pop(path, None))

    def sync_folder(self, folder: Path) -> None:
        """See `Disk.sync_folder`."""
        self.do("sync folder", folder)
        for of, deed in self._renames:
            if of == folder:
                deed(self._durable)
        self._renames = [(of, deed) for of, deed in self._renames if of != folder]

    def free(self, folder: Path) -> int:
        """See `Disk.free`."""
        self.look("measure", folder)
        return FREE_BYTES if self.capacity is None else max(0, self.capacity - self.used)

    def damage(self, path: Path, offset: int, mask: int = 0x01) -> None:
        """Flip bits of a stored byte, as a failing medium does."""
        contents = self._file(path)
        contents.seen[offset] ^= mask
        contents.durable = bytearray(contents.seen)
        contents.changes = []

    def size_of(self, path: Path) -> int:
        """Bytes in a file."""
        return len(self._file(path).seen)

    def alive(self, path: Path, generation: int | None = None) -> None:
        """Raise PowerLoss when the machine is off, or what was opened in that generation is gone."""
        if self._halted is not None or (generation is not None and generation != self.generation):
            raise PowerLoss(path)

    def look(self, deed: str, path: Path, generation: int | None = None) -> None:
        """Raise what keeps a deed that changes nothing from being done: PowerLoss, DiskFault."""
        self.alive(path, generation)
        self._strike(deed, path)

    def do(self, deed: str, path: Path) -> None:
        """Count one changing deed, or raise what keeps it from being done: PowerLoss, DiskFault."""
        self.alive(path)
        self._last = _label(deed, path)
        self._strike(deed, path)
        if self._deeds_left is not None:
            if self._deeds_left == 0:
                self._halted = self._last
                raise PowerLoss(path)
            self._deeds_left -= 1
        self.deeds += 1
        self.done[self._last] += 1

    def room(self, deed: str, path: Path, size: int) -> int:
        """How many of so many more bytes the disk has room for."""
        room = size if self.capacity is None else min(size, max(0, self.capacity - self.used))
        if room < size:
            self.struck[f"full at {_label(deed, path)}"] += 1
        return room

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        files = sum(len(contents.seen) for contents in self._seen.values() if contents is not None)
        return files + sum(other.used for other in self._others)

    def _lose(self, how: str, rng: random.Random | None) -> None:
        self.struck[f"{how} after {self._last}" if self._halted is None else f"{how} at {self._halted}"] += 1
        self._deeds_left = self._halted = None
        self._locked = set()
        self.generation += 1
        for other in self._others:
            other.lose(rng)

    def _strike(self, deed: str, path: Path) -> None:
        if not self._faults:
            return
        label = _label(deed, path)
        for fault in self._faults:
            if label.startswith(fault.deed) and fault.place in label:
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if not fault.for_good:
                    self._faults.remove(fault)
                self.struck[f"fault at {label}"] += 1
                raise DiskFault(path, deed, OSError(fault.code, os.strerror(fault.code)))

    def _name(self, verb: str, path: Path, deed: _Deed) -> None:
        self._inside(path)
        if verb in ("create", "make folder") and self.room(verb, path, 1) == 0:
            raise no_space(path, verb)
        self.do(verb, path)
        deed(self._seen)
        self._renames.append((path.parent, deed))

    def _inside(self, path: Path) -> None:
        if path.parent not in self._seen:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))

    def _file(self, path: Path) -> Contents:
        contents = self._seen.get(path)
        if contents is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return contents

    def _entries(self, folder: Path, *, folders: bool) -> Sequence[str]:
        self._inside(folder / "any")
        return sorted(
            path.name
            for path, contents in self._seen.items()
            if path.parent == folder != path and (contents is None) == folders
        )


class _MemoryLock:
    def __init__(self, locked: set[Path], path: Path) -> None:
        self._locked = locked
        self._path = path

    def release(self) -> None:
        self._locked.discard(self._path)


class _MemoryFile:
    def __init__(self, disk: MemoryDisk, path: Path, contents: Contents, generation: int) -> None:
        self._disk = disk
        self._path = path
        self._contents = contents
        self._generation = generation
        self._fault: DiskFault | None = None

    @property
    def size(self) -> int:
        return len(self._contents.seen)

    def append(self, data: bytes) -> None:
        self._ready()
        try:
            self._do("append")
            room = self._disk.room("append", self._path, len(data))
            self._contents.change(self.size, data[:room])
            if room < len(data):
                raise no_space(self._path, "append")
        except PowerLoss:
            self._contents.change(self.size, data[: self._disk.deeds * SECTOR_BYTES % (len(data) + 1)])
            raise
        except DiskFault as fault:
            self._fault = fault
            raise

    def read(self, offset: int, size: int) -> bytes:
        self._disk.look("read", self._path, self._generation)
        return bytes(self._contents.seen[offset : offset + size])

    def rewrite(self, offset: int) -> None:
        self._ready()
        self._do("rewrite")
        self._contents.change(offset, bytes(self._contents.seen[offset:]))

    def truncate(self, size: int) -> None:
        self._ready()
        self._do("truncate")
        self._contents.change(size, None)

    def sync(self) -> None:
        self._ready()
        try:
            self._do("sync")
        except DiskFault:
            self._contents.forsake()
            raise
        self._contents.sync()

    def close(self) -> None:
        """Nothing is held."""

    def _ready(self) -> None:
        self._disk.alive(self._path, self._generation)
        if self._fault is not None:
            raise self._fault

    def _do(self, deed: str) -> None:
        try:
            self._disk.do(deed, self._path)
        except DiskFault as fault:
            self._fault = fault
            raise


def no_space(path: Path, deed: str) -> DiskFault:
    """The fault of a full disk."""
    return DiskFault(path, deed, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def _label(deed: str, path: Path) -> str:
    """A deed's name, the same for all files that a number tells apart."""
    return f"{deed} {re.sub('[0-9]+', '#', str(path))}"
