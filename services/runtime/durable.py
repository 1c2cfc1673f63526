"""A database for what follows from nothing else: its batches are durable, and it can forget for good.

A batch goes into a journal, synced, before it goes into a database that syncs nothing; opening applies the journal
again. Once the journal is long, the database writes its buffer to tables and a fresh journal begins.

What was overwritten or deleted still stands in older tables and in the journal. `erase` gets it out of every file.
"""

import struct
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from services.runtime.database import Database, Databases
from services.runtime.disk import Disk, StorageError
from services.runtime.recordlog import RecordLog

JOURNAL_BYTES_MAX = 16 * 1024 * 1024  # of batches, before the database keeps them and a fresh journal begins
JOURNALS = ("journal-a", "journal-b")  # one in use; the other is empty, or not yet emptied
TABLES = "tables"

_LENGTH = struct.Struct(">I")
_GENERATION = struct.Struct(">Q")

Entry = tuple[bytes, bytes]


class DurableDatabase:
    """See the module. Any thread calls; batches are written one after the other.

    Folder: `journal-a`, `journal-b` (the first record of each says which is newer), `tables` (a database).
    """

    def __init__(self, disk: Disk, folder: Path, database: Database, journal: RecordLog, generation: int) -> None:
        """For `open`."""
        self._disk = disk
        self._folder = folder
        self._database = database
        self._journal = journal
        self._generation = generation
        self._journal_bytes = 0
        self._writing = threading.Lock()

    @classmethod
    def open(cls, disk: Disk, databases: Databases, folder: Path) -> Self:
        """Open what is in a folder, or start empty. Raises DamagedRecord, DatabaseFault, DiskFault.

        Damage is no reason to start anew: nobody else may have what is lost.
        """
        disk.make_folder(folder)
        with ExitStack() as opened:
            database = databases.open(folder / TABLES, precious=True)
            opened.callback(database.close)
            journals: list[tuple[int, RecordLog]] = []
            for name in JOURNALS:
                log = RecordLog.open(disk, folder / name)
                opened.callback(log.close)
                if log.count:
                    journals.append((_GENERATION.unpack(log.read(0))[0], log))
            journals.sort(key=lambda journal: journal[0])
            for _, log in journals:
                for record in log.iterate(1):
                    database.write(*_decode(record))
            newest = journals[-1][0] if journals else 0
            for _, log in journals:
                log.close()
            made = cls._begin(disk, folder, database, newest)
            opened.pop_all()
            return made

    @classmethod
    def _begin(cls, disk: Disk, folder: Path, database: Database, newest: int) -> Self:
        """Keep what the journals held, and begin a fresh one."""
        database.flush()
        for name in JOURNALS:
            _empty(disk, folder / name)
        return cls(disk, folder, database, _fresh(disk, folder, newest + 1), newest + 1)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._database.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[Entry]:
        """Entries from `start` up to, not including, `stop`. Close it: `erase` waits for none."""
        return self._database.scan(start, stop, reverse=reverse)

    def write(self, puts: Sequence[Entry], deletes: Sequence[bytes] = (), *, sync: bool = True) -> None:
        """One atomic batch, durable when this returns; without `sync` it is so with the next that is."""
        record = _encode(puts, deletes)
        with self._writing:
            self._journal.append([record])
            self._journal_bytes += len(record)
            if sync:
                self._journal.sync()
            self._database.write(puts, deletes)
            if self._journal_bytes > JOURNAL_BYTES_MAX:
                self._renew_journal()

    def erase(self, keys: Sequence[bytes]) -> bool:
        """Get what these keys once held out of all files: only what they hold now is left.

        False when somebody was reading meanwhile, and old files may still be there: try again.
        """
        with self._writing:
            self._renew_journal()
            self._database.rewrite(keys)
        return self._database.erase(keys)

    def close(self) -> None:
        """Release the files; nothing is left to be applied again."""
        with self._writing:
            with suppress(StorageError):  # then the journal stays
                self._renew_journal()
            self._database.close()
            self._journal.close()

    def _renew_journal(self) -> None:
        """Have the database keep everything, begin a fresh journal and empty the old one, durably."""
        self._database.flush()
        old = self._folder / JOURNALS[self._generation % 2]
        self._generation += 1
        fresh = _fresh(self._disk, self._folder, self._generation)
        self._journal.close()
        self._journal, self._journal_bytes = fresh, 0
        _empty(self._disk, old)


def _fresh(disk: Disk, folder: Path, generation: int) -> RecordLog:
    path = folder / JOURNALS[generation % 2]
    _empty(disk, path)
    journal = RecordLog.open(disk, path)
    journal.append([_GENERATION.pack(generation)])
    journal.sync()
    return journal


def _empty(disk: Disk, folder: Path) -> None:
    """Remove a log's files: what helps to read it first, for a log that lacks what its index has counts as damaged."""
    names = disk.list(folder) if disk.exists(folder) else []
    for some in ([name for name in names if name.endswith(".index")], names):
        for name in some:
            if disk.exists(folder / name):
                disk.remove(folder / name)
        if some:
            disk.sync_folder(folder)


def _encode(puts: Sequence[Entry], deletes: Sequence[bytes]) -> bytes:
    parts = [_LENGTH.pack(len(puts))]
    for key, value in puts:
        parts += (_LENGTH.pack(len(key)), key, _LENGTH.pack(len(value)), value)
    for key in deletes:
        parts += (_LENGTH.pack(len(key)), key)
    return b"".join(parts)


def _decode(record: bytes) -> tuple[list[Entry], list[bytes]]:
    offset = _LENGTH.size

    def part() -> bytes:
        nonlocal offset
        (size,) = _LENGTH.unpack_from(record, offset)
        start = offset + _LENGTH.size
        offset = start + size
        return record[start:offset]

    puts = [(part(), part()) for _ in range(_LENGTH.unpack_from(record)[0])]
    deletes = []
    while offset < len(record):
        deletes.append(part())
    return puts, deletes
