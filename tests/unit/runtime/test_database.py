"""Databases: batches are whole, snapshots stand still, a crash takes the newest, damage never looks like the end."""

from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.database import DOUBT_FILE, DamagedDatabase, DatabaseFault, Databases, LevelDatabases
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk, PowerLoss

KEYS = [b"k%05d" % number for number in range(4000)]
FOLDER = Path("/data/state")


def in_memory(folder: Path) -> Databases:
    disk = MemoryDisk()
    disk.make_folder(folder)
    return MemoryDatabases(disk)


def on_disk(_folder: Path) -> Databases:
    return LevelDatabases()


@pytest.fixture(params=[on_disk, in_memory])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Databases:
    make: Callable[[Path], Databases] = request.param
    return make(tmp_path)


def everything(databases: Databases, folder: Path) -> list[tuple[bytes, bytes]]:
    opened = databases.open(folder)
    try:
        return list(opened.scan(b"", b"\xff"))
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("start", "stop"),
    [(b"", b"l"), (KEYS[0], KEYS[-1]), (KEYS[7], KEYS[3000]), (KEYS[7], KEYS[7]), (b"l", b"m"), (b"a", b"b")],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_gives_the_keys_from_start_up_to_stop(
    databases: Databases, tmp_path: Path, start: bytes, stop: bytes, reverse: bool
) -> None:
    opened = databases.open(tmp_path / "state")
    opened.write([(key, key * 4) for key in KEYS], [])
    wanted = [(key, key * 4) for key in KEYS if start <= key < stop]
    assert list(opened.scan(start, stop, reverse=reverse)) == (wanted[::-1] if reverse else wanted)
    opened.close()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(KEYS[:12]), st.binary(max_size=4), max_size=5),
            st.sets(st.sampled_from(KEYS[:12]), max_size=3),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_the_twin_answers_as_a_dictionary_does_and_its_snapshots_stand_still(
    script: list[tuple[dict[bytes, bytes], set[bytes], bool]],
) -> None:
    disk = MemoryDisk()
    disk.make_folder(FOLDER.parent)
    opened = MemoryDatabases(disk).open(FOLDER)
    kept: dict[bytes, bytes] = {}
    snapshots = []
    for puts, deletes, freezes in script:
        opened.write(list(puts.items()), list(deletes))
        kept = {key: value for key, value in (kept | puts).items() if key not in deletes}
        if freezes:
            snapshots.append((opened.snapshot(), kept))
    for reader, expected in [*snapshots, (opened, kept)]:
        assert list(reader.scan(b"", b"\xff")) == sorted(expected.items())
        assert list(reader.scan(KEYS[3], KEYS[9], reverse=True)) == [
            entry for entry in sorted(expected.items(), reverse=True) if KEYS[3] <= entry[0] < KEYS[9]
        ]
        assert [reader.get(key) for key in KEYS[:12]] == [expected.get(key) for key in KEYS[:12]]


def test_a_scan_that_is_under_way_and_a_snapshot_do_not_see_what_is_written_meanwhile(
    databases: Databases, tmp_path: Path
) -> None:
    opened = databases.open(tmp_path / "state")
    opened.write([(b"a", b"1"), (b"c", b"1")], [])
    with_snapshot, scan = opened.snapshot(), opened.scan(b"", b"z")
    assert next(scan) == (b"a", b"1")
    opened.write([(b"b", b"2"), (b"c", b"2")], [b"a"])
    assert list(scan) == [(b"c", b"1")]
    assert list(with_snapshot.scan(b"", b"z")) == [(b"a", b"1"), (b"c", b"1")]
    assert (with_snapshot.get(b"b"), opened.get(b"a"), opened.get(b"c")) == (None, None, b"2")
    with_snapshot.close()
    opened.close()


def test_one_has_it_open_at_a_time_and_closing_keeps_everything(databases: Databases, tmp_path: Path) -> None:
    opened = databases.open(tmp_path / "state")
    opened.write([(b"a", b"1")], [])
    with pytest.raises(DatabaseFault, match="lock"):
        databases.open(tmp_path / "state")
    opened.close()
    opened.close()
    assert everything(databases, tmp_path / "state") == [(b"a", b"1")]
    databases.discard(tmp_path / "state")
    databases.discard(tmp_path / "state")
    assert everything(databases, tmp_path / "state") == []


