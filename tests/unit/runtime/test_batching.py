"""The server's half of a batch stream: every item for itself, and the rules of the stream."""

import asyncio
import time

import grpc
import pytest

from privysharing.protocol.batches import ITEMS_MAX, BatchResponse
from services.runtime.batching import BEYOND_WINDOW, NO_ROOM, TOO_LATE, BatchLimits
from tests.support.batches import Echo, Sender, connected, item
from tests.support.nodes import until

SMALL = BatchLimits(window=ITEMS_MAX)


async def test_the_window_is_announced_before_anything_is_asked() -> None:
    async with connected(Echo(SMALL).handler()) as channel:
        assert await Sender(channel).response() == BatchResponse([], ITEMS_MAX)


async def test_every_item_gets_its_own_answer_and_a_slow_one_delays_no_other() -> None:
    echo = Echo()
    async with connected(echo.handler()) as channel:
        sender = Sender(channel)
        await sender.send(item(7, b"wait"), item(8, b"a"), item(9, b""))
        assert await sender.answers(2) == {8: b"a", 9: b""}
        await sender.send(item(10, b"b"))
        assert await sender.answers(1) == {10: b"b"}
        echo.waiting[b"wait"].answer(b"at last")
        assert await sender.answers(1) == {7: b"at last"}


async def test_what_exceeds_the_window_is_refused_at_once_and_may_be_sent_again() -> None:
    echo = Echo(SMALL)
    async with connected(echo.handler()) as channel:
        sender = Sender(channel)
        await sender.send(*(item(number, b"wait%d" % number) for number in range(ITEMS_MAX)))
        await sender.send(item(100, b"a"), item(101, b"b"))
        assert await sender.answers(2) == {100: BEYOND_WINDOW, 101: BEYOND_WINDOW}
        assert BEYOND_WINDOW.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        echo.waiting[b"wait3"].answer(b"")
        await sender.answers(1)
        await sender.send(item(100, b"a"))
        assert await sender.answers(1) == {100: b"a"}


async def test_the_window_counts_bytes_too_but_one_item_is_never_too_large_for_it() -> None:
    echo = Echo(BatchLimits(bytes_max=100))
    async with connected(echo.handler()) as channel:
        sender = Sender(channel)
        await sender.send(item(1, b"wait" + bytes(200)), item(2, b"a"))
        assert await sender.answers(1) == {2: BEYOND_WINDOW}
        echo.waiting[b"wait" + bytes(200)].answer(b"large")
        assert await sender.answers(1) == {1: b"large"}
        await sender.send(item(3, bytes(60)), item(4, bytes(41)), item(5, bytes(40)))
        assert await sender.answers(3) == {3: bytes(60), 4: BEYOND_WINDOW, 5: bytes(40)}


async def test_a_call_whose_time_is_over_is_answered_so_and_nobody_wants_its_answer() -> None:
    echo = Echo()
    async with connected(echo.handler()) as channel:
        sender = Sender(channel)
        await sender.send(item(1, b"wait long", 60_000), item(2, b"wait", 150), item(3, b"wait less", 50))
        started = time.monotonic()
        assert await sender.answers(1) == {3: TOO_LATE}
        assert await sender.answers(1) == {2: TOO_LATE}
        assert 0.1 < time.monotonic() - started < 5
        assert TOO_LATE.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        late = echo.waiting[b"wait"]
        assert not late.wanted
        late.answer(b"late")
        await sender.send(item(2, b"again"))  # the id is free
        assert await sender.answers(1) == {2: b"again"}
        assert echo.waiting[b"wait long"].wanted


async def test_deadlines_of_calls_that_are_over_are_forgotten() -> None:
    async with connected(Echo().handler()) as channel:
        sender = Sender(channel)
        for first in range(0, 6000, ITEMS_MAX):
            await sender.send(*(item(first + number, b"", 2**32 - 1) for number in range(ITEMS_MAX)))
            await sender.answers(ITEMS_MAX)
        await sender.send(item(1, b"wait", 50))
        assert await sender.answers(1) == {1: TOO_LATE}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\xff", "not a privysharing.v1.BatchRequest"),
        (b"\x0a\x02\x08\x01" * (ITEMS_MAX + 1), f"{ITEMS_MAX + 1} items in one message"),
        (b"\x0a\x02\x08\x05" * 2, "item 5 has no answer yet"),
    ],
    ids=["garbage", "too many items", "an id twice"],
)
async def test_who_breaks_the_rules_of_the_stream_loses_it(message: bytes, why: str) -> None:
    async with connected(Echo().handler()) as channel:
        sender, other = Sender(channel), Sender(channel)
        await sender.stream.write(message)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sender.end()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert why in str(caught.value.details())
        assert await other.response() is not None  # streams of others go on


