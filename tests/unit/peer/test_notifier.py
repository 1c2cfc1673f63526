"""Nobody who waits for a commit misses it, or waits for ever."""

import asyncio

import pytest

from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from services.peer.notifier import ChannelStopped, CommitNotifier, CommitStatus

A, B = TxId("a"), TxId("b")


async def test_a_height_that_is_reached_already_does_not_wait() -> None:
    assert await CommitNotifier(3).above(2) == 3


async def test_everybody_who_waits_for_a_height_is_woken() -> None:
    notifier = CommitNotifier(1)
    waiting = [asyncio.create_task(notifier.above(number)) for number in (1, 1, 2)]
    await asyncio.sleep(0)
    notifier.committed(1, [])
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, False]
    notifier.committed(2, [])
    assert await asyncio.gather(*waiting) == [2, 2, 3]


async def test_a_verdict_reaches_all_who_expect_it_and_nobody_else() -> None:
    notifier = CommitNotifier(1)
    first, second, other = notifier.expect(A), notifier.expect(A), notifier.expect(B)
    notifier.committed(1, [(A, TxCode.MVCC_READ_CONFLICT)])
    assert await first == await second == CommitStatus(TxCode.MVCC_READ_CONFLICT, 1)
    assert not other.done()


async def test_the_first_bearer_of_an_id_decides_in_its_block() -> None:
    notifier = CommitNotifier(1)
    waiter = notifier.expect(A)
    notifier.committed(1, [(A, TxCode.VALID), (A, TxCode.DUPLICATE_TXID)])
    assert (await waiter).code is TxCode.VALID


async def test_who_gives_up_leaves_nothing_behind() -> None:
    notifier = CommitNotifier(1)
    waiter = notifier.expect(A)
    waiter.cancel()
    await asyncio.sleep(0)
    assert not notifier._waiting
    notifier.committed(1, [(A, TxCode.VALID)])


async def test_a_stopped_channel_keeps_nobody_waiting() -> None:
    notifier = CommitNotifier(1)
    height, verdict = asyncio.create_task(notifier.above(1)), notifier.expect(A)
    await asyncio.sleep(0)
    notifier.stop("two blocks at one height")
    for waiter in (height, verdict, notifier.expect(B)):
        with pytest.raises(ChannelStopped, match="two blocks"):
            await waiter
    assert await notifier.above(0) == 1
