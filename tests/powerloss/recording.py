"""A real disk, below a folder, that remembers what was synced and copies everything at the moments that matter."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.runtime.database import Database, LevelDatabases
from services.runtime.disk import Disk, DiskFile, DiskLock, RealDisk

Undo = Callable[[Path], None]
"""Takes back a name that was made, changed or removed in a copy."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A copy, and what a power cut could not have taken at that moment."""

    copy: Path
    label: str
    acknowledged: object
    durable: dict[Path, int]  # bytes of each file that are synced; its path within the copy
    undos: tuple[tuple[Undo, ...], ...]  # of each folder's unsynced names, oldest first


Moments = list[Moment]  # RootedDisk has a `list` of its own
Undos = list[Undo]


class RootedDisk:
    """See `Disk`: the real one, with paths that begin at a root of its own."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._disk: Disk = RealDisk()

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        return self._disk.open(self._real(path), create=create)

    def lock(self, path: Path) -> DiskLock:
        """See `Disk.lock`."""
        return self._disk.lock(self._real(path))

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return self._disk.exists(self._real(path))

    def folders(self, folder: Path) -> list[str]:
        """See `Disk.folders`."""
        return self._disk.folders(self._real(folder))

    def list(self, folder: Path) -> list[str]:
        """See `Disk.list`."""
        return self._disk.list(self._real(folder))

    def make_folder(self, folder: Path) -> None:
        """See `Disk.make_folder`."""
        self._disk.make_folder(self._real(folder))

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        self._disk.rename(self._real(source), self._real(target))

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        self._disk.remove(self._real(path))

    def sync_folder(self, folder: Path) -> None:
        """See `Disk.sync_folder`."""
        self._disk.sync_folder(self._real(folder))

    def free(self, folder: Path) -> int:
        """See `Disk.free`."""
        return self._disk.free(self._real(folder))

    def _real(self, path: Path) -> Path:
        return self._root / _within(path)


class RecordedDisk(RootedDisk):
    """Takes a moment before each sync. One deed at a time."""

    def __init__(self, root: Path, copies: Path, acknowledged: Callable[[], object]) -> None:
        """`acknowledged` says what the store has promised by now."""
        super().__init__(root)
        self.moments: Moments = []
        self._copies = copies
        self._acknowledged = acknowledged
        self._deeds = threading.RLock()
        self._durable: dict[Path, int] = {}
        self._undos: dict[Path, Undos] = {}

    def take(self, label: str) -> None:
        """Remember this moment."""
        with self._deeds:
            copy = self._copies / str(len(self.moments))
            shutil.copytree(self._root, copy, ignore=shutil.ignore_patterns("LOCK"))
            undos = tuple(tuple(each) for each in self._undos.values() if each)
            self.moments.append(Moment(copy, label, self._acknowledged(), dict(self._durable), undos))

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        with self._deeds:
            file = super().open(path, create=create)
            if create:
                self._durable[_within(path)] = 0
                self._renamed(path, lambda root: (root / _within(path)).unlink())
            return _RecordedFile(self, file, path)

    def make_folder(self, folder: Path) -> None:
        """See `Disk.make_folder`."""
        with self._deeds:
            super().make_folder(folder)

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        with self._deeds:
            replaced = self._real(target).read_bytes() if self.exists(target) else None
            super().rename(source, target)
            self._durable[_within(target)] = self._durable.pop(_within(source))

            def undo(root: Path) -> None:
                (root / _within(target)).rename(root / _within(source))
                if replaced is not None:
                    (root / _within(target)).write_bytes(replaced)

            self._renamed(target, undo)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        with self._deeds:
            removed = self._real(path).read_bytes()
            super().remove(path)

            def undo(root: Path) -> None:
                (root / _within(path)).write_bytes(removed)

            self._renamed(path, undo)

    def sync_folder(self, folder: Path) -> None:
        """See `Disk.sync_folder`."""
        with self._deeds:
            self.take(f"before the sync of {folder}")
            super().sync_folder(folder)
            self._undos[folder] = []

    def sync(self, path: Path, file: DiskFile) -> None:
        """Carry out the sync of a file."""
        with self._deeds:
            self.take(f"before the sync of {path}")
            file.sync()
            self._durable[_within(path)] = file.size

    def truncate(self, path: Path, file: DiskFile, size: int) -> None:
        """Carry out the cut of a file."""
        with self._deeds:
            file.truncate(size)
            self._durable[_within(path)] = min(self._durable[_within(path)], size)

    def _renamed(self, path: Path, undo: Undo) -> None:
        self._undos.setdefault(path.parent, []).append(undo)


class _RecordedFile:
    def __init__(self, disk: RecordedDisk, file: DiskFile, path: Path) -> None:
        self._disk = disk
        self._file = file
        self._path = path

    @property
    def size(self) -> int:
        return self._file.size

    def append(self, data: bytes) -> None:
        self._file.append(data)

    def read(self, offset: int, size: int) -> bytes:
        return self._file.read(offset, size)

    def rewrite(self, offset: int) -> None:
        self._file.rewrite(offset)

    def truncate(self, size: int) -> None:
        self._disk.truncate(self._path, self._file, size)

    def sync(self) -> None:
        self._disk.sync(self._path, self._file)

    def close(self) -> None:
        self._file.close()


class RootedDatabases:
    """See `Databases`: LevelDB's, below the same root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._databases = LevelDatabases()

    def open(self, folder: Path, *, precious: bool = False) -> Database:
        """See `Databases.open`."""
        return self._databases.open(self._root / _within(folder), precious=precious)

    def discard(self, folder: Path) -> None:
        """See `Databases.discard`."""
        self._databases.discard(self._root / _within(folder))


def _within(path: Path) -> Path:
    return path.relative_to("/")
