"""A limit that many share: nobody uses it up alone, and what is given back can be had again."""

import asyncio

import pytest

from services.runtime.callers import NOBODY, Caller
from services.runtime.shares import Room, Shares

ALICE, BOB = Caller(b"citizens", b"alice"), Caller(b"citizens", b"bob")
DOCTOR = Caller(b"medical", b"doctor")


def test_a_client_gets_an_eighth_and_an_organisation_half() -> None:
    shares = Shares(16)
    shares.take(ALICE, 2)
    assert shares.refusal(ALICE) == "one client's share (2) of the concurrency limit (16)"
    assert shares.refusal(BOB) is None
    for number in range(3):
        shares.take(Caller(b"citizens", b"%d" % number), 2)
    assert shares.refusal(BOB) == "one organisation's share (8) of the concurrency limit (16)"
    assert shares.refusal(DOCTOR) is None


def test_whoever_cannot_be_told_from_others_has_the_whole_limit_and_no_more() -> None:
    shares = Shares(3)
    shares.take(NOBODY, 3)
    assert shares.refusal(NOBODY) == shares.refusal(DOCTOR) == "concurrency limit (3)"
    shares.give_back(NOBODY)
    assert shares.refusal(DOCTOR) is None


def test_what_a_room_holds_is_given_back_when_it_is_cleared() -> None:
    shares = Shares(80)
    room = Room(shares, ALICE)
    room.take(7)
    room.take(3)
    assert not room.has(1)
    room.give_back(3)
    assert (room.has(3), room.has(4)) == (True, False)
    room.clear()
    assert (room.taken, room.has(10)) == (0, True)


async def test_whoever_waits_for_his_share_gets_it_when_it_comes_back_and_delays_nobody_else() -> None:
    shares = Shares(16)
    async with asyncio.timeout(5):
        async with shares.one(ALICE), shares.one(ALICE):
            waiting = asyncio.create_task(shares.one(ALICE).__aenter__())
            async with shares.one(BOB):
                assert not waiting.done()
        await waiting


async def test_a_cancelled_wait_takes_nothing() -> None:
    shares = Shares(8)
    async with shares.one(ALICE):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), shares.one(ALICE):
                pass
    assert shares.refusal(ALICE) is None
