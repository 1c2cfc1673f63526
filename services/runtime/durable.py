"""A database for what follows from nothing else: its batches are durable, and it can forget for good.

A batch goes into a journal, synced, before it goes into a database that syncs nothing; opening applies the journal
again. Once the journal is long, the database keeps what it has and the journal is written anew.

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
from services.runtime.journal import Journal

JOURNAL_BYTES_MAX = 16 * 1024 * 1024  # of batches, before the database keeps them and the journal is written anew
TABLES = "tables"

_LENGTH = struct.Struct(">I")

Entry = tuple[bytes, bytes]


class DurableDatabase:
    """See the module. Any thread calls; batches are written one after the other.

    Folder: those of the journal, and `tables` (a database).
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        """For `open`."""
        self._database = database
        self._journal = journal
        self._writing = threading.Lock()

    @classmethod
    def open(cls, disk: Disk, databases: Databases, folder: Path) -> Self:
        """Open what is in a folder, or start empty. Raises DamagedRecord, DatabaseFault, DiskFault.

        Damage is no reason to start anew: nobody else may have what is lost.
        """
        disk.make_folder(folder)
        with ExitStack() as opened:
            journal = Journal.open(disk, folder)
            opened.callback(journal.close)
            database = databases.open(folder / TABLES, precious=True)
            opened.callback(database.close)
            for _, record in journal.records:
                database.write(*_decode(record))
            made = cls(database, journal)
            made._renew_journal()
            opened.pop_all()
            return made

    def get(self, key: bytes) -> bytes | None:
        """The value of a key."""
        return self._database.get(key)

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[Entry]:
        """Entries from `start` up to, not including, `stop`. Close it soon: `erase` is in vain meanwhile."""
        return self._database.scan(start, stop, reverse=reverse)

    def write(self, puts: Sequence[Entry], deletes: Sequence[bytes] = ()) -> None:
        """One atomic batch, durable when this returns.

        Tables never know more than the journal: it would undo what it does not hold when it is applied again.
        """
        with self._writing:
            self._journal.append([_encode(puts, deletes)])
            self._database.write(puts, deletes)
            if self._journal.size > JOURNAL_BYTES_MAX:
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
        """Have the database keep everything: the journal need not."""
        self._database.flush()
        self._journal.renew()


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
