"""A disk that shows what a start would see, and leaves everything as it is.

What a start repairs is repaired in what is seen only, and remembered in `cuts`.
"""

from pathlib import Path

from services.runtime.disk import Disk, DiskFile, DiskLock, StorageError


class WouldChange(StorageError):
    """A start would write here, because something is missing."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is missing, or was never written to the end")
        self.path = path


class UnchangedDisk:
    """See `Disk`. Locks are taken: they change nothing that anybody reads."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.cuts: dict[Path, int] = {}  # bytes that a start would cut off, by file

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        if create:
            raise WouldChange(path)
        return _UnchangedFile(self._disk.open(path), path, self.cuts)

    def lock(self, path: Path) -> DiskLock:
        """See `Disk.lock`."""
        return self._disk.lock(path)

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return self._disk.exists(path)

    def folders(self, folder: Path) -> list[str]:
        """See `Disk.folders`."""
        return self._disk.folders(folder)

    def list(self, folder: Path) -> list[str]:
        """See `Disk.list`."""
        return self._disk.list(folder)

    def make_folder(self, folder: Path) -> None:
        """Nothing, where there is one."""
        if not self._disk.exists(folder):
            raise WouldChange(folder)

    def rename(self, source: Path, target: Path) -> None:
        """Never."""
        raise WouldChange(target)

    def remove(self, path: Path) -> None:
        """Never."""
        raise WouldChange(path)

    def sync_folder(self, folder: Path) -> None:
        """Nothing to sync."""

    def free(self, folder: Path) -> int:
        """See `Disk.free`."""
        return self._disk.free(folder)


class _UnchangedFile:
    """A file, up to where it was cut."""

    def __init__(self, file: DiskFile, path: Path, cuts: dict[Path, int]) -> None:
        self._file = file
        self._path = path
        self._cuts = cuts
        self._size = file.size

    @property
    def size(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        raise WouldChange(self._path)

    def read(self, offset: int, size: int) -> bytes:
        return self._file.read(offset, min(size, max(0, self._size - offset)))

    def rewrite(self, offset: int) -> None:
        """It is what it is."""

    def truncate(self, size: int) -> None:
        self._cuts[self._path] = self._file.size - size
        self._size = size

    def sync(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        self._file.close()
