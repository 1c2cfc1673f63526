"""A record log keeps every synced record at every crash point, and says so when one has changed."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.runtime.disk import DiskFault, RealDisk
from services.runtime.memorydisk import MemoryDisk, PowerLoss
from services.runtime.recordlog import DamagedRecord, RecordLog, UnknownFormat

FOLDER = Path("/store")
FIRST = FOLDER / "00000000000000000000.records"


def open_log(disk: MemoryDisk, segment_bytes: int = 4096) -> RecordLog:
    return RecordLog.open(disk, FOLDER, segment_bytes=segment_bytes, salt=lambda: b"0123456789abcdef")


def test_records_come_back_by_index_and_in_order() -> None:
    log = open_log(MemoryDisk())
    assert log.count == 0
    assert log.append([b"zero", b"", b"two"]) == 0
    assert log.append([b"three"]) == 3
    assert log.read(1) == b""
    assert list(log.iterate(2)) == [b"two", b"three"]
    assert list(log.iterate(0, 2)) == [b"zero", b""]
    with pytest.raises(IndexError):
        log.read(4)


def test_appended_is_not_durable_before_sync() -> None:
    log = open_log(MemoryDisk())
    log.append([b"a", b"b"])
    assert log.durable_count == 0
    log.sync()
    assert log.durable_count == 2


@settings(max_examples=40)
@given(st.lists(st.lists(st.binary(max_size=900), max_size=5), max_size=40), st.integers(64, 4096))
def test_a_log_of_many_segments_reads_the_same_after_opening_it_again(
    batches: list[list[bytes]], segment_bytes: int
) -> None:
    disk = MemoryDisk()
    log = open_log(disk, segment_bytes)
    for batch in batches:
        log.append(batch)
    log.sync()
    expected = [record for batch in batches for record in batch]
    assert list(log.iterate()) == expected
    again = open_log(disk, segment_bytes)
    assert list(again.iterate()) == expected
    assert [again.read(index) for index in range(again.count)] == expected


def write_until_the_power_goes(disk: MemoryDisk, batches: list[list[bytes]]) -> int:
    """Append and sync batch after batch; gives how many records were promised to be durable."""
    promised = 0
    try:
        log = open_log(disk, 2000)
        promised = log.count
        for batch in batches[promised // 3 :]:
            log.append(batch)
            log.sync()
            promised = log.count
    except PowerLoss:
        pass
    return promised


ENDS: dict[str, Callable[[MemoryDisk, int], None]] = {
    "power loss": lambda disk, seed: disk.restart(seed),
    "another": lambda disk, seed: disk.restart(seed + 77),
    "kill": lambda disk, _seed: disk.crash(),
    "kill, and power loss in the middle of the next start": lambda disk, seed: killed_and_dark(disk, seed),
}


def killed_and_dark(disk: MemoryDisk, seed: int) -> None:
    disk.crash()
    disk.cut_power_after(seed % 7)
    with contextlib.suppress(PowerLoss):
        open_log(disk, 2000)
    disk.restart(seed)


@pytest.mark.parametrize("end", ENDS)
def test_at_every_crash_point_the_synced_records_survive_and_the_log_goes_on(end: str) -> None:
    batches = [[bytes((number, part)) * 150 for part in range(3)] for number in range(12)]
    everything = [record for batch in batches for record in batch]
    rehearsal = MemoryDisk()
    write_until_the_power_goes(rehearsal, batches)
    for point in range(rehearsal.deeds):
        disk = MemoryDisk()
        disk.cut_power_after(point)
        promised = write_until_the_power_goes(disk, batches)
        ENDS[end](disk, point)
        log = open_log(disk, 2000)
        assert log.count >= promised, f"{point=}"
        survivors = list(log.iterate())
        assert survivors == everything[: log.count], f"{point=}"
        log.append([b"next"])
        log.sync()
        disk.restart(point)
        assert list(open_log(disk, 2000).iterate()) == [*survivors, b"next"], f"{point=}"


def test_a_torn_tail_is_cut_off() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    log.append([b"a" * 100, b"b" * 100])
    log.sync()
    log.append([b"c" * 100])
    disk.damage(FIRST, disk.size_of(FIRST) - 1)
    assert list(open_log(disk).iterate()) == [b"a" * 100, b"b" * 100]


@pytest.mark.parametrize("offset", [0, 4, 8, 16, 24, 40, 100])
def test_damage_before_the_tail_is_named_and_never_cut_off(offset: int) -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    for number in range(3):
        log.append([bytes((number,)) * 100])
        log.sync()
    start = 36 + 128  # behind the segment's header and the first record
    disk.damage(FIRST, start + offset)
    with pytest.raises(DamagedRecord) as caught:
        open_log(disk)
    assert caught.value.index == 1


def records_of_three(disk: MemoryDisk) -> list[tuple[int, int]]:
    """Where each of three records begins and ends in a log that was closed; all were one batch."""
    log = open_log(disk)
    log.append([b"a" * 100, b"b" * 200, b"c" * 300])
    log.sync()
    log.close()
    return [(36, 164), (164, 392), (392, 720)]


@pytest.mark.parametrize("index", range(3))
def test_after_a_proper_end_even_the_newest_records_cannot_go_missing(index: int) -> None:
    disk = MemoryDisk()
    start, end = records_of_three(disk)[index]
    for place in (start, start + 10, end - 1):
        disk.damage(FIRST, place)
        with pytest.raises(DamagedRecord) as caught:
            open_log(disk)
        assert caught.value.index == index
        disk.damage(FIRST, place)
    for size in (start, start + 5, start + 28, end - 1):
        cut = MemoryDisk()
        records_of_three(cut)
        cut.open(FIRST).truncate(size)
        with pytest.raises(DamagedRecord) as caught:
            open_log(cut)
        assert caught.value.index == index
    assert open_log(disk).count == 3


def test_a_file_that_held_records_and_is_empty_is_damage() -> None:
    disk = MemoryDisk()
    records_of_three(disk)
    disk.open(FIRST).truncate(0)
    with pytest.raises(DamagedRecord, match="record 0"):
        open_log(disk)


def test_a_log_that_was_closed_and_goes_on_loses_no_more_than_a_torn_tail() -> None:
    disk = MemoryDisk()
    records_of_three(disk)
    log = open_log(disk)
    log.append([b"d" * 400])
    disk.crash()
    disk.damage(FIRST, 800)
    log = open_log(disk)
    assert log.count == 3
    log.append([b"e"])
    log.close()
    assert list(open_log(disk).iterate(3)) == [b"e"]


def test_damage_in_a_closed_segment_is_named_when_it_is_read() -> None:
    disk = MemoryDisk()
    log = open_log(disk, 200)
    for number in range(10):
        log.append([bytes((number,)) * 100])
        log.sync()
    disk.damage(FIRST, 36 + 28 + 50)
    again = open_log(disk, 200)
    assert again.read(5) == bytes((5,)) * 100
    with pytest.raises(DamagedRecord, match="record 0") as caught:
        again.read(0)
    assert caught.value.index == 0


def test_a_lost_or_damaged_position_index_is_made_up_for_by_reading() -> None:
    for offset in (None, *range(36)):  # None: it is gone
        disk = MemoryDisk()
        log = open_log(disk, 200)
        log.append([b"x" * 300])
        log.append([b"y"])
        log.sync()
        index = FIRST.with_suffix(".index")
        disk.remove(index) if offset is None else disk.damage(index, offset)
        assert list(open_log(disk, 200).iterate()) == [b"x" * 300, b"y"]


def test_a_damaged_position_index_says_nothing_against_sound_records() -> None:
    for offset in range(36):
        disk = MemoryDisk()
        records_of_three(disk)
        disk.damage(FIRST.with_suffix(".index"), offset, 0x80)
        assert open_log(disk).count == 3


def test_a_missing_segment_is_damage() -> None:
    disk = MemoryDisk()
    log = open_log(disk, 100)
    for number in range(5):
        log.append([bytes((number,)) * 100])
    log.sync()
    disk.remove(FOLDER / "00000000000000000001.records")
    with pytest.raises(DamagedRecord):
        list(open_log(disk, 100).iterate())
    disk.remove(FIRST)
    with pytest.raises(DamagedRecord, match="first segment is missing"):
        open_log(disk, 100)


def test_a_payload_that_looks_like_a_record_does_not_make_a_torn_tail_damage() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    log.append([b"a"])
    log.sync()
    position = 36 + 28 + 1
    other = MemoryDisk()
    forger = RecordLog.open(other, FOLDER, salt=lambda: b"another salt 123")
    for _ in range(4):
        forger.append([b"forged"])
        forger.sync()
    forged = other.open(FIRST).read(36 + 3 * 34, 34)
    log.append([forged * 3])
    disk.damage(FIRST, position)
    assert list(open_log(disk).iterate()) == [b"a"]


def test_a_file_of_a_later_format_is_refused() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    log.append([b"a"])
    log.sync()
    raw = bytearray(disk.open(FIRST).read(0, 32))
    raw[4] = 2
    import struct
    import zlib

    file = disk.open(FIRST)
    rest = file.read(36, 1000)
    file.truncate(0)
    file.append(bytes(raw) + struct.pack("<I", zlib.crc32(bytes(raw))) + rest)
    with pytest.raises(UnknownFormat, match="needed a record log of format 1, found format 2; run the release"):
        open_log(disk)


def test_a_failed_sync_is_final() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    log.append([b"a"])
    disk.fail("sync")
    with pytest.raises(DiskFault):
        log.sync()
    with pytest.raises(DiskFault):
        log.sync()
    assert log.durable_count == 0


def test_what_a_failed_sync_lost_and_the_next_process_still_saw_is_written_again() -> None:
    """The system takes pages for clean that it could not write: the next process reads them, and syncs nothing."""
    for seed in range(40):
        disk = MemoryDisk()
        log = open_log(disk)
        log.append([b"a" * 300])
        log.sync()
        log.append([b"b" * 300, b"c" * 300])
        disk.fail("sync")
        with pytest.raises(DiskFault):
            log.sync()
        disk.crash()
        log = open_log(disk)
        assert log.count == 3
        log.append([b"d" * 300])
        log.sync()
        disk.restart(seed)
        assert list(open_log(disk).iterate()) == [letter * 300 for letter in (b"a", b"b", b"c", b"d")], f"{seed=}"


def test_a_failed_sync_of_a_folder_is_as_final_as_that_of_a_file() -> None:
    disk = MemoryDisk()
    log = open_log(disk, 100)
    log.append([b"a" * 100])
    disk.fail("sync folder")
    for _ in range(2):
        with pytest.raises(DiskFault, match="sync folder"):
            log.append([b"b"])
    with pytest.raises(DiskFault, match="sync folder"):
        log.sync()


def test_a_disk_that_is_full_when_a_segment_begins_loses_nothing_and_goes_on_with_room() -> None:
    records = [bytes((number,)) * 300 for number in range(12)]
    refused = set()
    for capacity in range(50, 5000, 37):
        disk, kept = MemoryDisk(), 0
        disk.capacity = capacity
        try:
            log = open_log(disk, 600)
            for record in records:
                log.append([record])
                log.sync()
                kept += 1
        except DiskFault:
            refused |= set(disk.struck)
        disk.crash() if capacity % 2 else disk.restart(capacity)
        disk.capacity = None
        log = open_log(disk, 600)
        assert kept <= log.count <= kept + 1
        for record in records[log.count :]:
            log.append([record])
            log.sync()
        assert list(log.iterate()) == records, f"{capacity=}"
    folder = "/store/#"
    assert refused >= {f"full at {deed}" for deed in (f"append {folder}.records", f"append {folder}.index.draft")}


def test_on_a_real_disk_records_survive_closing(tmp_path: Path) -> None:
    log = RecordLog.open(RealDisk(), tmp_path / "log", segment_bytes=1000)
    for number in range(100):
        log.append([f"record {number}".encode() * 5])
    log.sync()
    assert log.read(3) == b"record 3" * 5
    log.close()
    again = RecordLog.open(RealDisk(), tmp_path / "log", segment_bytes=1000)
    assert list(again.iterate(97)) == [f"record {number}".encode() * 5 for number in (97, 98, 99)]
    assert again.read(0) == b"record 0" * 5
    again.close()
