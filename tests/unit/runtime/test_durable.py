"""A durable database keeps every acknowledged batch at every crash point, and forgets for good what it is told to."""

import itertools
import os
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime import durable
from services.runtime.database import DamagedDatabase, LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.durable import DurableDatabase
from services.runtime.journal import Journal
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk, PowerLoss
from services.runtime.recordlog import DamagedRecord

FOLDER = Path("/store")
END = b"\xff" * 4

Batch = tuple[dict[bytes, bytes], set[bytes]]
batches = st.lists(
    st.tuples(
        st.dictionaries(st.binary(min_size=1, max_size=2), st.binary(max_size=40), max_size=3),
        st.sets(st.binary(min_size=1, max_size=2), max_size=2),
    ),
    max_size=12,
)


def contents(database: DurableDatabase) -> dict[bytes, bytes]:
    return dict(database.scan(b"", END))


def states(of: Sequence[Batch]) -> list[dict[bytes, bytes]]:
    """What each number of batches comes to: puts, then deletes."""
    found: list[dict[bytes, bytes]] = [{}]
    for puts, deletes in of:
        found.append({key: value for key, value in {**found[-1], **puts}.items() if key not in deletes})
    return found


@settings(max_examples=60)
@given(batches, st.integers(0, 120), st.integers(0, 2**16), st.booleans())
def test_after_power_was_cut_all_that_was_acknowledged_is_there_and_nothing_is_torn(
    written: list[Batch], deeds: int, seed: int, erases: bool
) -> None:
    disk = MemoryDisk()
    databases = MemoryDatabases(disk, buffer_bytes=60)  # tables take batches at any moment
    acknowledged = 0
    disk.make_folder(FOLDER)
    disk.cut_power_after(deeds)
    try:
        database = DurableDatabase.open(disk, databases, FOLDER)
        for puts, deletes in written:
            database.write(list(puts.items()), list(deletes))
            acknowledged += 1
            if erases:
                assert database.erase(list(puts))
        database.close()
    except PowerLoss:
        pass
    disk.restart(seed)
    expected = states(written)
    for _ in range(2):  # and again, after a clean end
        database = DurableDatabase.open(disk, databases, FOLDER)
        assert contents(database) in expected[acknowledged : acknowledged + 2]
        database.close()


def test_a_long_journal_is_written_anew_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(durable, "JOURNAL_BYTES_MAX", 2000)
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    for number in range(100):
        database.write([(b"%d" % number, os.urandom(50))])
        sizes = [path.stat().st_size for path in tmp_path.glob("journal-*/*.records")]
        assert sum(sizes) < 4000
    assert len(contents(database)) == 100
    database.close()
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    assert len(contents(database)) == 100
    database.close()


def files_with(root: Path, what: bytes) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and what in path.read_bytes()]


@pytest.mark.parametrize("fill", [0, 3000, 40_000])
@pytest.mark.parametrize("reopened", [False, True])
def test_what_is_erased_is_in_no_file_any_more(fill: int, reopened: bool, tmp_path: Path) -> None:
    canaries, chance = [os.urandom(30) for _ in range(12)], random.Random(fill)
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    for number, canary in enumerate(canaries):
        database.write([(b"k%05d" % (number * 2000), b"old " + canary)])
    for _ in range(fill // 1000):
        database.write([(b"k%08d" % chance.randrange(10**8), os.urandom(100)) for _ in range(1000)])
    if reopened:
        database.close()
        database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    changed, deleted, many = b"k00000", b"k02000", [b"k%05d" % (number * 2000) for number in range(2, 12)]
    database.write([(changed, b"new")], [deleted, *many])
    assert files_with(tmp_path, canaries[0])
    assert database.erase([changed, deleted])
    assert [files_with(tmp_path, canary) for canary in canaries[:2]] == [[], []]
    assert database.erase(many)
    assert not any(files_with(tmp_path, canary) for canary in canaries)
    assert (database.get(changed), database.get(deleted)) == (b"new", None)
    database.close()
    assert not any(files_with(tmp_path, canary) for canary in canaries)


def test_an_open_scan_keeps_old_files_and_is_told_of(tmp_path: Path) -> None:
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    database.write([(b"a", b"1"), (b"b", b"2")])
    reading = database.scan(b"", END)
    next(reading)
    assert not database.erase([b"a"])
    reading.close()
    assert database.erase([b"a"])
    database.close()


def test_scans_that_follow_each_other_without_end_keep_no_old_files(tmp_path: Path) -> None:
    database, secret = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path), os.urandom(30)
    database.write([(b"%05d" % number, secret) for number in range(5000)])
    scans, ended = [database.scan(b"", END) for _ in range(3)], threading.Event()

    def scan_on() -> None:
        for place in itertools.cycle(range(len(scans))):
            if ended.wait(0.01):
                break
            scans[place].close()
            scans[place] = database.scan(b"", END)
            next(scans[place])  # there is always one that is open

    for scan in scans:
        next(scan)
    with ThreadPoolExecutor(1) as reader:
        reader.submit(scan_on)
        database.write([(b"%05d" % number, b"") for number in range(5000)])
        erased = database.erase([b"%05d" % number for number in range(5000)])
        left = files_with(tmp_path, secret)
        ended.set()
    assert erased
    assert not left
    for scan in scans:
        scan.close()
    database.close()


def test_a_damaged_table_is_no_reason_to_start_empty(tmp_path: Path) -> None:
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path)
    database.write([(b"a", b"1" * 200)])
    database.close()
    for table in (tmp_path / "tables").glob("*.ldb"):
        table.write_bytes(table.read_bytes()[:-20])
    before = sorted(path.name for path in (tmp_path / "tables").glob("*.ldb"))
    for _ in range(2):
        with pytest.raises(DamagedDatabase, match="restore it from a backup"):
            contents(DurableDatabase.open(RealDisk(), LevelDatabases(), tmp_path))
    assert sorted(path.name for path in (tmp_path / "tables").glob("*.ldb"))[: len(before)] == before


def test_a_damaged_journal_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "j").mkdir()
    journal = Journal.open(RealDisk(), tmp_path / "j")
    for number in range(3):
        journal.append([b"record %d " % number * 10])
    journal.close()
    (path,) = (tmp_path / "j").glob("journal-*/*.records")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"record 1") + 3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DamagedRecord):
        Journal.open(RealDisk(), tmp_path / "j")


@settings(max_examples=60)
@given(st.lists(st.one_of(st.binary(max_size=30), st.none()), max_size=14), st.integers(0, 150), st.integers(0, 2**16))
def test_a_journal_holds_what_it_was_last_written_anew_with_and_all_since(
    steps: list[bytes | None], deeds: int, seed: int
) -> None:
    """None: it is written anew with every second of its records."""
    disk = MemoryDisk()
    disk.make_folder(FOLDER)
    disk.cut_power_after(deeds)
    possible: list[list[bytes]] = [[]]  # what a crash now may leave
    try:
        journal = Journal.open(disk, FOLDER)
        held: list[bytes] = []
        for step in steps:
            after = held[::2] if step is None else [*held, step]
            possible = [held, after]
            if step is None:
                journal.renew(after)
            else:
                journal.append([step])
            held, possible = after, [after]
        journal.close()
    except PowerLoss:
        pass
    disk.restart(seed)
    journal = Journal.open(disk, FOLDER)
    assert [record for _, record in journal.records] in possible
    journal.close()
