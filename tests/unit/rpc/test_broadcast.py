"""One Broadcast stream for everybody: whose answer is whose, what a refusal does, and that nobody waits in vain."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privysharing.protocol.codes import Status
from privysharing.rpc import shared_stream
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient
from privysharing.rpc.channels import MESSAGE_BYTES_MAX, open_channel
from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from tests.support.nodes import SUCCESS, broadcast_answer, calling, serving, streams, until

Context = grpc.aio.ServicerContext[bytes, bytes]
SENT = BroadcastAnswer(Status.SUCCESS, "")
SOON = 10.0  # seconds; nothing here takes as long


@dataclass
class Orderer:
    """Orders whatever does not begin with `bad`, as Fabric does: an answer but SUCCESS ends the stream.

    `silent` envelopes are never answered; at `die` the stream breaks.
    """

    streams: list[list[bytes]] = field(default_factory=list)
    ordered: list[bytes] = field(default_factory=list)

    async def broadcast(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        received: list[bytes] = []
        self.streams.append(received)
        async for envelope in requests:
            received.append(envelope)
            if envelope.startswith(b"die"):
                await context.abort(grpc.StatusCode.UNAVAILABLE, "going down")
            if envelope.startswith(b"end"):
                return
            if envelope.startswith(b"garbage"):
                yield b"\xff\xff"
            elif envelope.startswith(b"silent"):
                await asyncio.Event().wait()
            elif envelope.startswith(b"bad"):
                yield broadcast_answer(Status.BAD_REQUEST, f"{envelope.decode()} is bad")
                return
            else:
                self.ordered.append(envelope)
                yield SUCCESS

    @asynccontextmanager
    async def client(self) -> AsyncIterator[BroadcastClient]:
        async with calling(streams(broadcast=self.broadcast)) as channel:
            client = BroadcastClient("orderer", channel)
            yield client
            await client.close()


async def outcomes(client: BroadcastClient, *envelopes: bytes, timeout_s: float = SOON) -> list[Any]:
    return await asyncio.gather(*(client.send(each, timeout_s) for each in envelopes), return_exceptions=True)


async def test_every_envelope_gets_its_own_answer_in_order_on_one_stream() -> None:
    orderer = Orderer()
    envelopes = [b"%d" % number for number in range(3000)]
    async with orderer.client() as client:
        assert await outcomes(client, *envelopes) == [SENT] * 3000
    assert orderer.streams == [envelopes]


async def test_a_refusal_reaches_its_sender_alone_and_the_rest_is_sent_again_in_order() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        found = await outcomes(client, b"a", b"bad1", b"b", b"c", b"bad2", b"d")
    refused = [BroadcastAnswer(Status.BAD_REQUEST, f"bad{n} is bad") for n in (1, 2)]
    assert found == [SENT, refused[0], SENT, SENT, refused[1], SENT]
    assert orderer.ordered == [b"a", b"b", b"c", b"d"]
    assert len(orderer.streams) == 3


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_whichever_are_refused_each_good_one_is_ordered_once_and_in_order(good: list[bool]) -> None:
    envelopes = [b"%s%d" % (b"ok" if fine else b"bad", number) for number, fine in enumerate(good)]

    async def run() -> None:
        orderer = Orderer()
        async with orderer.client() as client:
            found = await outcomes(client, *envelopes)
        assert [answer.status is Status.SUCCESS for answer in found] == good
        assert orderer.ordered == [each for each, fine in zip(envelopes, good, strict=True) if fine]

    asyncio.run(run())


@pytest.mark.parametrize("fatal", [b"die", b"end"])
async def test_an_orderer_that_goes_away_fails_everybody_at_once_and_serves_again_later(fatal: bytes) -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        first, *rest = await outcomes(client, b"a", fatal, b"b", b"c")
        assert first == SENT
        assert [(type(error), error.sent) for error in rest] == [(NodeUnavailable, True)] * 3
        assert await client.send(b"d", SOON) == SENT
    assert orderer.ordered == [b"a", b"d"]


async def test_an_orderer_that_is_not_there_is_unavailable_until_it_comes_back() -> None:
    orderer = Orderer()
    async with serving(streams(broadcast=orderer.broadcast)) as port:
        pass
    channel = open_channel(f"127.0.0.1:{port}", None)
    client = BroadcastClient("orderer", channel)
    found = await outcomes(client, b"a", b"b")
    assert [(type(error), error.sent) for error in found] == [(NodeUnavailable, False)] * 2
    async with serving(streams(broadcast=orderer.broadcast), port=port):
        async with asyncio.timeout(SOON):
            await channel.channel_ready()
        assert await client.send(b"c", SOON) == SENT
        await client.close()
        await channel.close()


async def test_an_answer_that_is_none_fails_whoever_waits_instead_of_hanging() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        errors = await outcomes(client, b"garbage", b"a")
        assert [type(error) for error in errors] == [NodeError] * 2
        assert "not a orderer.BroadcastResponse" in str(errors[0])
        assert await client.send(b"b", SOON) == SENT


async def test_a_status_that_nobody_knows_is_a_refusal() -> None:
    async def broadcast(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield broadcast_answer(299, "?")

    async with calling(streams(broadcast=broadcast)) as channel:
        client = BroadcastClient("orderer", channel)
        assert await client.send(b"a", SOON) == BroadcastAnswer(Status.UNKNOWN, "?")
        await client.close()


async def test_an_answer_to_nothing_ends_that_stream_and_confuses_nobody() -> None:
    opened = itertools.count()

    async def broadcast(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        stream = next(opened)
        async for _ in requests:
            yield SUCCESS
            if stream == 0:
                yield broadcast_answer(Status.FORBIDDEN, "to nothing")

    async with calling(streams(broadcast=broadcast)) as channel:
        client = BroadcastClient("orderer", channel)
        assert await client.send(b"a", SOON) == SENT
        await asyncio.sleep(0.1)
        assert await client.send(b"b", SOON) == SENT
        await client.close()
    assert next(opened) == 2


async def test_an_idle_stream_that_the_orderer_ends_is_opened_again_for_the_next() -> None:
    opened = itertools.count()

    async def broadcast(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        next(opened)
        await anext(aiter(requests))
        yield SUCCESS

    async with calling(streams(broadcast=broadcast)) as channel:
        client = BroadcastClient("orderer", channel)
        for _ in range(3):
            assert await client.send(b"a", SOON) == SENT
            await asyncio.sleep(0.05)
        await client.close()
    assert next(opened) == 3


async def test_an_orderer_that_does_not_answer_is_unavailable_after_the_time_that_the_caller_gave() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        start = asyncio.get_running_loop().time()
        with pytest.raises(NodeUnavailable, match=r"no answer to a broadcast within 0\.2 s"):
            await client.send(b"silent", 0.2)
        assert asyncio.get_running_loop().time() - start < 2


async def test_a_stream_that_everybody_has_given_up_on_is_hung_up_and_the_next_gets_a_new_one() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        for error in await outcomes(client, b"silent", b"a", b"b", timeout_s=0.2):
            assert isinstance(error, NodeUnavailable)
        assert await client.send(b"c", SOON) == SENT
    assert orderer.ordered == [b"c"]
    assert len(orderer.streams) == 2


async def test_a_cancelled_caller_costs_the_others_nothing() -> None:
    release = asyncio.Event()
    received: list[bytes] = []

    async def broadcast(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        async for envelope in requests:
            received.append(envelope)
            await release.wait()
            yield broadcast_answer(Status.SUCCESS, envelope.decode())

    async with calling(streams(broadcast=broadcast)) as channel:
        client = BroadcastClient("orderer", channel)
        sends = [asyncio.create_task(client.send(each, SOON)) for each in (b"a", b"b", b"c")]
        await until(lambda: received)
        sends[0].cancel()
        sends[1].cancel()
        await asyncio.sleep(0)
        release.set()
        assert (await sends[2]).info == "c"
        assert sends[0].cancelled()
        assert sends[1].cancelled()
        await client.close()


async def test_what_was_given_up_before_it_was_written_is_not_sent() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        gone = asyncio.create_task(client.send(b"gone", SOON))
        await asyncio.sleep(0)  # queued, and no stream is open yet
        gone.cancel()
        assert await client.send(b"a", SOON) == SENT
    assert orderer.ordered == [b"a"]


async def test_closing_fails_whoever_waits_and_whoever_comes_later() -> None:
    orderer = Orderer()
    async with orderer.client() as client:
        sends = [asyncio.create_task(client.send(each, SOON)) for each in (b"silent", b"a")]
        await until(lambda: orderer.streams)
        await client.close()
        errors = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(error) for error in errors] == [NodeUnavailable] * 2
        with pytest.raises(NodeUnavailable, match="has closed"):
            await client.send(b"b", SOON)


async def test_closing_before_anything_was_written_leaves_nobody_waiting() -> None:
    async with Orderer().client() as client:
        send = asyncio.create_task(client.send(b"a", SOON))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(NodeUnavailable, match="the client closed the stream"):
            await send


async def test_a_channel_closed_under_the_stream_leaves_nobody_waiting() -> None:
    orderer = Orderer()
    async with calling(streams(broadcast=orderer.broadcast)) as channel:
        client = BroadcastClient("orderer", channel)
        send = asyncio.create_task(client.send(b"silent", SOON))
        await until(lambda: orderer.streams)
        await channel.close()
        with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
            await send
        await client.close()


async def test_an_envelope_that_no_message_can_hold_is_refused_without_harm_to_others() -> None:
    async with Orderer().client() as client:
        other = asyncio.create_task(client.send(b"a", SOON))
        with pytest.raises(NodeRefused, match="larger than max"):
            await client.send(bytes(MESSAGE_BYTES_MAX + 1), SOON)
        assert await other == SENT


async def test_more_than_the_limit_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_stream, "UNANSWERED_MAX", 3)
    orderer = Orderer()
    async with orderer.client() as client:
        found = await outcomes(client, b"a", b"b", b"c", b"d")
        assert found[:3] == [SENT] * 3
        assert isinstance(found[3], NodeUnavailable)
        assert await client.send(b"e", SOON) == SENT


async def test_a_refusal_that_comes_while_much_is_being_written_loses_nothing_and_repeats_nothing() -> None:
    orderer = Orderer()
    envelopes = [b"%s%d" % (b"bad" if number % 40 == 7 else b"ok", number) + bytes(20_000) for number in range(200)]
    async with orderer.client() as client:
        found = await outcomes(client, *envelopes)
    assert [answer.status is Status.SUCCESS for answer in found] == [each.startswith(b"ok") for each in envelopes]
    assert orderer.ordered == [each for each in envelopes if each.startswith(b"ok")]
