"""A node knows when its disk is nearly full, says so, and goes on when it no longer is."""

import asyncio
import logging
from pathlib import Path

import pytest

from services.runtime import diskspace
from services.runtime.disk import DiskFault, RealDisk
from services.runtime.diskspace import MIB, DiskSpace
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry

FOLDER = Path("/data")
WATERMARK = 100 * MIB


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def space(disk: MemoryDisk, registry: Registry) -> DiskSpace:
    return DiskSpace(disk, FOLDER, registry, WATERMARK)


async def test_there_is_room_down_to_the_watermark_and_not_below(space: DiskSpace, disk: MemoryDisk) -> None:
    disk.capacity = WATERMARK
    space.look()
    assert space.illness() is None
    disk.capacity = WATERMARK - 1
    space.look()
    assert space.illness() == (
        "/data has 99 MiB left on its disk, needed 100 MiB: no new work is taken until there is room"
    )


async def test_want_of_room_is_logged_once_and_so_is_its_end(
    space: DiskSpace, disk: MemoryDisk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    disk.capacity = 0
    for _ in range(3):
        space.look()
    disk.capacity = WATERMARK
    for _ in range(3):
        space.look()
    assert [record.message for record in caplog.records] == [
        "disk is nearly full",
        "there is room on the disk again",
    ]


async def test_what_is_left_is_a_metric_and_so_is_what_must_be(
    space: DiskSpace, disk: MemoryDisk, registry: Registry
) -> None:
    disk.capacity = 12345
    space.look()
    page = registry.render().splitlines()
    assert "privysharing_disk_free_bytes 12345" in page
    assert f"privysharing_disk_watermark_bytes {WATERMARK}" in page


async def test_who_waits_for_room_goes_on_when_there_is_some(
    space: DiskSpace, disk: MemoryDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diskspace, "LOOK_SECONDS", 0.001)
    disk.capacity = 0
    space.look()
    watching = asyncio.create_task(space.watch())
    waiting = asyncio.create_task(space.room())
    assert not (await asyncio.wait((waiting,), timeout=0.05))[0]
    disk.capacity = WATERMARK
    async with asyncio.timeout(5):
        await waiting
    watching.cancel()


async def test_a_disk_that_does_not_say_how_much_is_left_is_taken_for_full_until_it_does(
    space: DiskSpace, disk: MemoryDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diskspace, "LOOK_SECONDS", 0.001)
    disk.fail("measure", str(FOLDER))
    space.look()
    assert space.illness() == (
        "cannot measure /data: Input/output error: no new work is taken until there is an answer"
    )
    watching = asyncio.create_task(space.watch())
    async with asyncio.timeout(5):
        await space.room()
    watching.cancel()


async def test_without_a_watermark_there_is_always_room(disk: MemoryDisk, registry: Registry) -> None:
    disk.capacity = 0
    assert DiskSpace(disk, FOLDER, registry, 0).shortage is None


def test_what_the_system_refuses_to_say_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(DiskFault, match="cannot measure"):
        RealDisk().free(tmp_path / ("x" * 300))


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_the_disk_it_will_be_on(tmp_path: Path) -> None:
    disk = RealDisk()
    there, coming = disk.free(tmp_path), disk.free(tmp_path / "not" / "yet")
    assert abs(there - coming) < 2**30
    assert 0 < there < disk.free(tmp_path) + 2**30
