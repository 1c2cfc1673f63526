"""Broadcast answers in order, and orders nothing behind an envelope that it refused."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize, ConsensusState, ConsensusType
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import HeaderType, Status
from services.orderer import broadcast as broadcast_module
from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.channels import Channels, Genesis
from services.orderer.intake import SUCCESS, Answer, Intake
from services.runtime.config import ConfigError
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.ordering import (
    CHANNEL,
    CITY,
    NOW_NS,
    SECOND_NS,
    SIGNER,
    STRANGERS,
    batch_update,
    consensus_update,
    context,
    envelope,
    genesis,
    stream,
    update_of,
)


class Orderer:
    """The service without its sockets, on a disk in memory."""

    def __init__(self, disk: MemoryDisk, *blocks: Genesis) -> None:
        self.registry = Registry()
        self._context = context(registry=self.registry)
        self.channels = Channels(disk, Path("/orderer"), self._context)
        self._blocks = blocks
        clock = Clock(NOW_NS, 600 * SECOND_NS)
        self.has_room = True
        self.intake = Intake(
            self.channels, SIGNER, lambda: clock, self._context.metrics, has_room=lambda: self.has_room
        )
        self.broadcast = Broadcast(self.intake)

    async def start(self) -> None:
        await self.channels.open(self._blocks)
        self.task = asyncio.create_task(self.channels.run())
        await self.channels.caught_up()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.channels.close()

    async def answers(self, *envelopes: bytes) -> list[Answer]:
        return [answer async for answer in self.broadcast.serve(stream(envelopes))]

    async def ordered(self, channel_id: str = CHANNEL) -> list[bytes]:
        """All envelopes in blocks behind the first block."""
        chain = self.channels.get(channel_id)
        assert chain is not None
        await chain.drained()
        raws = [await chain.block(number) for number in range(1, chain.height)]
        return [data for raw in raws if raw is not None for data in parse_block(raw).data]


@pytest.fixture
async def orderer() -> AsyncIterator[Orderer]:
    made = Orderer(MemoryDisk(), Genesis(CHANNEL, genesis()), Genesis("police", genesis("police")))
    await made.start()
    yield made
    await made.stop()


async def test_every_envelope_is_answered_and_ordered(orderer: Orderer) -> None:
    raws = [envelope() for _ in range(10)]
    assert await orderer.answers(*raws) == [SUCCESS] * 10
    assert await orderer.ordered() == raws


async def test_an_orderer_short_of_disk_space_says_try_later_and_takes_up_again(orderer: Orderer) -> None:
    orderer.has_room = False
    for raw in (envelope(), batch_update(config_of(orderer), BatchSize(1, 20_000, 10_000))):
        (answer,) = await orderer.answers(raw)
        assert answer.status is Status.SERVICE_UNAVAILABLE
        assert "try again later" in answer.info
    assert await orderer.ordered() == []
    orderer.has_room = True
    assert await orderer.answers(envelope()) == [SUCCESS]


async def test_nothing_behind_a_refused_envelope_is_ordered_or_answered(orderer: Orderer) -> None:
    before, refused, behind = envelope(), envelope(who=STRANGERS.client), envelope()
    answers = await orderer.answers(before, refused, behind)
    assert [answer.status for answer in answers] == [Status.SUCCESS, Status.FORBIDDEN]
    assert await orderer.ordered() == [before]


@pytest.mark.parametrize(
    ("make", "status", "info"),
    [
        (lambda: b"\xff", Status.BAD_REQUEST, "could not determine channel ID: not a common.Envelope"),
        (lambda: envelope(channel_id="nowhere"), Status.BAD_REQUEST, "channel does not exist"),
        (
            lambda: envelope(kind=HeaderType.CONFIG),
            Status.BAD_REQUEST,
            "message is of type that cannot be processed directly",
        ),
        (lambda: envelope(who=CITY.peer), Status.FORBIDDEN, "permission denied"),
        (lambda: envelope(timestamp_ns=1), Status.BAD_REQUEST, "timestamp"),
        (lambda: envelope(b"x" * (11 * 1024 * 1024)), Status.BAD_REQUEST, "exceeds maximum allowed 10485760 bytes"),
    ],
    ids=["malformed", "unknown channel", "configuration", "forbidden creator", "kept back", "oversize"],
)
async def test_a_refusal_says_why_and_leaves_no_trace(
    orderer: Orderer, make: Callable[[], bytes], status: Status, info: str
) -> None:
    (answer,) = await orderer.answers(make())
    assert answer.status is status
    assert info in answer.info
    assert await orderer.ordered() == []


async def test_a_replayed_envelope_is_ordered_again(orderer: Orderer) -> None:
    raw = envelope()
    assert await orderer.answers(raw, raw) == [SUCCESS, SUCCESS]
    assert await orderer.ordered() == [raw, raw]


async def test_channels_do_not_see_each_other_s_envelopes(orderer: Orderer) -> None:
    one, other = envelope(), envelope(channel_id="police")
    assert await orderer.answers(one, other) == [SUCCESS, SUCCESS]
    assert await orderer.ordered() == [one]
    assert await orderer.ordered("police") == [other]


async def test_a_client_that_sends_slowly_gets_each_answer_at_once(orderer: Orderer) -> None:
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def messages() -> AsyncIterator[bytes]:
        while (raw := await sent.get()) is not None:
            yield raw

    answers = orderer.broadcast.serve(messages())
    for _ in range(3):
        sent.put_nowait(envelope())
        async with asyncio.timeout(5):
            assert await anext(answers) == SUCCESS
    sent.put_nowait(None)
    assert [answer async for answer in answers] == []


async def test_a_client_that_goes_away_leaves_no_reader_behind(
    orderer: Orderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "READ_AHEAD_MAX", 2)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield envelope()
            await asyncio.sleep(0)

    before = asyncio.all_tasks()
    answers = orderer.broadcast.serve(endless())
    assert await anext(answers) == SUCCESS
    await answers.aclose()
    assert asyncio.all_tasks() == before


async def test_an_orderer_that_stops_refuses_what_still_comes(orderer: Orderer) -> None:
    orderer.channels.halt()
    (answer,) = await orderer.answers(envelope())
    assert answer == Answer(Status.SERVICE_UNAVAILABLE, "consenter for this channel has been halted")


async def test_answers_are_counted_by_channel_type_and_status(orderer: Orderer) -> None:
    await orderer.answers(envelope())
    await orderer.answers(envelope(who=STRANGERS.client))
    await orderer.answers(envelope(channel_id="made-up-name", kind=4711))
    page = orderer.registry.render()
    name = "broadcast_processed_count"
    assert f'{name}{{channel="health",type="ENDORSER_TRANSACTION",status="SUCCESS"}} 1' in page
    assert f'{name}{{channel="health",type="ENDORSER_TRANSACTION",status="FORBIDDEN"}} 1' in page
    assert f'{name}{{channel="unknown",type="unknown",status="BAD_REQUEST"}} 1' in page
    assert "broadcast_enqueue_duration_count" in page
    assert "made-up-name" not in page


def config_of(orderer: Orderer) -> ChannelConfig:
    chain = orderer.channels.get(CHANNEL)
    assert chain is not None
    return chain.config


async def test_a_configuration_update_becomes_a_configuration_signed_by_the_orderer(orderer: Orderer) -> None:
    limits = BatchSize(1, 20_000, 10_000)
    assert await orderer.answers(batch_update(config_of(orderer), limits)) == [SUCCESS]
    (raw,) = await orderer.ordered()
    assert ChannelConfig.from_envelope(raw).orderer.batch_size == limits
    assert config_of(orderer).sequence == 1
    assert await orderer.answers(envelope()) == [SUCCESS]


async def test_an_update_that_nobody_entitled_signed_is_refused(orderer: Orderer) -> None:
    update = update_of(config_of(orderer), {"BatchSize": b""}, [CITY.admin])
    (answer,) = await orderer.answers(update)
    assert answer.status is Status.BAD_REQUEST
    assert answer.info.startswith("error applying config update to existing channel 'health': ")
    assert "policy for [Value]  /Channel/Orderer/BatchSize not satisfied" in answer.info


async def test_an_update_by_whoever_is_no_writer_is_forbidden(orderer: Orderer) -> None:
    (answer,) = await orderer.answers(envelope(b"", STRANGERS.admin, kind=HeaderType.CONFIG_UPDATE))
    assert answer.status is Status.FORBIDDEN
    assert answer.info.startswith("config update for existing channel did not pass initial checks: ")


async def test_the_same_update_does_not_apply_twice(orderer: Orderer) -> None:
    update = batch_update(config_of(orderer), BatchSize(1, 20_000, 10_000))
    assert await orderer.answers(update) == [SUCCESS]
    await orderer.ordered()
    (answer,) = await orderer.answers(update)
    assert answer.status is Status.BAD_REQUEST


async def test_the_consensus_type_cannot_be_changed_outside_maintenance(orderer: Orderer) -> None:
    (answer,) = await orderer.answers(consensus_update(config_of(orderer), ConsensusType("etcdraft")))
    assert answer.status is Status.BAD_REQUEST
    assert "attempted to change consensus type from solo to etcdraft" in answer.info


async def test_maintenance_stops_normal_messages(orderer: Orderer) -> None:
    maintenance = ConsensusType("solo", state=ConsensusState.MAINTENANCE)
    assert await orderer.answers(consensus_update(config_of(orderer), maintenance)) == [SUCCESS]
    await orderer.ordered()
    (answer,) = await orderer.answers(envelope())
    expected = "normal transactions are rejected: maintenance mode"
    assert answer == Answer(Status.SERVICE_UNAVAILABLE, expected)


async def test_after_a_restart_channels_go_on_where_they_were() -> None:
    disk = MemoryDisk()
    first = Orderer(disk, Genesis(CHANNEL, genesis()))
    await first.start()
    one = envelope()
    await first.answers(one)
    await first.ordered()
    await first.stop()
    second = Orderer(disk)  # no genesis block is needed the second time
    await second.start()
    two = envelope()
    await second.answers(two)
    assert await second.ordered() == [one, two]
    await second.stop()


async def test_a_channel_does_not_go_on_from_another_genesis_block() -> None:
    disk = MemoryDisk()
    first = Orderer(disk, Genesis(CHANNEL, genesis()))
    await first.start()
    await first.stop()
    other = Orderer(disk, Genesis(CHANNEL, genesis(timeout_s=7.0)))
    with pytest.raises(ConfigError, match="channel health was started from another genesis block"):
        await other.channels.open([Genesis(CHANNEL, genesis(timeout_s=7.0))])
