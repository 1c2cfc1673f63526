"""Channels of one orderer share its process and nothing else: what one waits for, or has lost, concerns no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import NEWEST, OLDEST, SeekBehavior, SeekErrorResponse, SeekInfo, SeekPosition
from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.channels import Channels, Genesis
from services.orderer.delivery import Delivery
from services.orderer.intake import SUCCESS, Answer, Intake
from services.orderer.log import LogPlace, LostRecords, OrderedLog
from services.orderer.log.memorylog import MemoryLog
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.nodes import until
from tests.support.ordering import NOW_NS, SIGNER, context, envelope, genesis, seek_envelope, stream

WAITS = SeekInfo(OLDEST, SeekPosition.at(2**63))
HEALTH, POLICE = (Genesis(name, genesis(name)) for name in ("health", "police"))


class Brokers:
    """Keep a log for each channel; some may be away, and some may have lost what they had."""

    def __init__(self) -> None:
        self.logs = {"health": MemoryLog(), "police": MemoryLog()}
        self.back = {name: asyncio.Event() for name in self.logs}

    async def open(self, place: LogPlace) -> OrderedLog:
        await self.back[place.config.channel_id].wait()
        return self.logs[place.config.channel_id]


class LosingLog(MemoryLog):
    """A log that turns out not to be what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = False

    async def entries(self, start: int) -> AsyncIterator[list[object]]:  # type: ignore[override]
        async for entries in super().entries(start):
            if self.lost:
                raise LostRecords("the topic was made again; see the handbook")
            yield list(entries)


class DroppedLog(MemoryLog):
    """A log that no longer begins at its first record."""

    closed = False

    def start(self) -> int:
        return 5

    async def close(self) -> None:
        self.closed = True
        await super().close()


class Orderer:
    """The services of one process, without sockets."""

    def __init__(self, disk: MemoryDisk, brokers: Brokers) -> None:
        self.registry = Registry()
        shared = context(registry=self.registry)
        self.channels = Channels(disk, Path("/orderer"), shared, brokers.open)
        clock = Clock(NOW_NS, 0)
        self._broadcast = Broadcast(Intake(self.channels, SIGNER, lambda: clock, shared.metrics))
        self._delivery = Delivery(self.channels, lambda: clock, shared.metrics)

    async def order(self, channel_id: str) -> Answer:
        (answer,) = [each async for each in self._broadcast.serve(stream([envelope(channel_id=channel_id)]))]
        return answer

    async def delivered(self, channel_id: str, seek: SeekInfo) -> list[int | Status]:
        """Numbers of the blocks that come, then the status."""
        request = stream([seek_envelope(seek, channel_id=channel_id)])
        async with asyncio.timeout(5):
            return [_said(raw) async for raw in self._delivery.serve(request, None)]

    def illness(self, channel_id: str) -> str | None:
        chain = self.channels.get(channel_id)
        assert chain is not None
        return chain.illness()


def _said(raw: bytes) -> int | Status:
    response = parse_deliver_response(raw)
    if response.status is not None:
        return response.status
    assert response.block is not None
    block: Block = parse_block(response.block)
    return block.header.number


@asynccontextmanager
async def serving(brokers: Brokers, disk: MemoryDisk | None = None) -> AsyncIterator[Orderer]:
    orderer = Orderer(disk or MemoryDisk(), brokers)
    await orderer.channels.open([HEALTH, POLICE])
    running = asyncio.create_task(orderer.channels.run())
    try:
        yield orderer
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await orderer.channels.close()


async def ordered(orderer: Orderer, channel_id: str) -> None:
    """Return once the channel takes envelopes, and has one in a block."""
    chain = orderer.channels.get(channel_id)
    assert chain is not None
    await until(lambda: chain.refusal is None)
    assert await orderer.order(channel_id) == SUCCESS
    await chain.drained()


async def reopened(log: MemoryLog) -> MemoryLog:
    """The same log, for another process."""
    again = MemoryLog()
    async for entries in log.entries(0):
        for entry in entries:
            await again.append(entry.record)
    return again


async def test_a_channel_whose_brokers_are_away_holds_up_no_other_and_goes_on_when_they_are_back() -> None:
    brokers = Brokers()
    brokers.back["police"].set()
    async with serving(brokers) as orderer:
        await ordered(orderer, "police")
        refused = await orderer.order("health")
        assert (refused.status, refused.info.endswith("; try again later")) == (Status.SERVICE_UNAVAILABLE, True)
        assert orderer.illness("health") == "its ordering log is not open yet"
        assert await orderer.delivered("health", SeekInfo(OLDEST, NEWEST)) == [Status.SERVICE_UNAVAILABLE]
        content_with_less = SeekInfo(OLDEST, NEWEST, error_response=SeekErrorResponse.BEST_EFFORT)
        assert await orderer.delivered("health", content_with_less) == [0, Status.SUCCESS]
        brokers.back["health"].set()
        await ordered(orderer, "health")
        assert orderer.illness("health") is None


async def test_a_log_that_is_lost_halts_its_channel_only_whose_blocks_are_still_delivered() -> None:
    brokers = Brokers()
    losing = brokers.logs["health"] = LosingLog()
    for event in brokers.back.values():
        event.set()
    async with serving(brokers) as orderer:
        await ordered(orderer, "health")
        await ordered(orderer, "police")
        waiting = asyncio.create_task(orderer.delivered("health", WAITS))
        await asyncio.sleep(0.01)
        losing.lost = True
        assert await orderer.order("health") == SUCCESS  # and in no block: the topic is gone
        assert await waiting == [0, 1, Status.SERVICE_UNAVAILABLE]
        refused = await orderer.order("health")
        assert (refused.status, "its ordering log has lost records" in refused.info) == (
            Status.SERVICE_UNAVAILABLE,
            True,
        )
        assert orderer.illness("health") == "the topic was made again; see the handbook"
        assert 'participation_status{channel="health"} 3' in orderer.registry.render()
        assert await orderer.delivered("health", SeekInfo(OLDEST, NEWEST)) == [0, 1, Status.SUCCESS]
        ends = SeekInfo(OLDEST, SeekPosition.at(5), SeekBehavior.FAIL_IF_NOT_READY)
        assert await orderer.delivered("health", ends) == [0, 1, Status.NOT_FOUND]
        await ordered(orderer, "police")


async def test_a_log_that_was_lost_while_the_orderer_was_stopped_halts_its_channel_only() -> None:
    brokers, disk = Brokers(), MemoryDisk()
    for event in brokers.back.values():
        event.set()
    async with serving(brokers, disk) as orderer:
        await ordered(orderer, "health")
        await ordered(orderer, "police")
    disk.restart()
    brokers.logs = {"health": MemoryLog(), "police": await reopened(brokers.logs["police"])}
    async with serving(brokers, disk) as orderer:
        await ordered(orderer, "police")
        assert "block 1 ends at offset 2 of the ordering log, which has 0 records" in (orderer.illness("health") or "")
        assert await orderer.delivered("health", WAITS) == [0, 1, Status.SERVICE_UNAVAILABLE]


async def test_a_log_that_has_dropped_what_nobody_can_be_asked_for_is_lost_and_closed() -> None:
    brokers = Brokers()
    dropped = brokers.logs["health"] = DroppedLog()
    for event in brokers.back.values():
        event.set()
    async with serving(brokers) as orderer:
        await ordered(orderer, "police")
        assert "has dropped the records before 5" in (orderer.illness("health") or "")
        assert dropped.closed
