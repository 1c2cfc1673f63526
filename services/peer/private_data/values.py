"""Private values by their hash."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import plyvel

# LevelDB keeps this much unwritten data in memory; approvals are small and rare.
WRITE_BUFFER_BYTES = 64 * 1024


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
        folder.mkdir(parents=True, exist_ok=True)
        self._db = plyvel.DB(
            str(folder), create_if_missing=True, paranoid_checks=True, write_buffer_size=WRITE_BUFFER_BYTES
        )

    def keep(self, values: Iterable[bytes]) -> None:
        with self._db.write_batch(sync=True) as batch:
            for value in values:
                batch.put(hashlib.sha256(value).digest(), value)

    def get(self, value_hash: bytes) -> bytes | None:
        value: bytes | None = self._db.get(value_hash)
        return value

    def close(self) -> None:
        """Release the files."""
        self._db.close()
