"""LevelDB with the settings and the suspicion that a ledger needs."""

import logging
import shutil
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import plyvel

from services.peer.ledger.errors import LedgerFault

logger = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 8 * 1024 * 1024
BLOCK_CACHE_BYTES = 8 * 1024 * 1024
OPEN_FILES_MAX = 200
BLOOM_BITS = 10  # about 1 % of look-ups of an unknown key read the disk
DOUBT_FILE = "DOUBT"
LAST_KEY = b"\xff" * 8  # behind every key of a ledger: each begins with a letter


class LevelReader:
    """Reads one LevelDB, or one snapshot of it. Damage is remembered, so that the next start rebuilds."""

    def __init__(self, source: Any, folder: Path) -> None:
        self._source = source
        self._folder = folder

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._source.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise self._fault(error) from error
        return value

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[tuple[bytes, bytes]]:
        """Entries from `start` up to, not including, `stop`. Reads a consistent state from its first entry on.

        Over LevelDB's own cursor: plyvel's other iterator takes damage for the end.
        """
        try:
            with closing(self._source.raw_iterator(verify_checksums=True)) as cursor:
                cursor.seek(stop if reverse else start)
                if reverse:
                    if cursor.valid():
                        cursor.prev()
                    else:
                        cursor.seek_to_last()
                while cursor.valid():
                    key, value = cursor.item()
                    if key < start if reverse else key >= stop:
                        return
                    yield key, value
                    if reverse:
                        cursor.prev()
                    else:
                        cursor.next()
        except plyvel.Error as error:
            raise self._fault(error) from error

    def _fault(self, error: plyvel.Error) -> LedgerFault:
        if isinstance(error, plyvel.CorruptionError):
            self._folder.with_name(DOUBT_FILE).touch()
        return LedgerFault(f"state database {self._folder}: {error}")


class LevelStore(LevelReader):
    """The database of one channel."""

    def __init__(self, folder: Path) -> None:
        self._db = _open_or_discard(folder)
        super().__init__(self._db, folder)

    def write(self, puts: list[tuple[bytes, bytes]], deletes: list[bytes]) -> None:
        """One atomic batch, not synced: after a power cut the block files bring it back."""
        try:
            with self._db.write_batch(transaction=True) as batch:
                for key, value in puts:
                    batch.put(key, value)
                for key in deletes:
                    batch.delete(key)
        except plyvel.Error as error:
            raise self._fault(error) from error

    def snapshot(self) -> tuple[LevelReader, Any]:
        """A reader of the present moment, and the handle to close."""
        handle = self._db.snapshot()
        return LevelReader(handle, self._folder), handle

    def empty(self) -> bool:
        """Whether nothing is stored."""
        with closing(self.scan(b"", LAST_KEY)) as entries:
            return next(entries, None) is None

    def close(self) -> None:
        self._db.close()

    def discard(self) -> None:
        """Close the database and forget it; the block files hold everything that it held."""
        self.close()
        _remove(self._folder)


def _remove(folder: Path) -> None:
    """All of it or a fault: what is left of a damaged database must not be opened again."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        if folder.exists():
            raise LedgerFault(f"state database {folder} changes while it is removed") from None
    except OSError as error:
        raise LedgerFault(f"state database {folder} is not to be trusted and cannot be removed: {error}") from error


def _open_or_discard(folder: Path) -> Any:
    """Open with paranoid checks; what does not open for being damaged, or is in doubt, starts empty."""
    doubt = folder.with_name(DOUBT_FILE)
    if doubt.exists():
        logger.warning("state database %s was found damaged: rebuilding it from blocks", folder)
        _remove(folder)
        doubt.unlink()
    try:
        return _open(folder)
    except plyvel.CorruptionError as error:
        logger.warning("state database %s is damaged (%s): rebuilding it from blocks", folder, error)
    except plyvel.IOError as error:
        if "No such file" not in str(error):  # locked by another process, permissions, no space: not damage
            raise LedgerFault(f"state database {folder}: {error}") from error
        logger.warning("state database %s is incomplete (%s): rebuilding it from blocks", folder, error)
    _remove(folder)
    try:
        return _open(folder)
    except plyvel.Error as error:
        raise LedgerFault(f"state database {folder}: {error}") from error


def _open(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    return plyvel.DB(
        str(folder),
        create_if_missing=True,
        paranoid_checks=True,
        write_buffer_size=WRITE_BUFFER_BYTES,
        lru_cache_size=BLOCK_CACHE_BYTES,
        max_open_files=OPEN_FILES_MAX,
        bloom_filter_bits=BLOOM_BITS,
    )
