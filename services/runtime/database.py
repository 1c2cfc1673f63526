"""Databases of what can be made again, such as the state that follows from blocks.

A batch is written wholly or not at all, and is not durable: after a crash a database holds what a first part of its
batches left, perhaps none. `flush` and `close` keep all of them. A database that is found damaged is thrown away, at
once when it is opened, or at its next opening when a read has met the damage; whoever opens it makes it anew from its
sources. One that has no sources is opened as a precious one: that stays as it is, and cannot be opened.

`LevelDatabases` keeps them on this machine, `memorydatabase.MemoryDatabases` in memory.
"""

import logging
import shutil
import threading
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import plyvel

from services.runtime.disk import StorageError

logger = logging.getLogger(__name__)

WRITE_BUFFER_BYTES = 4 * 1024 * 1024  # batches that a crash takes are made again: some 12,000 transactions, in a second
BLOCK_CACHE_BYTES = 8 * 1024 * 1024
OPEN_FILES_MAX = 200
BLOOM_BITS = 10  # about 1 % of look-ups of an unknown key read the disk
SCANS_AWAITED_S = 1.0  # before an erasure is given up, to be done again
COMPACTED_ALONE_MAX = 8  # keys: around each a table or two of 2 MB are written anew
DOUBT_FILE = "DOUBT"  # beside a database that is not to be trusted
_BEHIND_ALL = b"\xff" * 64


class DatabaseFault(StorageError):
    """A database cannot be read or written. Never retried: its next opening tells what is there."""

    def __init__(self, folder: Path, reason: object) -> None:
        super().__init__(f"database {folder}: {reason}")
        self.folder = folder
        self.reason = str(reason)


class DamagedDatabase(DatabaseFault):
    """What is stored is not what was written. The next opening starts empty, unless the database is precious."""

    def __init__(self, folder: Path, reason: object, precious: bool = False) -> None:
        super().__init__(folder, reason)
        self.precious = precious

    def __str__(self) -> str:
        remedy = "restore it from a backup" if self.precious else "the next start makes it anew"
        return f"{super().__str__()}; {remedy}"


class DatabaseReader(Protocol):
    """Reads one database, or a snapshot of it, from any thread. Everything raises DatabaseFault."""

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        ...

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[tuple[bytes, bytes]]:
        """Entries from `start` up to, not including, `stop`. Reads a consistent state from its first entry on."""
        ...


class DatabaseSnapshot(DatabaseReader, Protocol):
    """One moment, whatever is written meanwhile."""

    def close(self) -> None:
        """Let go of the old data."""
        ...


class Database(DatabaseReader, Protocol):
    """An open database, ours alone."""

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes]) -> None:
        """One atomic batch."""
        ...

    def snapshot(self) -> DatabaseSnapshot:
        """A reader of the present moment."""
        ...

    def flush(self) -> None:
        """Keep everything that was written, whatever happens from now on."""
        ...

    def rewrite(self, keys: Sequence[bytes]) -> None:
        """Keep everything, and make ready to erase what these keys held before. Nobody else may write meanwhile."""
        ...

    def erase(self, keys: Sequence[bytes]) -> bool:
        """After `rewrite`, and alongside writes: of what these keys held before it, leave nothing in any file.

        False when a scan that is not over in a moment may hold old files in place: to be done again.
        """
        ...

    def close(self) -> None:
        """Keep everything that was written, if the disk can, and release the files."""
        ...


class Databases(Protocol):
    """Databases by folder."""

    def open(self, folder: Path, *, precious: bool = False) -> Database:
        """Open what is in a folder of an existing folder, or start empty. Raises DatabaseFault.

        Also for a precious database that is damaged; any other starts empty then.
        """
        ...

    def discard(self, folder: Path) -> None:
        """Forget a closed database; if that is broken off, its next opening does. Raises DatabaseFault."""
        ...


class LevelReader:
    """Reads one LevelDB, or one snapshot of it. Damage is remembered, so that the next opening starts empty."""

    def __init__(self, source: Any, folder: Path, *, precious: bool = False) -> None:
        self._source = source
        self._folder = folder
        self._precious = precious
        self._scans: set[object] = set()  # under way
        self._scan_ended = threading.Condition()

    def get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._source.get(key, verify_checksums=True)
        except plyvel.Error as error:
            raise self._fault(error) from error
        return value

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[tuple[bytes, bytes]]:
        """Over LevelDB's own cursor: plyvel's other iterator takes damage for the end."""
        scan = object()
        self._scans.add(scan)
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
        finally:
            with self._scan_ended:
                self._scans.discard(scan)
                self._scan_ended.notify_all()

    def _fault(self, error: plyvel.Error) -> DatabaseFault:
        if _is_damage(error):
            if not self._precious:
                with suppress(OSError):  # not remembered then: whoever reads there next meets it again
                    _doubt_of(self._folder).touch()
            return DamagedDatabase(self._folder, _text(error), self._precious)
        return DatabaseFault(self._folder, _text(error))


class LevelSnapshot(LevelReader):
    """See `DatabaseSnapshot`."""

    def close(self) -> None:
        self._source.close()


