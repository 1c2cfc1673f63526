"""One stream for everybody who calls a node: whose answer is whose, what travels together, and that nobody hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from privysharing.protocol.batches import ITEMS_MAX, BatchAnswer, BatchResponse
from privysharing.protocol.codec.batches import encode_batch_response, parse_batch_request
from privysharing.protocol.codes import Status
from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.rpc import batch, shared_stream
from privysharing.rpc.batch import BROADCAST, ENDORSE, BatchBroadcastClient, BatchEndorserClient, BatchStream
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient
from privysharing.rpc.channels import MESSAGE_BYTES_MAX, open_channel
from privysharing.rpc.endorser import EndorserClient
from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from services.runtime.batching import BatchLimits, failed
from tests.support.batches import ECHO, Echo, connected, listening
from tests.support.nodes import SUCCESS, broadcast_answer, calling, endorsing, streams, until

Context = grpc.aio.ServicerContext[bytes, bytes]
SOON = 10.0  # seconds; nothing here takes as long
ENDORSED = ProposalResponse(Response(200, "fine"), b"signed")
WINDOW = encode_batch_response(BatchResponse((), ITEMS_MAX))


@asynccontextmanager
async def to(echo: Echo) -> AsyncIterator[BatchStream[bytes]]:
    async with connected(echo.handler()) as channel:
        stream = BatchStream("node", channel, ECHO, bytes)
        yield stream
        await stream.close()


async def outcomes(
    stream: BatchStream[bytes], *payloads: bytes, timeout_s: float = SOON
) -> list[bytes | BaseException]:
    return await asyncio.gather(*(stream.call(each, timeout_s) for each in payloads), return_exceptions=True)


async def test_everybody_gets_his_own_answer_and_nobody_waits_for_a_slow_one() -> None:
    echo = Echo()
    async with to(echo) as stream:
        slow = stream.call(b"wait", SOON)
        payloads = [b"%d" % number for number in range(300)]
        assert await outcomes(stream, *payloads) == payloads
        echo.waiting[b"wait"].answer(b"at last")
        assert await slow == b"at last"


async def test_what_is_queued_travels_together_and_what_is_alone_at_once() -> None:
    echo = Echo()
    async with to(echo) as stream:
        await stream.call(b"alone", SOON)
        assert echo.messages == [1]
        await outcomes(stream, *(b"%d" % number for number in range(150)))
        assert sum(echo.messages) == 151
        assert len(echo.messages) < 12
        assert max(echo.messages) == ITEMS_MAX


async def test_no_more_is_sent_than_the_window_allows() -> None:
    echo = Echo(BatchLimits(window=70))
    async with to(echo) as stream:
        calls = [stream.call(b"wait%d" % number, SOON) for number in range(100)]
        await until(lambda: len(echo.waiting) == 70)
        await asyncio.sleep(0.1)
        assert len(echo.begun) == 70
        while echo.waiting:
            for payload in list(echo.waiting):
                echo.waiting.pop(payload).answer(payload)
            await asyncio.sleep(0.02)
        assert await asyncio.gather(*calls) == [b"wait%d" % number for number in range(100)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, NodeUnavailable),
        (grpc.StatusCode.UNAVAILABLE, NodeUnavailable),
        (grpc.StatusCode.UNKNOWN, NodeRefused),
        (grpc.StatusCode.INTERNAL, NodeRefused),
    ],
)
async def test_a_call_turned_down_is_what_it_would_be_alone_and_costs_no_other(
    code: grpc.StatusCode, kind: type[NodeError]
) -> None:
    echo = Echo()
    async with to(echo) as stream:
        refused = stream.call(b"wait", SOON)
        await until(lambda: echo.waiting)
        echo.waiting[b"wait"].answer(failed(code, "no"))
        found, other = await asyncio.gather(refused, stream.call(b"a", SOON), return_exceptions=True)
    assert type(found) is kind
    assert str(found) == "node: no"
    assert other == b"a"


async def test_a_call_is_over_when_its_time_is_and_the_others_go_on() -> None:
    echo = Echo()
    async with to(echo) as stream:
        (late,) = await outcomes(stream, b"wait", timeout_s=0.2)
        assert isinstance(late, NodeUnavailable)
        assert late.sent
        await until(lambda: not echo.waiting[b"wait"].wanted)  # the node knows the deadline
        assert await stream.call(b"a", SOON) == b"a"


async def test_a_cancelled_caller_costs_the_others_nothing() -> None:
    echo = Echo()
    async with to(echo) as stream:
        gone, stays = (stream.call(each, SOON) for each in (b"wait", b"wait too"))
        await until(lambda: len(echo.waiting) == 2)
        gone.cancel()
        for payload in (b"wait", b"wait too"):
            echo.waiting[payload].answer(payload)
        assert await stays == b"wait too"
        assert gone.cancelled()


async def test_what_was_given_up_before_it_was_written_is_not_sent() -> None:
    echo = Echo()
    async with to(echo) as stream:
        gone = stream.call(b"gone", SOON)
        await asyncio.sleep(0)
        gone.cancel()
        assert await stream.call(b"a", SOON) == b"a"
    assert echo.begun == [b"a"]


async def test_what_no_message_can_hold_is_refused_without_harm_to_others() -> None:
    async with to(Echo()) as stream:
        other = stream.call(b"a", SOON)
        with pytest.raises(NodeRefused, match="larger than max"):
            await stream.call(bytes(MESSAGE_BYTES_MAX), SOON)
        assert await other == b"a"


async def test_large_calls_travel_alone() -> None:
    echo = Echo(BatchLimits(bytes_max=64 * 1024 * 1024))
    async with to(echo) as stream:
        payloads = [b"%d" % number + bytes(700_000) for number in range(6)]
        assert await outcomes(stream, *payloads) == payloads
    assert echo.messages == [1] * 6


async def test_more_than_the_limit_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_stream, "UNANSWERED_MAX", 3)
    async with to(Echo()) as stream:
        found = await outcomes(stream, b"a", b"b", b"c", b"d")
        assert found[:3] == [b"a", b"b", b"c"]
        assert isinstance(found[3], NodeUnavailable)
        assert await stream.call(b"e", SOON) == b"e"


async def test_closing_fails_whoever_waits_and_whoever_comes_later() -> None:
    echo = Echo()
    async with to(echo) as stream:
        waits = stream.call(b"wait", SOON)
        await until(lambda: echo.waiting)
        await stream.close()
        with pytest.raises(NodeUnavailable, match="the stream was cancelled"):
            await waits
        with pytest.raises(NodeUnavailable, match="has closed"):
            await stream.call(b"a", SOON)


async def test_a_node_that_is_not_there_is_unavailable_and_comes_back() -> None:
    async with listening(Echo().handler()) as port:
        pass
    channel = open_channel(f"127.0.0.1:{port}", None)
    stream = BatchStream("node", channel, ECHO, bytes)
    for error in await outcomes(stream, b"a", b"b"):
        assert isinstance(error, NodeUnavailable)
        assert not error.sent
    async with listening(Echo().handler(), port=port), asyncio.timeout(SOON):
        while await outcomes(stream, b"c") != [b"c"]:  # noqa: ASYNC110 - gRPC connects again when it likes
            await asyncio.sleep(0.1)
    await stream.close()
    await channel.close()


async def test_a_restart_under_load_hangs_nobody() -> None:
    answered: list[bytes] = []
    failures: list[NodeError] = []
    over = asyncio.Event()

    async def caller(name: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            payload = b"%d-%d" % (name, number)
            try:
                assert await stream.call(payload, 5.0) == payload
                answered.append(payload)
            except NodeUnavailable as error:
                failures.append(error)
                await asyncio.sleep(0.05)

    echo = Echo()
    async with listening(echo.handler()) as port:
        channel = open_channel(f"127.0.0.1:{port}", None)
        stream = BatchStream("node", channel, ECHO, bytes)
        callers = [asyncio.create_task(caller(name)) for name in range(50)]
        await until(lambda: len(answered) > 500)
    restarted = Echo()
    async with listening(restarted.handler(), port=port):
        before = len(answered)
        await until(lambda: len(answered) > before + 500)
        over.set()
        async with asyncio.timeout(SOON):
            await asyncio.gather(*callers)
    assert failures
    assert set(answered) <= set(echo.begun) | set(restarted.begun)
    await stream.close()
    await channel.close()


@pytest.mark.parametrize(
    "response",
    [b"\xff", encode_batch_response(BatchResponse([BatchAnswer(77, b"")])), b"\x12\x02\x08\x01"],
    ids=["garbage", "an answer to nothing", "an answer without an outcome"],
)
async def test_nonsense_is_that_node_s_error_and_the_next_call_gets_a_new_stream(response: bytes) -> None:
    opened = 0

    async def serve(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        nonlocal opened
        opened += 1
        yield WINDOW
        async for raw in requests:
            if opened == 1:
                yield response
            else:
                yield encode_batch_response(BatchResponse([BatchAnswer(i.id, b"ok") for i in parse_batch_request(raw)]))

    async with calling({ECHO: grpc.stream_stream_rpc_method_handler(serve)}) as channel:
        stream = BatchStream("node", channel, ECHO, bytes)
        (error,) = await outcomes(stream, b"a")
        assert type(error) is NodeError
        assert await stream.call(b"b", SOON) == b"ok"
        await stream.close()


@pytest.mark.parametrize("announces", [True, False])
async def test_a_node_that_falls_silent_is_hung_up_on(announces: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SILENCE_S", 0.1)
    opened = 0

    async def serve(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        nonlocal opened
        opened += 1
        if announces or opened > 1:
            yield WINDOW
        async for raw in requests:
            if opened > 1:
                yield encode_batch_response(BatchResponse([BatchAnswer(i.id, b"ok") for i in parse_batch_request(raw)]))

    async with calling({ECHO: grpc.stream_stream_rpc_method_handler(serve)}) as channel:
        stream = BatchStream("node", channel, ECHO, bytes)
        patient = stream.call(b"patient", SOON)
        (error,) = await outcomes(stream, b"a", timeout_s=0.2)
        assert isinstance(error, NodeUnavailable)
        with pytest.raises(NodeUnavailable, match="fell silent"):
            await patient
        assert await stream.call(b"b", SOON) == b"ok"
        await stream.close()


async def test_a_slow_call_is_no_silence_while_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "SILENCE_S", 0.05)
    echo = Echo()
    async with to(echo) as stream:
        slow = stream.call(b"wait", SOON)
        for _ in range(10):
            assert await stream.call(b"a", SOON) == b"a"
            await outcomes(stream, b"wait and see", timeout_s=0.03)
        echo.waiting[b"wait"].answer(b"b")
        assert await slow == b"b"


async def test_a_peer_without_the_service_is_asked_one_by_one_and_asked_for_it_once() -> None:
    asked = 0

    async def unknown(_requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        nonlocal asked
        asked += 1
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        yield b""

    handlers: dict[str, Any] = {ENDORSE: grpc.stream_stream_rpc_method_handler(unknown)}
    async with calling({**endorsing(lambda: ENDORSED), **handlers}) as channel:
        client = BatchEndorserClient(channel, EndorserClient("peer", channel))
        for _ in range(2):
            answers = await asyncio.gather(*(client.process_proposal(b"", SOON) for _ in range(100)))
            assert answers == [ENDORSED] * 100
        await client.close()
    assert asked == 1


async def test_a_node_that_has_never_heard_of_the_services_is_called_classically() -> None:
    async def broadcast(requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield SUCCESS

    async with calling({**endorsing(lambda: ENDORSED), **streams(broadcast=broadcast)}) as channel:
        endorser = BatchEndorserClient(channel, EndorserClient("peer", channel))
        orderer = BatchBroadcastClient(channel, BroadcastClient("orderer", channel))
        assert await endorser.process_proposal(b"", SOON) == ENDORSED
        assert await orderer.send(b"", SOON) == BroadcastAnswer(Status.SUCCESS, "")
        await asyncio.gather(endorser.close(), orderer.close())


async def test_an_orderer_s_answers_are_read_as_on_its_own_stream() -> None:
    echo = Echo()
    async with connected(echo.handler(BROADCAST)) as channel:
        client = BatchBroadcastClient(channel, BroadcastClient("orderer", channel))
        answers = [broadcast_answer(Status.FORBIDDEN, "no"), SUCCESS, broadcast_answer(417)]
        assert await asyncio.gather(*(client.send(each, SOON) for each in answers)) == [
            BroadcastAnswer(Status.FORBIDDEN, "no"),
            BroadcastAnswer(Status.SUCCESS, ""),
            BroadcastAnswer(Status.UNKNOWN, ""),
        ]
        with pytest.raises(NodeError, match=r"orderer: not a orderer\.BroadcastResponse"):
            await client.send(b"\xff", SOON)
        await client.close()


async def test_an_endorsement_that_is_none_is_an_error_of_that_node() -> None:
    async with connected(Echo().handler(ENDORSE)) as channel:
        client = BatchEndorserClient(channel, EndorserClient("peer", channel))
        with pytest.raises(NodeError, match=r"peer: not a protos\.ProposalResponse"):
            await client.process_proposal(b"\xff\xff", SOON)
        await client.close()
