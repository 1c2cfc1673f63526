"""A disk in memory that loses power on request: the twin of `disk.RealDisk`, and the judge of every durable store.

A crash keeps what was synced. Of the rest, each 512-byte sector survives or not, whatever the order of writing, and
in each folder a first part of the renames, creations and removals does; which, a seed decides.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from services.runtime.disk import DiskFault, DiskFile, DiskLock, InUse, StorageError

SECTOR_BYTES = 512
FREE_BYTES = 2**40  # to begin with


class PowerLoss(StorageError):
    """The machine is off: nothing reaches the disk until `MemoryDisk.restart`."""


@dataclass(slots=True)
class _Contents:
    """A file's bytes as programs see them, as the platters hold them, and the changes in between."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)  # (offset, data); no data: cut there

    def survive(self, rng: random.Random) -> None:
        """Keep the durable part, and of the changes what chance keeps."""
        luck = rng.choice((0.0, 0.5, 0.9, 1.0))
        kept = bytearray(self.durable)
        for offset, data in self.changes:
            if data is None:
                if rng.random() < luck:
                    del kept[offset:]
                continue
            for start, sector in _sectors(offset, data):
                if rng.random() < luck:
                    kept.extend(bytes(max(0, start - len(kept))))
                    kept[start : start + len(sector)] = sector
        self.seen, self.durable, self.changes = kept, bytes(kept), []


_Deed = Callable[[dict[Path, _Contents]], object]


class MemoryDisk:
    """Files in memory, with a switch for the power."""

    def __init__(self) -> None:
        self._seen: dict[Path, _Contents] = {}
        self._durable: dict[Path, _Contents] = {}
        self._renames: list[tuple[Path, _Deed]] = []  # (folder, what it does to the names)
        self._folders: set[Path] = set()
        self._deeds_left: int | None = None
        self._generation = 0
        self._locked: set[Path] = set()
        self.deeds = 0  # writes, cuts, syncs, creations, renames and removals so far
        self.failing_syncs = False
        self.free_bytes = FREE_BYTES

    def cut_power_after(self, deeds: int) -> None:
        """Let that many more changing deeds happen; the next raises PowerLoss, and so does everything after it."""
        self._deeds_left = deeds

    def restart(self, seed: int = 0) -> None:
        """Lose power, if it is still on, and come back with what survived. Open files are gone."""
        rng = random.Random(seed)  # noqa: S311 - chance in a simulation, not a secret
        kept: dict[Path, int] = {}
        for folder in sorted({folder for folder, _ in self._renames}):
            kept[folder] = rng.randint(0, sum(1 for of, _ in self._renames if of == folder))
        for folder, deed in self._renames:
            if kept[folder] > 0:
                kept[folder] -= 1
                deed(self._durable)
        for path in sorted(self._durable):
            self._durable[path].survive(rng)
        self._seen = dict(self._durable)
        self._renames = []
        self._deeds_left = None
        self._generation += 1
        self._locked = set()

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        if create:
            if path in self._seen:
                raise FileExistsError(path)
            contents = _Contents()
            self._name(path.parent, lambda names: names.__setitem__(path, contents))
        if path not in self._seen:
            raise FileNotFoundError(path)
        return _MemoryFile(self, path, self._seen[path], self._generation)

    def lock(self, path: Path) -> DiskLock:
        """See `Disk.lock`."""
        if path in self._locked:
            raise InUse(path)
        self._locked.add(path)
        return _MemoryLock(self._locked, path)

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return path in self._seen or path in self._folders

    def folders(self, folder: Path) -> list[str]:
        """See `Disk.folders`."""
        return sorted(each.name for each in self._folders if each.parent == folder != each)

    def list(self, folder: Path) -> list[str]:
        """See `Disk.list`."""
        return sorted(path.name for path in self._seen if path.parent == folder)

    def make_folder(self, folder: Path) -> None:
        """See `Disk.make_folder`."""
        self._folders.update((folder, *folder.parents))

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        assert source.parent == target.parent

        def deed(names: dict[Path, _Contents]) -> None:
            if source in names:
                names[target] = names.pop(source)

        self._name(source.parent, deed)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        self._name(path.parent, lambda names: names.pop(path, None))

    def sync_folder(self, folder: Path) -> None:
        """See `Disk.sync_folder`."""
        self.spend()
        if self.failing_syncs:
            raise DiskFault(folder, "sync", OSError("injected"))
        for of, deed in self._renames:
            if of == folder:
                deed(self._durable)
        self._renames = [(of, deed) for of, deed in self._renames if of != folder]

    def free(self, folder: Path) -> int:
        """See `Disk.free`: what a test has set."""
        return self.free_bytes

    def damage(self, path: Path, offset: int, mask: int = 0x01) -> None:
        """Flip bits of a stored byte, as a failing medium does."""
        contents = self._seen[path]
        contents.seen[offset] ^= mask
        contents.durable = bytes(contents.seen)
        contents.changes = []

    def size_of(self, path: Path) -> int:
        """Bytes in a file."""
        return len(self._seen[path].seen)

    def spend(self, generation: int | None = None) -> None:
        """Count one changing deed; raise PowerLoss when there is no power for it."""
        if generation is not None and generation != self._generation:
            raise PowerLoss
        if self._deeds_left is not None:
            if self._deeds_left == 0:
                raise PowerLoss
            self._deeds_left -= 1
        self.deeds += 1

    def _name(self, folder: Path, deed: _Deed) -> None:
        self.spend()
        deed(self._seen)
        self._renames.append((folder, deed))


class _MemoryLock:
    def __init__(self, locked: set[Path], path: Path) -> None:
        self._locked = locked
        self._path = path

    def release(self) -> None:
        self._locked.discard(self._path)


class _MemoryFile:
    def __init__(self, disk: MemoryDisk, path: Path, contents: _Contents, generation: int) -> None:
        self._disk = disk
        self._path = path
        self._contents = contents
        self._generation = generation
        self._fault: DiskFault | None = None

    @property
    def size(self) -> int:
        return len(self._contents.seen)

    def append(self, data: bytes) -> None:
        self._spend()
        self._contents.changes.append((self.size, bytes(data)))
        self._contents.seen += data

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._contents.seen[offset : offset + size])

    def truncate(self, size: int) -> None:
        self._spend()
        self._contents.changes.append((size, None))
        del self._contents.seen[size:]

    def sync(self) -> None:
        self._spend()
        if self._disk.failing_syncs:
            self._fault = DiskFault(self._path, "sync", OSError("injected"))
            raise self._fault
        self._contents.durable = bytes(self._contents.seen)
        self._contents.changes = []

    def close(self) -> None:
        """Nothing is held."""

    def _spend(self) -> None:
        if self._fault is not None:
            raise self._fault
        self._disk.spend(self._generation)


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    """A write, split where the disk's sectors end."""
    pieces = []
    while data:
        room = SECTOR_BYTES - offset % SECTOR_BYTES
        pieces.append((offset, data[:room]))
        offset, data = offset + room, data[room:]
    return pieces
