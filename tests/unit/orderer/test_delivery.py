"""Deliver gives whom it may what he asked for, and waits only where he wants it to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.codec.envelopes import encode_envelope
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import (
    NEWEST,
    NEXT_COMMIT,
    OLDEST,
    SeekBehavior,
    SeekContentType,
    SeekErrorResponse,
    SeekInfo,
    SeekKind,
    SeekPosition,
)
from services.orderer.admission import Clock
from services.orderer.broadcast import Broadcast
from services.orderer.channels import Channels, Genesis
from services.orderer.delivery import Delivery
from services.orderer.intake import SUCCESS, Intake
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.authorities import START
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
    seek_envelope,
    stream,
)

WINDOW_NS = 900 * SECOND_NS
at = SeekPosition.at


class Server:
    """An orderer without its sockets, with three blocks."""

    def __init__(self) -> None:
        self.registry = Registry()
        shared = context(registry=self.registry)
        self.now_ns = NOW_NS
        self.channels = Channels(MemoryDisk(), Path("/orderer"), shared)
        self.broadcast = Broadcast(Intake(self.channels, SIGNER, lambda: Clock(NOW_NS, 0), shared.metrics))
        self.delivery = Delivery(self.channels, lambda: Clock(self.now_ns, WINDOW_NS), shared.metrics)

    async def start(self) -> None:
        await self.channels.open([Genesis(CHANNEL, genesis())])
        self.task = asyncio.create_task(self.channels.run())
        await self.channels.caught_up()
        for _ in range(2):
            await self.add_block()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.channels.close()

    async def add_block(self, raw: bytes | None = None) -> None:
        assert [answer async for answer in self.broadcast.serve(stream([raw or envelope()]))] == [SUCCESS]
        chain = self.channels.get(CHANNEL)
        assert chain is not None
        await chain.drained()

    async def deliver(self, *requests: bytes, certificate_hash: bytes | None = None) -> list[Block | Status]:
        """Everything that comes back, until the server ends the stream."""
        async with asyncio.timeout(5):
            raws = [raw async for raw in self.delivery.serve(stream(requests), certificate_hash)]
        return [answer_of(raw) for raw in raws]

    async def numbers(self, seek: SeekInfo, who: SigningIdentity = CITY.peer) -> list[int | Status]:
        """Numbers of the blocks that come, then the status."""
        answers = await self.deliver(seek_envelope(seek, who))
        return [answer.header.number if isinstance(answer, Block) else answer for answer in answers]


def answer_of(raw: bytes) -> Block | Status:
    response = parse_deliver_response(raw)
    if response.status is not None:
        return response.status
    assert response.block is not None
    return parse_block(response.block)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.start()
    yield made
    await made.stop()


FAIL = SeekBehavior.FAIL_IF_NOT_READY


@pytest.mark.parametrize(
    ("seek", "expected"),
    [
        (SeekInfo(OLDEST, NEWEST), [0, 1, 2, Status.SUCCESS]),
        (SeekInfo(OLDEST, OLDEST), [0, Status.SUCCESS]),
        (SeekInfo(NEWEST, NEWEST), [2, Status.SUCCESS]),
        (SeekInfo(at(1), at(2)), [1, 2, Status.SUCCESS]),
        (SeekInfo(at(1), at(1)), [1, Status.SUCCESS]),
        (SeekInfo(at(0), NEWEST, FAIL), [0, 1, 2, Status.SUCCESS]),
        (SeekInfo(at(1), at(9), FAIL), [1, 2, Status.NOT_FOUND]),
        (SeekInfo(at(3), at(3), FAIL), [Status.NOT_FOUND]),
        (SeekInfo(at(4), at(4)), [Status.NOT_FOUND]),
        (SeekInfo(at(2**64 - 1), at(2**64 - 1)), [Status.NOT_FOUND]),
        (SeekInfo(at(2), at(1)), [Status.BAD_REQUEST]),
        (SeekInfo(None, NEWEST), [Status.BAD_REQUEST]),
        (SeekInfo(OLDEST, None), [Status.BAD_REQUEST]),
        (SeekInfo(SeekPosition(SeekKind.UNSET), NEWEST), [Status.NOT_FOUND]),
        (SeekInfo(at(0), SeekPosition(SeekKind.UNSET)), [0, Status.SUCCESS]),
    ],
    ids=str,
)
async def test_a_seek_brings_the_blocks_that_it_names(
    server: Server, seek: SeekInfo, expected: list[int | Status]
) -> None:
    assert await server.numbers(seek) == expected


async def test_the_next_block_is_waited_for(server: Server) -> None:
    for start in (at(3), NEXT_COMMIT):
        chain = server.channels.get(CHANNEL)
        assert chain is not None
        number = chain.height if start is NEXT_COMMIT else 3
        waiting = asyncio.create_task(server.numbers(SeekInfo(start, at(number))))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await server.add_block()
        assert await waiting == [number, Status.SUCCESS]


async def test_newest_as_a_stop_means_the_newest_when_asked(server: Server) -> None:
    answers = server.delivery.serve(stream([seek_envelope(SeekInfo(OLDEST, NEWEST))]), None)
    await anext(answers)
    await server.add_block()
    rest = [answer_of(raw) async for raw in answers]
    assert [answer.header.number for answer in rest if isinstance(answer, Block)] == [1, 2]
    assert rest[-1] is Status.SUCCESS


async def test_after_success_a_stream_takes_another_seek_and_after_a_refusal_none(server: Server) -> None:
    one, wrong = seek_envelope(SeekInfo(at(1), at(1))), seek_envelope(SeekInfo(at(9), at(9)))
    answers = await server.deliver(one, one, wrong, one)
    statuses = [answer for answer in answers if isinstance(answer, Status)]
    assert statuses == [Status.SUCCESS, Status.SUCCESS, Status.NOT_FOUND]
    assert len(answers) == 5


async def test_the_type_of_the_request_is_not_looked_at(server: Server) -> None:
    request = seek_envelope(SeekInfo(at(1), at(1)), kind=3)
    assert (await server.deliver(request))[-1] is Status.SUCCESS


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\xff", Status.BAD_REQUEST),
        (encode_envelope(b"", b""), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), timestamp_ns=None), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), timestamp_ns=NOW_NS - WINDOW_NS - 1), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), timestamp_ns=NOW_NS + WINDOW_NS + 1), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), channel_id="nowhere"), Status.NOT_FOUND),
        (envelope(b"\xff", CITY.peer), Status.BAD_REQUEST),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), CITY.client), Status.FORBIDDEN),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), STRANGERS.peer), Status.FORBIDDEN),
        (seek_envelope(SeekInfo(OLDEST, OLDEST), signature=b""), Status.FORBIDDEN),
        (seek_envelope(SeekInfo(None, None), STRANGERS.peer), Status.FORBIDDEN),
    ],
    ids=[
        "malformed",
        "no header",
        "no timestamp",
        "too old",
        "from the future",
        "unknown channel",
        "malformed seek",
        "a client, who is no Reader",
        "stranger",
        "unsigned",
        "rights before contents",
    ],
)
async def test_a_request_that_is_not_in_order_is_refused(server: Server, request_: bytes, status: Status) -> None:
    assert await server.deliver(request_) == [status]


@pytest.mark.parametrize(
    ("claimed", "shown", "status"),
    [
        (b"h" * 32, b"h" * 32, Status.SUCCESS),
        (b"", b"h" * 32, Status.BAD_REQUEST),
        (b"h" * 32, b"", Status.BAD_REQUEST),
        (b"h" * 32, b"i" * 32, Status.BAD_REQUEST),
        (b"anything", None, Status.SUCCESS),
    ],
    ids=["same", "not claimed", "not shown", "another", "not required"],
)
async def test_a_request_is_bound_to_the_certificate_of_its_connection(
    server: Server, claimed: bytes, shown: bytes | None, status: Status
) -> None:
    request = seek_envelope(SeekInfo(OLDEST, OLDEST), tls_cert_hash=claimed)
    assert (await server.deliver(request, certificate_hash=shown))[-1] is status


async def test_a_reader_whose_certificate_expires_gets_no_further_block(server: Server) -> None:
    answers = server.delivery.serve(stream([seek_envelope(SeekInfo(OLDEST, NEWEST))]), None)
    assert isinstance(answer_of(await anext(answers)), Block)
    server.now_ns = int((START + timedelta(days=400)).timestamp()) * SECOND_NS
    assert [answer_of(raw) async for raw in answers] == [Status.FORBIDDEN]


async def test_headers_and_signatures_come_without_transactions_but_with_configurations(server: Server) -> None:
    seek = SeekInfo(OLDEST, NEWEST, content_type=SeekContentType.HEADER_WITH_SIG_BYTES)
    blocks = [answer for answer in await server.deliver(seek_envelope(seek)) if isinstance(answer, Block)]
    assert [len(block.data) for block in blocks] == [1, 0, 0]
    assert all(len(block.metadata) == 5 for block in blocks)


async def test_a_reader_at_the_tip_goes_on_over_a_change_of_configuration(server: Server) -> None:
    chain = server.channels.get(CHANNEL)
    assert chain is not None
    waiting = asyncio.create_task(server.numbers(SeekInfo(at(3), at(4))))
    await server.add_block(batch_update(chain.config, BatchSize(1, 20_000, 10_000)))
    await server.add_block()
    assert await waiting == [3, 4, Status.SUCCESS]


async def test_a_server_that_stops_lets_its_readers_go(server: Server) -> None:
    waiting = asyncio.create_task(server.numbers(SeekInfo(at(3), at(3))))
    await asyncio.sleep(0.02)
    server.channels.halt()
    assert await waiting == [Status.SERVICE_UNAVAILABLE]
    assert await server.numbers(SeekInfo(OLDEST, OLDEST)) == [Status.SERVICE_UNAVAILABLE]
    best_effort = SeekInfo(OLDEST, OLDEST, error_response=SeekErrorResponse.BEST_EFFORT)
    assert await server.numbers(best_effort) == [0, Status.SUCCESS]


async def test_deliveries_are_counted(server: Server) -> None:
    await server.numbers(SeekInfo(OLDEST, NEWEST))
    await server.numbers(SeekInfo(at(9), at(9)))
    await server.deliver(seek_envelope(SeekInfo(OLDEST, OLDEST), channel_id="made-up-name"))
    page = server.registry.render()
    labels = 'channel="health",filtered="false",data_type="block"'
    assert f"deliver_blocks_sent{{{labels}}} 3" in page
    assert f"deliver_requests_received{{{labels}}} 2" in page
    assert f'deliver_requests_completed{{{labels},success="true"}} 1' in page
    assert f'deliver_requests_completed{{{labels},success="false"}} 1' in page
    assert "deliver_streams_opened 3" in page
    assert "deliver_streams_closed 3" in page
    assert "made-up-name" not in page
