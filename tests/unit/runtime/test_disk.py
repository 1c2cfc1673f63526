"""The disk keeps what was synced, and its twin loses the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.runtime.disk import Disk, DiskFault, InUse, RealDisk, read_whole, write_whole
from services.runtime.memorydisk import SECTOR_BYTES, MemoryDisk, PowerLoss


@pytest.fixture(params=[RealDisk, MemoryDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    make: Callable[[], Disk] = request.param
    return make()


def test_a_file_gives_back_what_was_appended(disk: Disk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path / "a" / "b")
    file = disk.open(tmp_path / "a" / "b" / "f", create=True)
    file.append(b"hello ")
    file.append(b"world")
    file.sync()
    assert file.size == 11
    assert file.read(6, 100) == b"world"
    file.truncate(5)
    file.append(b"!")
    assert read_whole(disk, tmp_path / "a" / "b" / "f") == b"hello!"
    file.close()


def test_files_are_listed_renamed_and_removed(disk: Disk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path)
    for name in ("one", "two"):
        disk.open(tmp_path / name, create=True).close()
    disk.rename(tmp_path / "two", tmp_path / "three")
    disk.remove(tmp_path / "one")
    disk.sync_folder(tmp_path)
    disk.make_folder(tmp_path / "below" / "deeper")
    assert disk.list(tmp_path) == ["three"]
    assert disk.folders(tmp_path) == ["below"]
    assert disk.exists(tmp_path / "three")
    assert not disk.exists(tmp_path / "one")


def test_a_lock_has_one_holder_at_a_time(disk: Disk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path)
    lock = disk.lock(tmp_path / "LOCK")
    with pytest.raises(InUse, match="LOCK is locked by another process"):
        disk.lock(tmp_path / "LOCK")
    lock.release()
    lock.release()
    disk.lock(tmp_path / "LOCK").release()


def test_a_power_cut_lets_go_of_a_lock(tmp_path: Path) -> None:
    disk = MemoryDisk()
    disk.lock(tmp_path / "LOCK")
    disk.restart()
    disk.lock(tmp_path / "LOCK")


def test_creating_a_file_that_exists_is_refused_and_so_is_opening_one_that_does_not(disk: Disk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path)
    disk.open(tmp_path / "f", create=True).close()
    with pytest.raises(FileExistsError):
        disk.open(tmp_path / "f", create=True)
    with pytest.raises(FileNotFoundError):
        disk.open(tmp_path / "g")


def test_a_write_to_a_full_disk_is_a_fault_and_no_later_sync_hides_it(tmp_path: Path) -> None:
    file = RealDisk().open(Path("/dev/full"))
    with pytest.raises(DiskFault, match="No space left"):
        file.append(b"x")
    with pytest.raises(DiskFault, match="No space left"):
        file.sync()
    file.close()


def test_what_was_synced_survives_every_crash() -> None:
    for seed in range(50):
        disk, path = MemoryDisk(), Path("/d/f")
        file = disk.open(path, create=True)
        disk.sync_folder(path.parent)
        file.append(b"kept" * 400)
        file.sync()
        file.append(b"perhaps" * 400)
        disk.restart(seed)
        assert read_whole(disk, path).startswith(b"kept" * 400), f"{seed=}"


def test_what_was_not_synced_is_dropped_torn_or_reordered() -> None:
    first, second = b"a" * SECTOR_BYTES, b"b" * SECTOR_BYTES
    seen = set()
    for seed in range(200):
        disk, path = MemoryDisk(), Path("/d/f")
        file = disk.open(path, create=True)
        disk.sync_folder(path.parent)
        file.append(first)
        file.append(second)
        disk.restart(seed)
        seen.add(read_whole(disk, path))
    assert seen == {b"", first, bytes(SECTOR_BYTES) + second, first + second}


def test_a_name_that_was_not_synced_may_be_lost_with_its_file() -> None:
    outcomes = set()
    for seed in range(50):
        disk, path = MemoryDisk(), Path("/d/f")
        disk.open(path, create=True).sync()
        disk.restart(seed)
        outcomes.add(disk.exists(path))
    assert outcomes == {True, False}


def test_without_power_nothing_is_written() -> None:
    disk = MemoryDisk()
    file = disk.open(Path("/d/f"), create=True)
    disk.cut_power_after(1)
    file.append(b"x")
    with pytest.raises(PowerLoss):
        file.sync()
    disk.restart()
    with pytest.raises(PowerLoss):
        file.append(b"a file opened before the crash is gone")


def test_a_file_written_whole_holds_the_old_or_the_new_contents_at_every_crash_point() -> None:
    path = Path("/d/f")
    for point in range(6):
        for seed in range(20):
            disk = MemoryDisk()
            write_whole(disk, path, b"old" * 300)
            disk.cut_power_after(point)
            try:
                write_whole(disk, path, b"new" * 300)
                expected = [b"new" * 300]
            except PowerLoss:
                expected = [b"old" * 300, b"new" * 300]
            disk.restart(seed)
            assert read_whole(disk, path) in expected, f"{point=} {seed=}"
            write_whole(disk, path, b"after")
            assert read_whole(disk, path) == b"after"
