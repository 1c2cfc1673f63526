"""Envelopes on a batch stream: answered as on Fabric's own, but each for itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import HeaderType, Status
from privysharing.rpc.batch import BROADCAST, BatchBroadcastClient
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient, parse_broadcast_answer
from privysharing.rpc.errors import NodeUnavailable
from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.channels import Channels, Genesis
from services.orderer.delivery import Delivery
from services.orderer.intake import Intake
from services.orderer.log import appends
from services.orderer.rpc import AtomicBroadcastRpc, BatchBroadcastRpc
from services.runtime.batching import TOO_LATE
from services.runtime.disk import StorageError
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.batches import Sender, connected, item
from tests.support.ordering import (
    CHANNEL,
    CITY,
    NOW_NS,
    SECOND_NS,
    SIGNER,
    STRANGERS,
    batch_update,
    context,
    envelope,
    genesis,
    update_of,
)

SUCCESS = BroadcastAnswer(Status.SUCCESS, "")
GONE = BroadcastAnswer(Status.SERVICE_UNAVAILABLE, "consenter for this channel has been halted")


class Orderer:
    """Both services on loopback, over a disk in memory."""

    def __init__(self, disk: MemoryDisk) -> None:
        self.registry = Registry()
        shared = context(registry=self.registry)
        self.channels = Channels(disk, Path("/orderer"), shared)
        intake = Intake(self.channels, SIGNER, lambda: Clock(NOW_NS, 600 * SECOND_NS), shared.metrics)
        delivery = Delivery(self.channels, lambda: Clock(NOW_NS, 600 * SECOND_NS), shared.metrics)
        self.batches = BatchBroadcastRpc(intake)
        self.classic = AtomicBroadcastRpc(Broadcast(intake), delivery, binds_to_certificate=False)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[grpc.aio.Channel]:
        await self.channels.open([Genesis(CHANNEL, genesis()), Genesis("police", genesis("police"))])
        running = asyncio.create_task(self.channels.run())
        await self.channels.caught_up()
        try:
            async with connected(self.batches.handler(), self.classic.handler()) as channel:
                yield channel
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            with contextlib.suppress(StorageError):  # some tests take the disk's power
                await self.channels.close()

    async def ordered(self, channel_id: str = CHANNEL) -> list[bytes]:
        """All envelopes in blocks behind the first block."""
        chain = self.channels.get(channel_id)
        assert chain is not None
        await chain.drained()
        raws = [await chain.block(number) for number in range(1, chain.height)]
        return [data for raw in raws if raw is not None for data in parse_block(raw).data]


@asynccontextmanager
async def orderer() -> AsyncIterator[tuple[Orderer, grpc.aio.Channel]]:
    made = Orderer(MemoryDisk())
    async with made.serving() as channel:
        yield made, channel


async def answers(sender: Sender, count: int) -> dict[int, BroadcastAnswer]:
    found = await sender.answers(count)
    assert all(isinstance(outcome, bytes) for outcome in found.values()), found
    return {number: parse_broadcast_answer(outcome) for number, outcome in found.items() if isinstance(outcome, bytes)}


ENVELOPES: dict[str, Callable[[Orderer], bytes]] = {
    "good": lambda _: envelope(),
    "malformed": lambda _: b"\xff",
    "empty": lambda _: b"",
    "unknown channel": lambda _: envelope(channel_id="nowhere"),
    "a configuration": lambda _: envelope(kind=HeaderType.CONFIG),
    "a stranger": lambda _: envelope(who=STRANGERS.client),
    "no writer": lambda _: envelope(who=CITY.peer),
    "forged": lambda _: envelope(signature=CITY.client.sign(b"something else")),
    "kept back": lambda _: envelope(timestamp_ns=1),
    "oversize": lambda _: envelope(bytes(11 * 1024 * 1024)),
    "an update that nobody entitled signed": lambda made: update_of(config_of(made), {"BatchSize": b""}, [CITY.admin]),
    "another channel": lambda _: envelope(channel_id="police"),
    "last": lambda _: envelope(),
}


def config_of(made: Orderer) -> ChannelConfig:
    chain = made.channels.get(CHANNEL)
    assert chain is not None
    return chain.config


async def test_every_answer_is_that_of_fabric_s_own_stream_and_a_refusal_refuses_only_itself() -> None:
    async with orderer() as (made, channel):
        raws = [make(made) for make in ENVELOPES.values()]
        sender = Sender(channel, BROADCAST)
        await sender.send(*(item(number, raw) for number, raw in enumerate(raws)))
        found = await answers(sender, len(raws))
        taken = [raws[number] for number in range(len(raws)) if found[number] == SUCCESS]
        assert taken == [raw for raw, name in zip(raws, ENVELOPES, strict=True) if name in TAKEN]
        assert await made.ordered() == [raws[0], raws[-1]]
        assert await made.ordered("police") == [raws[-2]]
        classic = BroadcastClient("orderer", channel)
        for number, (name, raw) in enumerate(zip(ENVELOPES, raws, strict=True)):
            assert found[number] == await classic.send(raw, 10), name
        await classic.close()


TAKEN = ("good", "another channel", "last")


async def test_answers_come_once_the_envelope_is_durable() -> None:
    disk = MemoryDisk()
    made = Orderer(disk)
    async with made.serving() as channel:
        sender = Sender(channel, BROADCAST)
        raws = [envelope() for _ in range(60)]
        await sender.send(*(item(number, raw) for number, raw in enumerate(raws)))
        assert await answers(sender, 60) == dict.fromkeys(range(60), SUCCESS)
        disk.restart(seed=1)  # power is lost: what was not synced is torn
    restarted = Orderer(disk)
    async with restarted.serving():
        assert await restarted.ordered() == raws


async def test_what_cannot_be_stored_is_never_acknowledged() -> None:
    disk = MemoryDisk()
    made = Orderer(disk)
    async with made.serving() as channel:
        sender = Sender(channel, BROADCAST)
        disk.cut_power_after(0)
        await sender.send(item(1, envelope()), item(2, envelope()))
        found = await answers(sender, 2)
        assert {answer.status for answer in found.values()} == {Status.SERVICE_UNAVAILABLE}
        assert {answer.info for answer in found.values()} == {"cannot enqueue"}
        disk.restart()


async def test_a_halted_chain_refuses_each_envelope_and_the_stream_goes_on() -> None:
    async with orderer() as (made, channel):
        chain = made.channels.get(CHANNEL)
        assert chain is not None
        sender = Sender(channel, BROADCAST)
        chain.halt()
        await sender.send(item(1, envelope()), item(2, envelope(channel_id="police")))
        assert await answers(sender, 2) == {1: GONE, 2: SUCCESS}


async def test_who_waits_for_room_in_one_channel_s_log_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with orderer() as (made, channel):
        chain = made.channels.get(CHANNEL)
        assert chain is not None
        full = asyncio.Event()
        monkeypatch.setattr(type(chain), "has_room", property(lambda self: full.is_set() or self is not chain))
        monkeypatch.setattr(chain, "room", full.wait)
        sender = Sender(channel, BROADCAST)
        raw = envelope()
        await sender.send(item(1, raw), item(2, envelope(channel_id="police")), item(3, envelope(), 100))
        assert await answers(sender, 1) == {2: SUCCESS}
        assert await sender.answers(1) == {3: TOO_LATE}
        full.set()
        assert await answers(sender, 1) == {1: SUCCESS}
        assert await made.ordered() == [raw]  # and not what its sender was told came to nothing


async def test_a_full_log_has_no_room_until_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appends, "QUEUED_BYTES_MAX", 10_000)
    async with orderer() as (made, channel):
        sender = Sender(channel, BROADCAST)
        raws = [envelope(bytes(2000)) for _ in range(60)]
        await sender.send(*(item(number, raw) for number, raw in enumerate(raws)))
        assert await answers(sender, 60) == dict.fromkeys(range(60), SUCCESS)
        assert sorted(await made.ordered()) == sorted(raws)


async def test_a_configuration_update_takes_effect() -> None:
    async with orderer() as (made, channel):
        limits = BatchSize(1, 20_000, 10_000)
        sender = Sender(channel, BROADCAST)
        await sender.send(item(1, batch_update(config_of(made), limits)), item(2, envelope()))
        assert await answers(sender, 2) == {1: SUCCESS, 2: SUCCESS}
        assert len(await made.ordered()) == 2
        assert config_of(made).orderer.batch_size == limits


async def test_a_sender_that_goes_away_costs_nobody_anything() -> None:
    async with orderer() as (_, channel):
        gone, stays = Sender(channel, BROADCAST), Sender(channel, BROADCAST)
        await stays.response()
        await gone.send(*(item(number, envelope()) for number in range(60)))
        gone.stream.cancel()
        await stays.send(item(1, envelope()))
        assert await answers(stays, 1) == {1: SUCCESS}


async def test_answers_are_counted_as_on_fabric_s_own_stream() -> None:
    async with orderer() as (made, channel):
        client = BatchBroadcastClient(channel, BroadcastClient("orderer", channel))
        assert await client.send(envelope(), 10) == SUCCESS
        assert (await client.send(envelope(who=STRANGERS.client), 10)).status is Status.FORBIDDEN
        await client.close()
        name = "broadcast_processed_count"
        for status in ("SUCCESS", "FORBIDDEN"):
            assert f'{name}{{channel="health",type="ENDORSER_TRANSACTION",status="{status}"}} 1' in (
                made.registry.render()
            )


async def test_hanging_up_ends_idle_streams_at_once() -> None:
    async with orderer() as (made, channel):
        client = BatchBroadcastClient(channel, BroadcastClient("orderer", channel))
        sender = Sender(channel, BROADCAST)
        assert await client.send(envelope(), 10) == SUCCESS
        made.batches.hang_up()
        await sender.end()
        await asyncio.sleep(0.1)  # the client's stream has ended, too
        assert await client.send(envelope(), 10) == SUCCESS  # over a new one
        await client.close()


async def test_no_room_for_more_is_a_retryable_refusal() -> None:
    async with orderer() as (made, channel):
        made.channels.halt()
        client = BatchBroadcastClient(channel, BroadcastClient("orderer", channel))
        assert await client.send(envelope(), 10) == GONE  # SERVICE_UNAVAILABLE: another orderer may do better
        await client.close()
        with pytest.raises(NodeUnavailable):
            await client.send(envelope(), 10)
