"""Private values by their hash."""

import hashlib
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from services.runtime.disk import Disk, StorageError
from services.runtime.formats import Format
from services.runtime.recordlog import DamagedRecord, RecordLog

FORMAT = Format("private values", 2, "run the release that wrote them")
LOCK_FILE = "LOCK"  # held while a process has the others open
VALUES_FOLDER = "values"
_FORMAT_1_FILE = "CURRENT"  # of a LevelDB, which kept them in format 1


class PrivateValuesFault(StorageError):
    """A value is not what was kept. No block brings it back, so nothing here is ever thrown away."""

    def __init__(self, folder: Path, cause: DamagedRecord) -> None:
        super().__init__(f"private values {folder}: {cause}; restore them from a backup")
        self.folder = folder


class PrivateValues(Protocol):
    """The private values that this peer may hold."""

    def keep(self, values: Iterable[bytes]) -> None:
        """Remember values; they are durable when this returns."""
        ...

    def get(self, value_hash: bytes) -> bytes | None:
        """The value with this SHA-256."""
        ...


class MemoryPrivateValues:
    """The twin in memory."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def keep(self, values: Iterable[bytes]) -> None:
        self._values.update((hashlib.sha256(value).digest(), value) for value in values)

    def get(self, value_hash: bytes) -> bytes | None:
        return self._values.get(value_hash)


class StoredPrivateValues:
    """Values on a disk, and their hashes in memory. Called by any thread.

    Folder: `FORMAT`, `LOCK`, `values/` (a record per value, in the order of coming). A value that a crash tore was
    never acknowledged, and is cut off; any other damage is a fault.
    """

    def __init__(self, disk: Disk, folder: Path) -> None:
        """Raises PrivateValuesFault, OtherFormat, InUse, DiskFault."""
        self._folder = folder
        self._keeping = threading.Lock()
        self._places: dict[bytes, int] = {}  # of durable values
        with ExitStack() as opened:  # closed again if a value is damaged
            disk.make_folder(folder)
            self._lock = disk.lock(folder / LOCK_FILE)
            opened.callback(self._lock.release)
            FORMAT.check(disk, folder, _FORMAT_1_FILE)
            try:
                self._records = RecordLog.open(disk, folder / VALUES_FOLDER)
                opened.callback(self._records.close)
                self._add(self._records.iterate(), 0)
            except DamagedRecord as error:
                raise PrivateValuesFault(folder, error) from error
            self._opened = opened.pop_all()

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self._places)

    def keep(self, values: Iterable[bytes]) -> None:
        """See `PrivateValues.keep`. Raises DiskFault, for good."""
        with self._keeping:
            fresh = [value for value in values if hashlib.sha256(value).digest() not in self._places]
            if fresh:
                first = self._records.append(fresh)
                self._records.sync()
                self._add(fresh, first)

    def get(self, value_hash: bytes) -> bytes | None:
        """See `PrivateValues.get`. Raises PrivateValuesFault, DiskFault."""
        place = self._places.get(value_hash)
        try:
            return None if place is None else self._records.read(place)
        except DamagedRecord as error:
            raise PrivateValuesFault(self._folder, error) from error

    def close(self) -> None:
        """Release the files."""
        self._opened.close()

    def _add(self, values: Iterable[bytes], first: int) -> None:
        for place, value in enumerate(values, first):
            self._places[hashlib.sha256(value).digest()] = place
