"""Both ordered logs promise the same; the one on disk keeps its promise through every crash."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from services.orderer.log import Entry, LogClosed, OrderedLog, appends
from services.orderer.log import filelog as filelog_module
from services.orderer.log.filelog import FileLog
from services.orderer.log.memorylog import MemoryLog
from services.runtime.disk import DiskFault
from services.runtime.memorydisk import MemoryDisk, PowerLoss

FOLDER = Path("/orderer/logs/health")


@pytest.fixture(params=["file", "memory"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[OrderedLog]:
    made: OrderedLog = await FileLog.open(MemoryDisk(), FOLDER) if request.param == "file" else MemoryLog()
    yield made
    await made.close()


async def take(log: OrderedLog, start: int, count: int) -> list[Entry]:
    found: list[Entry] = []
    async with asyncio.timeout(5):
        async for entries in log.entries(start):
            found += entries
            if len(found) >= count:
                break
    return found


async def test_records_get_offsets_in_the_order_of_appending(log: OrderedLog) -> None:
    assert log.end() == 0
    futures = [log.append(b"%d" % number) for number in range(5)]
    assert await asyncio.gather(*futures) == [0, 1, 2, 3, 4]
    assert log.end() == 5
    assert await take(log, 0, 5) == [Entry(number, b"%d" % number) for number in range(5)]
    assert [entry.offset for entry in await take(log, 3, 2)] == [3, 4]


async def test_a_reader_waits_for_what_is_not_there_yet(log: OrderedLog) -> None:
    reading = asyncio.create_task(take(log, 0, 2))
    await asyncio.sleep(0)
    assert not reading.done()
    await log.append(b"a")
    await log.append(b"b")
    assert [entry.record for entry in await reading] == [b"a", b"b"]


async def test_records_that_come_while_the_disk_rests_share_a_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelog_module, "REST_S_MAX", 0.05)
    monkeypatch.setattr(filelog_module, "REST_SHARE", 1e9)
    sizes: list[int] = []
    store = FileLog._store

    def noting(log: FileLog, records: Sequence[bytes]) -> int:
        sizes.append(len(records))
        return store(log, records)

    monkeypatch.setattr(FileLog, "_store", noting)
    log = await FileLog.open(MemoryDisk(), FOLDER)
    await log.append(b"alone")
    later = []
    for number in range(5):
        later.append(log.append(b"%d" % number))
        await asyncio.sleep(0)
    assert await asyncio.gather(*later) == [1, 2, 3, 4, 5]
    assert sizes == [1, 5]
    await log.close()


async def test_a_log_is_quiet_when_nothing_stands_at_the_place_and_nothing_is_coming(log: OrderedLog) -> None:
    assert log.quiet(0)
    await log.append(b"a")
    assert not log.quiet(0)
    assert log.quiet(1)


async def test_a_closed_log_keeps_what_it_took_and_takes_no_more(log: OrderedLog) -> None:
    future = log.append(b"a")
    reading = asyncio.create_task(take(log, 0, 2))
    await asyncio.sleep(0)
    await log.close()
    assert await future == 0
    assert [entry.record for entry in await reading] == [b"a"]
    with pytest.raises(LogClosed):
        log.append(b"b")


async def test_two_orderers_may_share_a_log_in_memory() -> None:
    log = MemoryLog()
    await log.append(b"a")
    first, second = await asyncio.gather(take(log, 0, 1), take(log, 0, 1))
    assert first == second == [Entry(0, b"a")]


async def test_what_is_appended_while_the_disk_is_busy_shares_one_sync() -> None:
    disk = MemoryDisk()
    log = await FileLog.open(disk, FOLDER)
    before = disk.deeds
    await asyncio.gather(*(log.append(b"record") for _ in range(200)))
    assert disk.deeds - before <= 4  # a write and a sync for the first, and again for the rest
    await log.close()


async def test_a_log_is_not_quiet_while_something_is_on_its_way() -> None:
    log = await FileLog.open(MemoryDisk(), FOLDER)
    first = log.append(b"a")
    assert not log.quiet(0)
    await asyncio.sleep(0)  # the writer has taken it out of the queue
    assert not log.quiet(0)
    await first
    assert log.quiet(1)
    await log.close()


async def test_a_reader_that_lags_reads_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelog_module, "FRESH_BYTES_MAX", 10)
    monkeypatch.setattr(filelog_module, "READ_BYTES_MAX", 20)
    log = await FileLog.open(MemoryDisk(), FOLDER)
    for number in range(50):
        await log.append(b"record %d" % number)
    assert [entry.record for entry in await take(log, 0, 50)] == [b"record %d" % number for number in range(50)]
    await log.close()


async def test_a_full_queue_lets_writers_wait_until_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appends, "QUEUED_BYTES_MAX", 10)
    log = await FileLog.open(MemoryDisk(), FOLDER)
    log.append(b"x" * 11)
    waiting = asyncio.create_task(log.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    async with asyncio.timeout(5):
        await waiting
    await log.close()


async def test_a_failed_sync_acknowledges_nothing_ever_after() -> None:
    disk = MemoryDisk()
    log = await FileLog.open(disk, FOLDER)
    disk.fail("sync")
    first = log.append(b"a")
    with pytest.raises(DiskFault):
        await first
    with pytest.raises(DiskFault):
        log.append(b"b")
    with pytest.raises(DiskFault):
        await take(log, 0, 1)
    await log.close()


async def write_until_the_power_goes(disk: MemoryDisk) -> list[bytes]:
    """Records that were acknowledged."""
    acknowledged: list[bytes] = []
    try:
        log = await FileLog.open(disk, FOLDER)
        for number in range(6):
            records = [b"%d/%d" % (number, part) * 200 for part in range(3)]
            await asyncio.gather(*(log.append(record) for record in records))
            acknowledged += records
        await log.close()
    except (PowerLoss, LogClosed):
        pass
    return acknowledged


@pytest.mark.parametrize("seed", range(3))
async def test_at_every_crash_point_what_was_acknowledged_is_there_in_order(seed: int) -> None:
    rehearsal = MemoryDisk()
    await write_until_the_power_goes(rehearsal)
    for point in range(rehearsal.deeds):
        disk = MemoryDisk()
        disk.cut_power_after(point)
        acknowledged = await write_until_the_power_goes(disk)
        disk.restart(seed * 1000 + point)
        log = await FileLog.open(disk, FOLDER)
        found = await take(log, 0, log.end()) if log.end() else []
        assert [entry.record for entry in found][: len(acknowledged)] == acknowledged, f"{seed=} {point=}"
        await log.close()
