"""A chain makes signed blocks out of its log, at the right moment, and the same ones again after any crash."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from privysharing.protocol.block_checks import check_data, check_signatures
from privysharing.protocol.blocks import Block, MetadataIndex, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.blocks import (
    encode_last_config,
    last_config_index,
    metadata_entry,
    parse_orderer_metadata,
)
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.ordering import Connect, LogPosition, Regular, TimeToCut
from services.orderer.chain import BACK_UP_S, ChainHalted
from services.orderer.log import LogClosed
from services.orderer.log.filelog import FileLog
from services.orderer.log.memorylog import MemoryLog
from services.orderer.sealing import position_of
from services.runtime.disk import DiskFault, StorageError
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.ordering import (
    STRANGERS,
    RunningChain,
    configuration,
    context,
    envelope,
    genesis,
    normal,
    run_chain,
    started,
    store_with,
)

LOG_FOLDER = Path("/orderer/logs/health")
FIRST = genesis()
CONFIG = ChannelConfig.from_block(FIRST)
SLOW = 60.0  # seconds: longer than any test


def envelopes(blocks: list[Block]) -> list[bytes]:
    return [raw for block in blocks for raw in block.data]


async def records_of(log: MemoryLog) -> list[object]:
    async for entries in log.entries(0):
        return [parse_record(entry.record) for entry in entries]
    return []


async def test_an_empty_log_begins_with_a_connect() -> None:
    log = MemoryLog()
    running = run_chain(FIRST, log)
    await running.chain.caught_up()
    await running.chain.order(normal())
    await running.block(1)
    assert [type(record) for record in await records_of(log)] == [Connect, Regular, TimeToCut]
    await running.stop()


async def test_a_quiet_log_is_cut_at_once_and_the_block_waits_for_its_time_to_cut() -> None:
    running = run_chain(genesis(timeout_s=SLOW), MemoryLog())
    raw = envelope()
    assert await running.chain.order(normal(raw)) == 1
    block = await running.block(1)
    assert block.data == (raw,)
    assert position_of(block) == LogPosition(2)  # where the TimeToCut stands
    await running.stop()


async def test_a_block_continues_the_chain_and_is_signed_by_the_orderer() -> None:
    running = run_chain(FIRST, MemoryLog())
    for _ in range(3):
        await running.chain.order(normal())
        await running.block(running.chain.height)
    blocks = await running.blocks(4)
    for before, block in itertools.pairwise(blocks):
        assert block.header.number == before.header.number + 1
        assert block.header.previous_hash == header_hash(before.header)
        check_data(block)
        check_signatures(block, CONFIG)
        assert last_config_index(block) == 0
        assert len(block.metadata) == 5
        assert [bool(metadata_entry(block, index)) for index in MetadataIndex] == [True, False, False, False, False]
    await running.stop()


async def test_envelopes_that_come_together_share_a_block() -> None:
    running = run_chain(FIRST, MemoryLog())
    raws = [envelope() for _ in range(20)]
    await asyncio.gather(*(running.chain.order(normal(raw)) for raw in raws))
    assert (await running.block(1)).data == tuple(raws)
    await running.stop()


async def test_blocks_that_only_quiet_calls_for_keep_their_distance() -> None:
    running = run_chain(genesis(timeout_s=SLOW), MemoryLog(), cut_interval_s=0.15)
    await running.chain.order(normal())
    await running.block(1)
    started = asyncio.get_running_loop().time()
    await running.chain.order(normal())
    await running.block(2)
    assert 0.1 < asyncio.get_running_loop().time() - started < 2
    await running.stop()


async def test_what_comes_alone_is_stored_together_with_its_time_to_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[list[type]] = []
    store = FileLog._store

    def noting(log: FileLog, records: Sequence[bytes]) -> int:
        stored.append([type(parse_record(record)) for record in records])
        return store(log, records)

    monkeypatch.setattr(FileLog, "_store", noting)
    running = run_chain(genesis(timeout_s=SLOW), await FileLog.open(MemoryDisk(), LOG_FOLDER))
    await running.chain.caught_up()
    await running.chain.order(normal())
    await running.block(1)
    assert stored == [[Connect], [Regular, TimeToCut]]
    await running.stop()


async def test_who_does_not_go_first_cuts_when_the_one_who_does_is_late() -> None:
    timeout_s = 0.1
    second = replace(context(), leads=lambda _: False)
    running = RunningChain(started(store_with(genesis(timeout_s=timeout_s)), MemoryLog(), second))
    await running.chain.caught_up()
    now = asyncio.get_running_loop().time
    ordered_at = now()
    await running.chain.order(normal())
    await running.block(1)
    assert timeout_s + BACK_UP_S <= now() - ordered_at < 2.0
    await running.stop()


async def test_a_time_to_cut_what_comes_to_nothing_holds_up_no_later_block() -> None:
    running = run_chain(genesis(timeout_s=SLOW), await FileLog.open(MemoryDisk(), LOG_FOLDER))
    await running.chain.order(normal(sequence=1))  # of a configuration that is not in force
    await running.chain.drained()
    raw = envelope()
    await running.chain.order(normal(raw))
    assert (await running.block(1)).data == (raw,)
    await running.stop()


class BusyLog(MemoryLog):
    """A log of which there is always more to be read, as after a start, or of one that others fill."""

    def end(self) -> int:
        return super().end() + bool(super().end())


async def test_a_log_that_is_read_never_to_its_end_is_cut_after_the_batch_timeout() -> None:
    running = run_chain(genesis(timeout_s=0.1), BusyLog())
    started = asyncio.get_running_loop().time()
    await running.chain.order(normal())
    await running.block(1)
    assert 0.09 < asyncio.get_running_loop().time() - started < 2
    await running.stop()


async def test_a_full_block_leaves_without_a_time_to_cut() -> None:
    running = run_chain(genesis(batch=BatchSize(2, 10_000, 10_000), timeout_s=SLOW), BusyLog())
    await asyncio.gather(running.chain.order(normal()), running.chain.order(normal()))
    assert position_of(await running.block(1)) == LogPosition(2)
    await running.stop()


async def test_a_configuration_comes_into_force_with_its_block() -> None:
    running = run_chain(FIRST, MemoryLog())
    record = configuration(CONFIG, BatchSize(1, 10_000, 10_000))
    await running.chain.order(record)
    block = await running.block(1)
    assert block.data == (record.envelope,)
    assert last_config_index(block) == 1
    check_signatures(block, CONFIG)
    assert running.chain.config.sequence == 1
    await running.chain.order(normal(sequence=1))
    later = await running.block(2)
    assert last_config_index(later) == 1
    assert metadata_entry(later, MetadataIndex.LAST_CONFIG) == encode_last_config(1)
    await running.stop()


async def test_what_was_admitted_before_a_configuration_is_ordered_once_behind_it() -> None:
    log = MemoryLog()
    running = run_chain(FIRST, log)
    record, late = configuration(CONFIG, BatchSize(50, 10_000, 10_000)), envelope()
    await asyncio.gather(running.chain.order(record), running.chain.order(normal(late)))
    assert (await running.block(2)).data == (late,)
    assert position_of(await running.block(2)).last_original_offset == 2
    await running.stop()


async def test_two_configurations_at_once_follow_each_other_only_if_the_second_still_applies() -> None:
    registry = Registry()
    running = RunningChain(started(store_with(FIRST), MemoryLog(), context(registry=registry)))
    await running.chain.caught_up()
    first, second = (configuration(CONFIG, BatchSize(count, 10_000, 10_000)) for count in (7, 8))
    await asyncio.gather(running.chain.order(first), running.chain.order(second))
    await running.chain.order(normal(sequence=0))
    await running.block(2)
    assert running.chain.config.orderer.batch_size.max_message_count == 7
    assert 'reason="no longer valid"} 1' in registry.render()
    await running.chain.room()
    await running.stop()


async def test_two_orderers_of_one_log_make_the_same_blocks() -> None:
    log = MemoryLog()
    one, other = run_chain(FIRST, log), run_chain(FIRST, log)
    for burst in range(5):
        await asyncio.gather(*(chain.order(normal()) for chain in (one.chain, other.chain) for _ in range(burst + 1)))
        await asyncio.gather(one.block(burst + 1), other.block(burst + 1))
    await asyncio.gather(one.chain.drained(), other.chain.drained())
    height = min(one.chain.height, other.chain.height)
    for left, right in zip(await one.blocks(height), await other.blocks(height), strict=True):
        assert (left.header, left.data) == (right.header, right.data)
        assert parse_orderer_metadata(left).value == parse_orderer_metadata(right).value
    await asyncio.gather(one.stop(), other.stop())


async def test_a_record_that_makes_no_sense_is_counted_and_stops_nothing() -> None:
    registry = Registry()
    log = MemoryLog()
    running = RunningChain(started(store_with(FIRST), log, context(registry=registry)))
    await log.append(b"\xff nonsense")
    await log.append(encode_record(TimeToCut(99)))
    await running.chain.order(normal())
    await running.block(1)
    page = registry.render()
    assert 'privysharing_orderer_records_skipped{channel="health",reason="not a record"} 1' in page
    assert 'privysharing_orderer_records_skipped{channel="health",reason="time to cut a later block"} 1' in page
    assert 'ledger_blockchain_height{channel="health"} 2' in page
    assert 'participation_consensus_relation{channel="health"} 1' in page
    assert 'participation_status{channel="health"} 1' in page
    await running.stop()
    assert 'participation_status{channel="health"} 0' in registry.render()


async def test_an_acknowledged_envelope_that_is_dropped_is_told_to_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = MemoryLog()
    running = RunningChain(started(store_with(FIRST), log, context()))
    await log.append(encode_record(TimeToCut(99)))
    await running.chain.order(configuration(CONFIG, BatchSize(5, 100_000, 5_000)))
    await running.chain.order(normal(envelope(who=STRANGERS.client)))
    await running.chain.order(normal())
    await running.block(2)
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert told.__dict__["reason"] == "no longer valid"
    await running.stop()


async def test_a_halted_chain_takes_nothing_and_lets_waiters_go() -> None:
    running = run_chain(FIRST, MemoryLog())
    waiting = asyncio.create_task(running.chain.reaches(1))
    await asyncio.sleep(0.01)
    running.chain.halt()
    assert not await waiting
    with pytest.raises(ChainHalted, match="consenter for this channel has been halted"):
        running.chain.order(normal())
    await running.stop()


async def test_a_disk_that_fails_ends_the_chain() -> None:
    disk = MemoryDisk()
    running = RunningChain(started(store_with(FIRST, disk), await FileLog.open(disk, LOG_FOLDER), context()))
    await running.chain.order(normal())
    await running.block(1)
    disk.fail("sync")
    with pytest.raises(DiskFault):
        await running.chain.order(normal())
    with pytest.raises(DiskFault):
        await running.task
    assert running.chain.halted


async def life(disk: MemoryDisk, seen: dict[int, Block], raws: list[bytes], acknowledged: list[bytes]) -> None:
    """One life of an orderer: take up what is there, order what is not acknowledged yet, and note every block seen."""
    running: RunningChain | None = None
    try:
        chain = started(store_with(FIRST, disk), await FileLog.open(disk, LOG_FOLDER), context())
        running = RunningChain(chain)
        async with asyncio.timeout(10):
            await asyncio.wait((asyncio.create_task(chain.caught_up()), running.task), return_when="FIRST_COMPLETED")
            for start in range(0, len(raws), 3):
                burst = [raw for raw in raws[start : start + 3] if raw not in acknowledged]
                await asyncio.gather(*(chain.order(normal(raw)) for raw in burst))
                acknowledged += burst
                waiting = asyncio.create_task(chain.drained())
                await asyncio.wait((waiting, running.task), return_when="FIRST_COMPLETED")
                for number in range(len(seen), chain.height):
                    block = await running.block(number)
                    assert seen.setdefault(number, block).header == block.header
    except (StorageError, ChainHalted, LogClosed):
        pass
    finally:
        if running is not None:
            await running.stop()


@pytest.mark.parametrize("seed", range(2))
async def test_at_every_crash_point_what_was_acknowledged_is_ordered_and_no_block_that_left_changes(seed: int) -> None:
    raws = [envelope() for _ in range(9)]
    rehearsal = MemoryDisk()
    await life(rehearsal, {}, raws, [])
    for point in range(4, rehearsal.deeds):
        disk, seen, acknowledged = MemoryDisk(), dict[int, Block](), list[bytes]()
        disk.cut_power_after(point)
        await life(disk, seen, raws, acknowledged)
        promised, left = list(acknowledged), dict(seen)
        disk.restart(seed * 1000 + point)
        await life(disk, seen, raws, acknowledged)
        assert acknowledged == raws, f"{seed=} {point=}"
        for number, block in left.items():
            assert seen[number].header == block.header, f"{seed=} {point=}"
        ordered = envelopes([seen[number] for number in sorted(seen)])[1:]
        assert set(raws) <= set(ordered), f"{seed=} {point=}"
        assert all(ordered.count(raw) == 1 for raw in promised), f"{seed=} {point=}"
