"""What a LevelDB keeps on its disk is seen without LevelDB: packed, cut up, overwritten or deleted."""

from collections.abc import Callable, Iterator
from pathlib import Path

import plyvel
import pytest

from tests.canary import leveldb
from tests.canary.leveldb import UnreadableTable


def write(folder: Path, work: Callable[[plyvel.DB], None], compression: str | None = "snappy") -> None:
    database = plyvel.DB(str(folder), create_if_missing=True, compression=compression)
    work(database)
    database.close()


def contents(folder: Path, kind: str) -> Iterator[bytes]:
    for file in folder.iterdir():
        if kind == "table" and leveldb.TABLE.fullmatch(file.name):
            yield from leveldb.entries(file.read_bytes())
        elif kind == "log" and leveldb.LOG.fullmatch(file.name):
            yield from leveldb.records(file.read_bytes())


def fill(database: plyvel.DB) -> None:
    for number in range(3000):
        database.put(b"a common beginning %06d" % number, b"value %06d " % number * 10)
    database.compact_range()


@pytest.mark.parametrize("compression", [None, "snappy"])
def test_every_entry_of_a_table_is_seen_with_its_whole_key(tmp_path: Path, compression: str | None) -> None:
    write(tmp_path, fill, compression)
    seen = {entry[: len(b"a common beginning 000000")]: entry for entry in contents(tmp_path, "table")}
    assert len(seen) == 3000
    assert seen[b"a common beginning 002999"].endswith(b"value 002999 " * 10)
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert raw.count(b"a common beginning 000001") == 0  # nobody who reads the file as it is sees it


def test_what_was_not_flushed_is_seen_in_the_log_however_long_it_is(tmp_path: Path) -> None:
    value = bytes(range(256)) * 1000
    write(tmp_path, lambda database: database.put(b"key", value))
    assert any(value in record for record in contents(tmp_path, "log"))
    assert not any(value in file.read_bytes() for file in tmp_path.iterdir())  # the log cuts it


def test_what_was_deleted_is_seen_until_it_is_compacted_away(tmp_path: Path) -> None:
    def deleted(database: plyvel.DB) -> None:
        database.put(b"key", b"a secret")
        database.delete(b"key")

    def compacted(database: plyvel.DB) -> None:
        for neighbour in (b"a", b"z"):
            database.put(neighbour, b"")  # tables that overlap are merged, and only then is anything left out
        database.compact_range(start=b"a", stop=b"zz")

    write(tmp_path, deleted)
    assert any(b"a secret" in record for record in contents(tmp_path, "log"))
    write(tmp_path, lambda _database: None)
    assert any(b"a secret" in entry for entry in contents(tmp_path, "table"))
    write(tmp_path, compacted)
    assert not any(b"a secret" in seen for kind in ("log", "table") for seen in contents(tmp_path, kind))


def test_a_log_that_breaks_off_is_seen_up_to_there(tmp_path: Path) -> None:
    write(tmp_path, lambda database: database.put(b"key", b"1234" * 10_000))
    (log,) = tmp_path.glob("*.log")
    (record,) = leveldb.records(log.read_bytes()[:20_000])
    assert record.count(b"1234") > 4_900


def test_a_table_that_cannot_be_read_is_no_table_without_findings(tmp_path: Path) -> None:
    write(tmp_path, fill)
    table = next(tmp_path.glob("*.ldb")).read_bytes()
    for broken in (b"", table[:-1], table[:-8] + bytes(8)):
        with pytest.raises(UnreadableTable):
            list(leveldb.entries(broken))


def test_a_folder_is_a_database_when_it_says_so(tmp_path: Path) -> None:
    assert not leveldb.is_database(tmp_path)
    write(tmp_path, fill)
    assert leveldb.is_database(tmp_path)