def harmed(folder: Path) -> None:
    """Flip a bit in a block of data behind the first."""
    opened = LevelDatabases().open(folder)
    opened.write([(key, key * 4) for key in KEYS], [])
    opened.close()
    table = max(folder.glob("*.ldb"), key=lambda path: path.stat().st_size)
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 3] ^= 0x01
    table.write_bytes(raw)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_scan_over_a_damaged_block_is_a_fault_and_the_next_opening_starts_empty(
    tmp_path: Path, reverse: bool, frozen: bool
) -> None:
    folder = tmp_path / "state"
    harmed(folder)
    opened = LevelDatabases().open(folder)
    snapshot = opened.snapshot()
    with pytest.raises(DamagedDatabase, match=f"database {folder}: Corruption"):
        list((snapshot if frozen else opened).scan(b"", b"l", reverse=reverse))
    snapshot.close()
    opened.close()
    assert (folder.parent / DOUBT_FILE).exists()
    assert everything(LevelDatabases(), folder) == []
    assert not (folder.parent / DOUBT_FILE).exists()


def test_damage_that_cannot_be_remembered_is_damage_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    harmed(folder)
    opened = LevelDatabases().open(folder)
    (folder.parent / DOUBT_FILE).symlink_to(tmp_path / "no room" / "for it")
    for _ in range(2):
        with pytest.raises(DamagedDatabase):
            list(opened.scan(b"", b"l"))
    opened.close()


def test_a_log_with_a_hole_at_the_beginning_of_a_record_is_not_believed(tmp_path: Path) -> None:
    """LevelDB takes zeros there for room that was never written to: the second batch would go missing in silence."""
    folder = tmp_path / "state"
    opened = LevelDatabases().open(folder)
    (log,) = folder.glob("*.log")
    opened.write([(b"first", bytes(32768 - 7 - 12 - 10))], [])  # with headers, a block of the log
    while log.stat().st_size < 32768:
        opened.write([(b"filler", b"")], [])
    opened.write([(b"second", b"x")], [])
    lost = log.stat().st_size
    opened.write([(b"third", bytes(70000))], [])
    left = bytearray(log.read_bytes())
    assert lost > 32768
    left[32768:65536] = bytes(32768)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(bytes(left) if path == log else path.read_bytes())
    assert everything(LevelDatabases(), copy) == []
    opened.close()


def test_a_crash_takes_the_newest_batches_and_nothing_else() -> None:
    for power in (True, False):
        counts = set()
        for seed in range(60):
            disk = MemoryDisk()
            disk.make_folder(FOLDER.parent)
            databases = MemoryDatabases(disk, buffer_bytes=100)
            opened = databases.open(FOLDER)
            for number in range(seed % 30):
                opened.write([(b"%02d" % number, bytes(9)), (b"last", b"%02d" % number)], [])
            disk.restart(seed) if power else disk.crash()
            with pytest.raises(PowerLoss):
                opened.get(b"last")
            with pytest.raises(PowerLoss):
                opened.write([], [])
            opened.close()
            try:
                found = dict(everything(databases, FOLDER))
            except DamagedDatabase:
                assert everything(databases, FOLDER) == []
                counts.add(-1)
                continue
            assert sorted(found.keys() - {b"last"}) == [b"%02d" % number for number in range(len(found) - 1)]
            if found:
                assert found[b"last"] == b"%02d" % (len(found) - 2)
            counts.add(len(found))
        assert (-1 in counts) == power
        assert len(counts) > 3


def test_a_database_has_no_room_on_a_full_disk_and_faults_of_the_disk_are_its_own(tmp_path: Path) -> None:
    databases = in_memory(tmp_path)
    assert isinstance(databases, MemoryDatabases)
    opened = databases.open(tmp_path / "state")
    databases.disk.capacity = 100
    with pytest.raises(Exception, match="No space left"):
        opened.write([(b"a", bytes(100))], [])
    assert opened.get(b"a") is None
    opened.write([(b"a", bytes(50))], [])
    databases.disk.fail("read database")
    with pytest.raises(Exception, match="Input/output error"):
        opened.get(b"a")
    assert opened.get(b"a") == bytes(50)


def test_plain_leveldb_would_read_a_log_with_a_gap(tmp_path: Path) -> None:
    """Why logs are not read: if this ever fails, LevelDB has learnt to notice."""
    with plyvel.DB(str(tmp_path), create_if_missing=True, paranoid_checks=True) as db:
        db.put(b"first", b"1")
        (log,) = tmp_path.glob("*.log")
        start = log.stat().st_size
        db.put(b"second", bytes(32768 - start - 7 - 12 - 1 - 1 - 6 - 3))
        assert log.stat().st_size == 32768
        db.put(b"third", b"3")
    raw = log.read_bytes()
    log.write_bytes(raw[:start] + bytes(32768 - start) + raw[32768:])
    with plyvel.DB(str(tmp_path), paranoid_checks=True) as db:
        assert [key for key, _ in db] == [b"first", b"third"]
