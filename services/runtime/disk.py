"""The few things that a durable store asks of a disk.

What is written survives a power cut only after `sync`; a file's name only after `sync_folder`. `RealDisk` is the
machine's; its twin `memorydisk.MemoryDisk` forgets, tears and reorders what was not synced.
"""

import fcntl
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class StorageError(Exception):
    """Something is wrong with what is stored, or with storing it."""


class DiskFault(StorageError):
    """The disk failed. Never retried: after a failed sync nobody knows what is stored (fsync reports a loss once)."""

    def __init__(self, path: Path, deed: str, cause: OSError) -> None:
        super().__init__(f"cannot {deed} {path}: {cause.strerror or cause}")
        self.path = path


class InUse(StorageError):
    """Another process, or another store of this one, has the lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is locked by another process")
        self.path = path


class DiskLock(Protocol):
    """A lock that is held until it is released, or its process ends."""

    def release(self) -> None:
        """Let others have it. Does nothing the second time."""
        ...


class DiskFile(Protocol):
    """An open file: appended to at its end, read anywhere."""

    @property
    def size(self) -> int:
        """Bytes in the file, synced or not."""
        ...

    def append(self, data: bytes) -> None:
        """Write at the end; durable after the next `sync`."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end of the file. May be called from any thread."""
        ...

    def rewrite(self, offset: int) -> None:
        """Write again what is there from `offset` on: a sync that failed may have left it in memory only, as clean."""
        ...

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; durable after the next `sync`."""
        ...

    def sync(self) -> None:
        """Return once contents and size are durable (fdatasync)."""
        ...

    def close(self) -> None:
        """Release the file. Does not sync."""
        ...


class Disk(Protocol):
    """Files by name. Renames stay within one folder. Everything may raise DiskFault."""

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """Open a file for reading and appending; `create` makes it, and it must not exist. Else FileNotFoundError."""
        ...

    def lock(self, path: Path) -> DiskLock:
        """Lock a file, made if need be, against every other holder. Raises InUse at once when there is one."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether a file or folder of this name exists."""
        ...

    def folders(self, folder: Path) -> list[str]:
        """Names of the folders in a folder, sorted."""
        ...

    def list(self, folder: Path) -> list[str]:
        """Names of the files in a folder, sorted."""
        ...

    def make_folder(self, folder: Path) -> None:
        """Make sure that a folder and its parents are there, durably."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in its folder, replacing what had it; durable after `sync_folder`."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; durable after `sync_folder`."""
        ...

    def sync_folder(self, folder: Path) -> None:
        """Return once the names in a folder are durable."""
        ...

    def free(self, folder: Path) -> int:
        """How many bytes may still be written to the disk of a folder, which need not be there yet."""
        ...


def write_whole(disk: Disk, path: Path, data: bytes) -> None:
    """Make `path` hold exactly `data`, durably; after a crash it holds the old contents or the new, never a mixture."""
    draft = path.with_name(path.name + ".draft")
    if disk.exists(draft):
        disk.remove(draft)
    file = disk.open(draft, create=True)
    try:
        file.append(data)
        file.sync()
    finally:
        file.close()
    disk.rename(draft, path)
    disk.sync_folder(path.parent)


def read_whole(disk: Disk, path: Path) -> bytes:
    """Everything in a file."""
    file = disk.open(path)
    try:
        return file.read(0, file.size)
    finally:
        file.close()


class RealDisk:
    """The file system of this machine."""

    def open(self, path: Path, *, create: bool = False) -> DiskFile:
        """See `Disk.open`."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        with _faults_of("create" if create else "open", path):
            return _RealFile(path, os.open(path, flags, 0o600))

    def lock(self, path: Path) -> DiskLock:
        """See `Disk.lock`."""
        with _faults_of("lock", path):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InUse(path) from None
        except OSError as error:
            os.close(descriptor)
            raise DiskFault(path, "lock", error) from error
        return _RealLock(descriptor)

    def exists(self, path: Path) -> bool:
        """See `Disk.exists`."""
        return path.exists()

    def folders(self, folder: Path) -> list[str]:
        """See `Disk.folders`."""
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())

    def list(self, folder: Path) -> list[str]:
        """See `Disk.list`."""
        return sorted(entry.name for entry in folder.iterdir() if entry.is_file())

    def make_folder(self, folder: Path) -> None:
        """See `Disk.make_folder`."""
        with _faults_of("make", folder):
            if not folder.is_dir():
                self.make_folder(folder.parent)
                folder.mkdir(mode=0o700, exist_ok=True)
            elif not os.access(folder.parent, os.R_OK):
                return  # somebody else made it
        self.sync_folder(folder.parent)  # even of one that is there: whoever made it may have ended before this

    def rename(self, source: Path, target: Path) -> None:
        """See `Disk.rename`."""
        with _faults_of("rename", source):
            source.replace(target)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        with _faults_of("remove", path):
            path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """See `Disk.sync_folder`."""
        with _faults_of("sync", folder):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def free(self, folder: Path) -> int:
        """See `Disk.free`."""
        try:
            there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
            found = os.statvfs(there)
        except OSError as error:
            raise DiskFault(folder, "measure", error) from error
        return found.f_bavail * found.f_frsize


@contextmanager
def _faults_of(deed: str, path: Path) -> Iterator[None]:
    """What the system refuses is a fault, but for a name that is there already, or is not."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise DiskFault(path, deed, error) from error


class _RealLock:
    """The lock of a descriptor (flock): the system lets go of it with the last process that has it open."""

    def __init__(self, descriptor: int) -> None:
        self.release = weakref.finalize(self, os.close, descriptor)


class _RealFile:
    """A file descriptor that refuses everything but reading after its first failure."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._fault: DiskFault | None = None
        self._closing = weakref.finalize(self, os.close, descriptor)  # by `close`, or when its last reader lets go

    @property
    def size(self) -> int:
        return self._size

    def append(self, data: bytes) -> None:
        self._guarded(f"write {len(data)} bytes to", lambda: self._write(data, self._size))

    def read(self, offset: int, size: int) -> bytes:
        try:
            found = os.pread(self._descriptor, size, offset)
            while len(found) < size:  # one pread returns at most 2 GiB, and may be interrupted
                more = os.pread(self._descriptor, size - len(found), offset + len(found))
                if not more:
                    break
                found += more
        except OSError as error:
            raise DiskFault(self._path, "read", error) from error
        return found

    def rewrite(self, offset: int) -> None:
        data = self.read(offset, self._size - offset)
        self._guarded("write to", lambda: self._write(data, offset))

    def truncate(self, size: int) -> None:
        self._guarded("cut", lambda: os.ftruncate(self._descriptor, size))
        self._size = size

    def sync(self) -> None:
        self._guarded("sync", lambda: os.fdatasync(self._descriptor))

    def close(self) -> None:
        self._closing()

    def _write(self, data: bytes, offset: int) -> None:
        left = memoryview(data)
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            offset += written
            self._size = max(self._size, offset)
            left = left[written:]

    def _guarded(self, deed: str, act: Callable[[], object]) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            act()
        except OSError as error:
            self._fault = DiskFault(self._path, deed, error)
            raise self._fault from error