class LevelDatabase(LevelReader):
    """See `Database`."""

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes]) -> None:
        try:
            with self._source.write_batch(transaction=True) as batch:
                for key, value in puts:
                    batch.put(key, value)
                for key in deletes:
                    batch.delete(key)
        except plyvel.Error as error:
            raise self._fault(error) from error

    def snapshot(self) -> LevelSnapshot:
        self._scans.add(self)  # for good: nothing is ever erased from a database that snapshots are taken of
        return LevelSnapshot(self._source.snapshot(), self._folder, precious=self._precious)

    def flush(self) -> None:
        try:
            self._source.compact_range(start=_BEHIND_ALL, stop=_BEHIND_ALL)  # no key: writes the buffer to a table
        except plyvel.Error as error:
            raise self._fault(error) from error

    def rewrite(self, keys: Sequence[bytes]) -> None:
        """See `Database.rewrite`. Compaction merges only tables of different depth.

        What a key has now, or that it has nothing, is therefore written once more: into a table above all that hold it.
        """
        self.flush()
        now = [(key, self.get(key)) for key in keys]
        puts = [(key, found) for key, found in now if found is not None]
        self.write(puts, [key for key, found in now if found is None])

    def erase(self, keys: Sequence[bytes]) -> bool:
        """See `Database.erase`. Scans that began before are waited for, not new ones: those hold no old files."""
        try:
            for first, last in _ranges(sorted(keys)):
                self._source.compact_range(start=first, stop=last)
        except plyvel.Error as error:
            raise self._fault(error) from error
        with self._scan_ended:
            earlier = frozenset(self._scans)
            none_left = self._scan_ended.wait_for(lambda: earlier.isdisjoint(self._scans), SCANS_AWAITED_S)
        self.flush()  # removes whatever they, or somebody's `get`, held just now
        return none_left

    def close(self) -> None:
        if not self._source.closed:
            self.flush()
            self._source.close()


class LevelDatabases:
    """See `Databases`. Reads tables, which LevelDB syncs before it counts on them, and never a log, which it does not.

    A log that lost a sector to a power cut either keeps LevelDB from opening or, where a record begins in that sector,
    is read with a gap: newer batches without older ones, and nobody would notice.
    """

    def open(self, folder: Path, *, precious: bool = False) -> LevelDatabase:
        """See `Databases.open`. What is in doubt or does not open with paranoid checks is discarded."""
        if precious:
            try:
                return LevelDatabase(_open(folder), folder, precious=True)
            except plyvel.Error as error:
                kind = partial(DamagedDatabase, precious=True) if _is_damage(error) else DatabaseFault
                raise kind(folder, _text(error)) from error
        if _doubt_of(folder).exists():
            logger.warning("database %s was found damaged: it is made anew", folder)
            self.discard(folder)
        try:
            return LevelDatabase(_open(folder), folder)
        except plyvel.Error as error:
            if not _is_damage(error):
                raise DatabaseFault(folder, _text(error)) from error
            logger.warning("database %s is damaged (%s): it is made anew", folder, _text(error))
        self.discard(folder)
        try:
            return LevelDatabase(_open(folder), folder)
        except plyvel.Error as error:
            raise DatabaseFault(folder, _text(error)) from error

    def discard(self, folder: Path) -> None:
        """See `Databases.discard`. What is left of a damaged database must not be opened again."""
        doubt = _doubt_of(folder)
        try:
            doubt.touch()
            if folder.exists():
                shutil.rmtree(folder)
            doubt.unlink()
        except OSError as error:
            raise DatabaseFault(folder, f"not to be trusted and cannot be removed: {error}") from error


def _ranges(keys: Sequence[bytes]) -> Sequence[tuple[bytes, bytes]]:
    """What to compact for these sorted keys, first and last of each: each alone, or all that lies between many."""
    if len(keys) > COMPACTED_ALONE_MAX:
        return [(keys[0], keys[-1])]
    return [(key, key) for key in keys]


def _is_damage(error: plyvel.Error) -> bool:
    """Files that are wrong, missing or too short; not a lock, permissions, want of space or a disk that fails."""
    said = _text(error)
    return isinstance(error, plyvel.CorruptionError) or "No such file" in said or "Invalid argument" in said


def _text(error: plyvel.Error) -> str:
    """What LevelDB said, in bytes."""
    return str(error.args[0].decode(errors="replace"))


def _doubt_of(folder: Path) -> Path:
    return folder.with_name(DOUBT_FILE)


def _open(folder: Path) -> Any:
    try:
        folder.mkdir(exist_ok=True)
        for log in folder.glob("*.log"):
            log.unlink()
    except OSError as error:
        raise DatabaseFault(folder, error) from error
    return plyvel.DB(
        str(folder),
        create_if_missing=True,
        paranoid_checks=True,
        write_buffer_size=WRITE_BUFFER_BYTES,
        lru_cache_size=BLOCK_CACHE_BYTES,
        max_open_files=OPEN_FILES_MAX,
        bloom_filter_bits=BLOOM_BITS,
        compression=None,  # mostly digests and ciphertext: it would save a quarter of the room for twice LevelDB's time
    )
