"""Nobody who waits for a commit misses it, or waits for ever."""

import asyncio

import pytest

from services.peer.notifier import ChannelStopped, CommitNotifier


async def test_a_height_that_is_reached_already_does_not_wait() -> None:
    assert await CommitNotifier(3).above(2) == 3


async def test_everybody_who_waits_for_a_height_is_woken() -> None:
    notifier = CommitNotifier(1)
    waiting = [asyncio.create_task(notifier.above(number)) for number in (1, 1, 2)]
    await asyncio.sleep(0)
    notifier.committed(1)
    await asyncio.sleep(0)
    assert [task.done() for task in waiting] == [True, True, False]
    notifier.committed(2)
    assert await asyncio.gather(*waiting) == [2, 2, 3]


async def test_a_stopped_channel_keeps_nobody_waiting() -> None:
    notifier = CommitNotifier(1)
    waiting = asyncio.create_task(notifier.above(1))
    await asyncio.sleep(0)
    notifier.stop("two blocks at one height")
    for height in (waiting, notifier.above(1)):
        with pytest.raises(ChannelStopped, match="two blocks"):
            await height
    assert await notifier.above(0) == 1
