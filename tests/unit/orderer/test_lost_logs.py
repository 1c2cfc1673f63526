"""A chain does not go on with a log that is not, or no longer, the one that its blocks were made from."""

import asyncio

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.ordering import Connect, TimeToCut
from services.orderer.log import LostRecords
from services.orderer.log.memorylog import MemoryLog
from tests.support.ordering import RunningChain, configuration, context, genesis, normal, started, store_with

FIRST = genesis()
CONFIG = ChannelConfig.from_block(FIRST)


async def test_a_chain_does_not_go_on_with_a_log_that_ends_before_its_newest_block() -> None:
    store = store_with(FIRST)
    running = RunningChain(started(store, MemoryLog(), context()))
    await running.chain.order(normal())
    await running.block(1)
    await running.stop()
    with pytest.raises(LostRecords, match="block 1 ends at offset 2"):
        started(store, MemoryLog(), context())


async def refilled(log: MemoryLog, what: dict[int, bytes]) -> MemoryLog:
    """A log of as many records, of which some are others."""
    other = MemoryLog()
    async for entries in log.entries(0):
        for entry in entries:
            await other.append(what.get(entry.offset, entry.record))
        break
    return other


def record(raw: bytes | None = None) -> bytes:
    return encode_record(normal(raw))


@pytest.mark.parametrize(
    "what",
    [{4: b"nonsense"}, {3: record()}, {3: encode_record(TimeToCut(2)), 4: record()}, {3: b"", 4: b""}],
    ids=["its end", "its envelope", "another order", "nothing"],
)
async def test_a_chain_does_not_go_on_with_a_log_that_was_cut_off_and_filled_again(what: dict[int, bytes]) -> None:
    store, log = store_with(FIRST), MemoryLog()
    running = RunningChain(started(store, log, context()))
    for number in (1, 2):
        await running.chain.order(normal())
        await running.block(number)
    await running.stop()
    again = RunningChain(started(store, await refilled(log, {}), context()))
    await again.chain.caught_up()
    await again.chain.order(normal())
    await again.block(3)
    await again.stop()
    store = store_with(FIRST)
    for block in await again.blocks(3):
        if block.header.number:
            store.append(encode_block(block))
    other = RunningChain(started(store, await refilled(log, what), context()))
    with pytest.raises(LostRecords, match="makes another block 2 than is stored"):
        await asyncio.wait_for(other.task, 5)
    assert other.chain.height == 3
    await other.stop()


class LostLog(MemoryLog):
    """A log that takes nothing more."""

    lost = False

    def append(self, record: bytes) -> "asyncio.Future[int]":
        if self.lost:
            raise LostRecords("the topic is gone; see the handbook")
        return super().append(record)


async def test_a_chain_that_has_to_put_a_record_into_a_lost_log_again_says_what_is_lost() -> None:
    log = LostLog()
    for each in (Connect(), configuration(CONFIG, BatchSize(50, 10_000, 10_000)), normal()):
        await log.append(encode_record(each))
    running = RunningChain(started(store_with(FIRST), log, context()))
    log.lost = True
    with pytest.raises(LostRecords, match="the topic is gone"):
        await asyncio.wait_for(running.task, 5)
    assert running.chain.height == 2
    await running.stop()


class TrimmedLog(MemoryLog):
    """A log that has dropped its first records."""

    def start(self) -> int:
        return 4


async def test_a_newest_block_whose_records_were_dropped_is_believed() -> None:
    store, log = store_with(FIRST), TrimmedLog()
    running = RunningChain(started(store, log, context()))
    for number in (1, 2):
        await running.chain.order(normal())
        await running.block(number)
    await running.stop()
    again = TrimmedLog()
    for number in range(log.end()):
        await again.append(b"dropped %d" % number)
    other = RunningChain(started(store, again, context()))
    await other.chain.caught_up()
    await other.chain.order(normal())
    await other.block(3)
    await other.stop()