async def test_what_was_ready_before_the_stream_broke_is_still_told() -> None:
    async with connected(Echo().handler()) as channel:
        sender = Sender(channel)
        await sender.response()
        await sender.send(item(1, b"a"))
        await sender.stream.write(b"\xff")
        assert await sender.answers(1) == {1: b"a"}
        with pytest.raises(grpc.aio.AioRpcError):
            await sender.response()


async def test_a_message_without_items_means_nothing() -> None:
    async with connected(Echo().handler()) as channel:
        sender = Sender(channel)
        await sender.stream.write(b"")
        await sender.send(item(1, b"a"))
        assert await sender.answers(1) == {1: b"a"}


async def test_a_sender_that_is_done_gets_the_rest_of_his_answers_and_a_good_end() -> None:
    echo = Echo()
    async with connected(echo.handler()) as channel:
        sender = Sender(channel)
        await sender.send(item(1, b"wait"), item(2, b"a"))
        await sender.stream.done_writing()
        assert await sender.answers(1) == {2: b"a"}
        echo.waiting[b"wait"].answer(b"b")
        assert await sender.answers(1) == {1: b"b"}
        assert await sender.response() is None
        assert await sender.stream.code() is grpc.StatusCode.OK


async def test_a_sender_that_goes_away_leaves_nothing_behind() -> None:
    echo = Echo()
    async with connected(echo.handler()) as channel:
        await Sender(channel).response()
        sender, before = Sender(channel), len(asyncio.all_tasks())
        await sender.send(item(1, b"wait", 60_000))
        await until(lambda: echo.waiting)
        sender.stream.cancel()
        await until(lambda: not echo.waiting[b"wait"].wanted)
        echo.waiting[b"wait"].answer(b"nobody takes it")
        await until(lambda: len(asyncio.all_tasks()) <= before)


async def test_hanging_up_answers_what_was_begun_and_takes_nothing_more() -> None:
    echo = Echo()
    async with connected(echo.handler()) as channel:
        busy, idle = Sender(channel), Sender(channel)
        await idle.response()
        await busy.send(item(1, b"wait"))
        await until(lambda: echo.waiting)
        echo.calls.hang_up()
        assert await idle.response() is None
        echo.waiting[b"wait"].answer(b"a")
        assert await busy.answers(1) == {1: b"a"}
        assert await busy.response() is None


async def test_who_does_not_take_his_answers_is_read_no_further() -> None:
    echo = Echo(BatchLimits(unsent_bytes_max=4 * 1024 * 1024))
    payload = bytes(512 * 1024)
    async with connected(echo.handler()) as channel:
        sender, other = Sender(channel), Sender(channel)

        async def flood() -> None:
            for number in range(100):
                await sender.send(item(number, payload))

        flooding = asyncio.create_task(flood())
        await until(lambda: len(echo.begun) >= 8)
        await asyncio.sleep(0.5)
        assert len(echo.begun) < 80
        await other.send(item(1, b"a"))
        assert await other.answers(1) == {1: b"a"}
        assert len(await sender.answers(100)) == 100
        await flooding


async def test_streams_share_the_bytes_that_wait_for_an_answer() -> None:
    echo = Echo(BatchLimits(all_bytes_max=100))
    async with connected(echo.handler()) as channel:
        one, other = Sender(channel), Sender(channel)
        await one.send(item(1, b"wait" + bytes(86)))
        await until(lambda: bool(echo.waiting))
        await other.send(item(1, b"waits"), item(2, bytes(6)), item(3, bytes(5)))
        assert await other.answers(2) == {2: NO_ROOM, 3: bytes(5)}
        assert NO_ROOM.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        one.stream.cancel()
        await until(lambda: not echo.waiting[b"wait" + bytes(86)].wanted)
        await other.send(item(2, bytes(6)))
        assert await other.answers(1) == {2: bytes(6)}


async def test_answers_that_nobody_takes_end_their_stream_and_no_other() -> None:
    echo = Echo(BatchLimits(all_unsent_bytes_max=1000))
    async with connected(echo.handler()) as channel:
        greedy, other = Sender(channel), Sender(channel)
        await greedy.send(*(item(number, b"wait%d" % number) for number in range(3)))
        await until(lambda: len(echo.waiting) == 3)
        for call in list(echo.waiting.values()):
            call.answer(bytes(600))
        with pytest.raises(grpc.aio.AioRpcError, match="more answers wait to be taken than there is room for") as ended:
            await greedy.end()
        assert ended.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await other.send(item(1, bytes(900)))
        assert await other.answers(1) == {1: bytes(900)}


@pytest.mark.parametrize("bad", [{"window": ITEMS_MAX - 1}, {"bytes_max": 0}, {"unsent_max": 0}])
def test_limits_that_make_no_sense_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a window takes a whole message"):
        BatchLimits(**bad)
