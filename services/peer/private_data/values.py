"""Private values by their hash."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import plyvel

from services.runtime.disk import RealDisk, StorageError
from services.runtime.formats import Format

# LevelDB keeps this much unwritten data in memory; approvals are small and rare.
WRITE_BUFFER_BYTES = 64 * 1024
DATA_SUFFIXES = frozenset({".ldb", ".sst", ".log"})  # what LevelDB writes once CURRENT is there
FORMAT = Format("private values", 1, "run the release that wrote them")


class PrivateValuesFault(StorageError):
    """The values cannot be read or kept. No block brings them back, so nothing here is ever thrown away."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"private values {folder}: {reason}; restore them from a backup")
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
    """Values in a LevelDB of their own."""

    def __init__(self, folder: Path) -> None:
        """Raises PrivateValuesFault, OtherFormat."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        FORMAT.check(RealDisk(), folder)
        if not (folder / "CURRENT").exists() and any(path.suffix in DATA_SUFFIXES for path in folder.iterdir()):
            raise PrivateValuesFault(folder, "CURRENT is missing, and would be made anew without the values")
        with self._named():
            self._db = plyvel.DB(
                str(folder), create_if_missing=True, paranoid_checks=True, write_buffer_size=WRITE_BUFFER_BYTES
            )

    def keep(self, values: Iterable[bytes]) -> None:
        """Raises PrivateValuesFault."""
        with self._named(), self._db.write_batch(sync=True) as batch:
            for value in values:
                batch.put(hashlib.sha256(value).digest(), value)

    def get(self, value_hash: bytes) -> bytes | None:
        """Raises PrivateValuesFault."""
        with self._named():
            value: bytes | None = self._db.get(value_hash, verify_checksums=True)
        return value

    def close(self) -> None:
        """Release the files."""
        self._db.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except plyvel.Error as error:
            raise PrivateValuesFault(self._folder, str(error)) from error
