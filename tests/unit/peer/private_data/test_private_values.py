"""Private values by their hash: the same from memory and from disk, and what was kept stays kept."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.peer.private_data import MemoryPrivateValues, PrivateValues, StoredPrivateValues
from services.peer.private_data.values import PrivateValuesFault
from services.runtime.disk import DiskFault, InUse, RealDisk
from services.runtime.memorydisk import MemoryDisk, PowerLoss

FOLDER = Path("/data/values")
RECORDS = FOLDER / "values" / "00000000000000000000.records"


@pytest.fixture(params=["memory", "disk"])
def values(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateValues]:
    if request.param == "memory":
        yield MemoryPrivateValues()
        return
    stored = StoredPrivateValues(RealDisk(), tmp_path / "values")
    yield stored
    stored.close()


def found(values: PrivateValues, value: bytes) -> bool:
    return values.get(hashlib.sha256(value).digest()) == value


def test_a_value_is_found_by_its_hash_alone(values: PrivateValues) -> None:
    values.keep([b"one", b"two"])
    values.keep([b"two", b"four"])
    assert found(values, b"two")
    assert found(values, b"four")
    assert values.get(hashlib.sha256(b"three").digest()) is None
    assert values.get(b"two") is None


def test_values_outlive_the_process(tmp_path: Path) -> None:
    first = StoredPrivateValues(RealDisk(), tmp_path / "values")
    first.keep([b"one"])
    first.keep([b"one", b"two"])
    assert first.count == 2
    with pytest.raises(InUse):
        StoredPrivateValues(RealDisk(), tmp_path / "values")
    first.close()
    second = StoredPrivateValues(RealDisk(), tmp_path / "values")
    assert (found(second, b"one"), found(second, b"two"), second.count) == (True, True, 2)
    second.close()


def test_power_may_fail_before_any_deed_and_no_kept_value_is_lost_nor_is_any_start_refused() -> None:
    given = [bytes((number,)) * 700 for number in range(8)]
    for deeds in range(200):
        for seed in range(5):
            disk, kept = MemoryDisk(), []
            disk.cut_power_after(deeds)
            try:
                values = StoredPrivateValues(disk, FOLDER)
                for value in given:
                    values.keep([value])
                    kept.append(value)
            except PowerLoss:
                pass
            disk.restart(seed)
            again = StoredPrivateValues(disk, FOLDER)
            assert all(found(again, value) for value in kept), f"{deeds=} {seed=}"
            assert again.count <= len(kept) + 1, f"{deeds=} {seed=}"
            again.keep([b"after"])
            assert found(again, b"after")
        if len(kept) == len(given):
            return
    pytest.fail("the script never ran to its end")


def test_after_a_failed_sync_nothing_is_kept_and_nothing_of_it_is_found() -> None:
    disk = MemoryDisk()
    values = StoredPrivateValues(disk, FOLDER)
    values.keep([b"one"])
    disk.fail("sync")
    for value in (b"two", b"three"):
        with pytest.raises(DiskFault):
            values.keep([value])
    assert (found(values, b"one"), found(values, b"two")) == (True, False)


@pytest.mark.parametrize("number", range(3))
def test_damage_is_named_and_never_cleared_away(number: int) -> None:
    disk = MemoryDisk()
    values = StoredPrivateValues(disk, FOLDER)
    for value in (b"one", b"two", b"six", b"ten"):
        values.keep([value])
    values.close()
    start = 36 + 31 * number  # behind the file's header and so many records
    disk.damage(RECORDS, start + 30)
    before = disk.open(RECORDS).read(0, 1000)
    for _ in range(2):
        with pytest.raises(PrivateValuesFault, match=f"private values {FOLDER}: record {number} .*restore them"):
            StoredPrivateValues(disk, FOLDER)
    assert disk.open(RECORDS).read(0, 1000) == before
    disk.damage(RECORDS, start + 30)
    values = StoredPrivateValues(disk, FOLDER)
    disk.damage(RECORDS, start + 30)
    with pytest.raises(PrivateValuesFault, match=f"record {number}"):
        found(values, (b"one", b"two", b"six")[number])
