"""The disk keeps what was synced, and its twin loses the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.runtime.disk import Disk, DiskFault, InUse, RealDisk, read_whole, write_whole
from services.runtime.memorydisk import MemoryDisk, PowerLoss
from services.runtime.memoryfile import SECTOR_BYTES


@pytest.fixture(params=[RealDisk, MemoryDisk])
def disk(request: pytest.FixtureRequest) -> Disk:
    make: Callable[[], Disk] = request.param
    return make()


def disk_with_a_folder() -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_folder(Path("/d"))
    return disk


def test_a_file_gives_back_what_was_appended(disk: Disk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path / "a" / "b")
    file = disk.open(tmp_path / "a" / "b" / "f", create=True)
    file.append(b"hello ")
    file.append(b"world")
    file.sync()
    assert file.size == 11
    assert file.read(6, 100) == b"world"
    file.rewrite(3)
    assert (file.size, file.read(0, 100)) == (11, b"hello world")
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


def test_a_power_cut_lets_go_of_a_lock() -> None:
    disk = disk_with_a_folder()
    before = disk.lock(Path("/d/LOCK"))
    disk.restart()
    disk.lock(Path("/d/LOCK"))
    before.release()  # of a process that is no more
    with pytest.raises(InUse):
        disk.lock(Path("/d/LOCK"))


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
        disk, path = disk_with_a_folder(), Path("/d/f")
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
        disk, path = disk_with_a_folder(), Path("/d/f")
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
        disk, path = disk_with_a_folder(), Path("/d/f")
        disk.open(path, create=True).sync()
        disk.restart(seed)
        outcomes.add(disk.exists(path))
    assert outcomes == {True, False}


def test_without_power_nothing_is_written() -> None:
    disk = disk_with_a_folder()
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
            disk = disk_with_a_folder()
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


def test_a_process_that_ends_leaves_what_it_wrote_and_can_do_nothing_more() -> None:
    disk, path = disk_with_a_folder(), Path("/d/f")
    file = disk.open(path, create=True)
    file.append(b"written")
    disk.crash()
    for deed in (lambda: file.append(b"x"), lambda: file.read(0, 1), file.sync, lambda: file.truncate(0)):
        with pytest.raises(PowerLoss):
            deed()
    assert read_whole(disk, path) == b"written"
    assert disk.struck == {"crash after append /d/f": 1}


def test_a_write_during_which_a_process_ends_is_written_in_part() -> None:
    parts = set()
    for deeds in range(1, 20):
        disk = disk_with_a_folder()
        file = disk.open(Path("/d/f"), create=True)
        for number in range(deeds):
            file.append(bytes((number,)) * 1000)
        disk.cut_power_after(0)
        with pytest.raises(PowerLoss):
            file.append(b"x" * 1000)
        with pytest.raises(PowerLoss):
            file.append(b"nothing of this")
        disk.crash()
        parts.add(disk.size_of(Path("/d/f")) % 1000)
        assert disk.struck == {"crash at append /d/f": 1}
    assert len(parts) > 5


def test_a_folder_that_was_not_synced_may_vanish_with_all_that_is_in_it() -> None:
    outcomes = set()
    for seed in range(50):
        disk = MemoryDisk()
        disk.cut_power_after(2)  # the folder is made, and its parent not synced
        with pytest.raises(PowerLoss):
            disk.make_folder(Path("/d"))
        disk.crash()
        disk.open(Path("/d/f"), create=True).sync()
        disk.sync_folder(Path("/d"))
        disk.restart(seed)
        assert disk.exists(Path("/d")) == disk.exists(Path("/d/f"))
        outcomes.add(disk.exists(Path("/d/f")))
    assert outcomes == {True, False}


def test_a_folder_that_is_there_is_made_durable_all_the_same() -> None:
    for seed in range(50):
        disk = MemoryDisk()
        disk.cut_power_after(2)
        with pytest.raises(PowerLoss):
            disk.make_folder(Path("/d"))
        disk.crash()
        disk.make_folder(Path("/d"))
        disk.restart(seed)
        assert disk.exists(Path("/d"))


def test_a_disk_is_full_at_its_capacity_and_not_when_there_is_room_again() -> None:
    disk = disk_with_a_folder()
    disk.capacity = 1000
    file = disk.open(Path("/d/f"), create=True)
    file.append(bytes(900))
    with pytest.raises(DiskFault, match="No space left"):
        file.append(bytes(200))
    with pytest.raises(DiskFault, match="No space left"):
        file.sync()
    assert (file.size, disk.free(Path("/d"))) == (1000, 0)
    with pytest.raises(DiskFault, match="cannot create /d/g: No space left"):
        disk.open(Path("/d/g"), create=True)
    disk.capacity = 2000
    disk.open(Path("/d/g"), create=True).append(bytes(1000))
    disk.remove(Path("/d/g"))
    assert disk.free(Path("/d")) == 1000
    assert disk.struck == {"full at append /d/f": 1, "full at create /d/g": 1}


DEEDS = ["create", "append", "read", "truncate", "sync /d/f", "sync folder", "rename", "remove"]


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_fails_when_it_is_told_to_and_a_file_takes_nothing_more(deed: str) -> None:
    disk, path = disk_with_a_folder(), Path("/d/f")

    def do_all() -> None:
        file = disk.open(path, create=True)
        file.append(b"x")
        file.read(0, 1)
        file.truncate(0)
        file.sync()
        disk.sync_folder(path.parent)
        disk.rename(path, path.with_name("g"))
        disk.remove(path.with_name("g"))

    disk.fail(deed, skip=1)
    do_all()
    with pytest.raises(DiskFault, match="Input/output error"):
        do_all()
    assert [label.partition(" at ")[0] for label in disk.struck] == ["fault"]
    disk.fail(deed, "/elsewhere", for_good=True)
    path = Path("/d/again")
    do_all()


def test_after_a_failed_sync_a_later_one_keeps_nothing_of_what_the_first_should_have_kept() -> None:
    lost = 0
    for seed in range(20):
        disk, path = disk_with_a_folder(), Path("/d/f")
        file = disk.open(path, create=True)
        disk.sync_folder(path.parent)
        file.append(b"a" * SECTOR_BYTES)
        disk.fail("sync")
        for _ in range(2):
            with pytest.raises(DiskFault):
                file.sync()
        again = disk.open(path)
        again.append(b"b" * SECTOR_BYTES)
        again.sync()  # somebody who did not give up
        disk.restart(seed)
        found = read_whole(disk, path)
        assert found.endswith(b"b" * SECTOR_BYTES)
        lost += not found.startswith(b"a")
    assert lost > 5
