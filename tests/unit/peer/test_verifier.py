"""A process that verifies for a peer: it finds what the peer would, holds it up in nothing, and leaves with it."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import uvloop

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.rwsets import NamespaceRwSet, Write
from privysharing.protocol.signers import NOBODY, verify_all
from services.peer import verifier
from services.peer.verifier import Answer, Verifier, WrongAnswer, signers_of
from tests.support.judging import CHANNEL, CONFIG, PEER1, PROFILE, Tx

ROOT = Path(__file__).parents[3]
SECONDS_MAX = 30.0

GOOD = Tx(namespaces=(NamespaceRwSet("cc", writes=(Write("key", b"value"),)),))

STARTING = """
import asyncio, psutil
from tests.support.judging import CONFIG
from services.peer.verifier import Verifier

async def main():
    verifier = Verifier(wanted=True)
    while await verifier.ask([], CONFIG) is None:
        await asyncio.sleep(0.05)
    print(*[child.pid for child in psutil.Process().children()], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def this_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is to run this checkout's, wherever Python's packages are from."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
async def process() -> AsyncIterator[Verifier]:
    found = Verifier(wanted=True)
    yield found
    await found.close()
    assert not children()


async def answer_of(process: Verifier, envelopes: Sequence[bytes], config: ChannelConfig = CONFIG) -> Answer:
    """What it says, as soon as it is there."""
    async with asyncio.timeout(SECONDS_MAX):
        while (answer := await process.ask(envelopes, config)) is None:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)
    return answer


def children() -> list[psutil.Process]:
    """Of this process, those that verify: others may be a test's brokers."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # so it is said of zombies too
            if verifier.PROGRAM in child.cmdline():
                found.append(child)
    return found


async def gone(processes: Sequence[psutil.Process]) -> None:
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, SECONDS_MAX)
    assert not alive


async def test_it_finds_whom_the_peer_would_find(process: Verifier) -> None:
    transactions = (
        GOOD,
        replace(GOOD, endorsers=(PEER1,)),
        replace(GOOD, endorsers=(PEER1, PEER1)),
        replace(GOOD, signature=b"bad"),
    )
    forged = bytearray(GOOD.raw)
    forged[len(forged) // 2] ^= 1  # whatever that was, the creator has not signed it
    envelopes = [*(tx.raw for tx in transactions), bytes(forged), b"", b"\xff"]
    read = [read_transaction(envelope) for envelope in envelopes]
    here = verify_all(read, CHANNEL, CONFIG.msps)
    answer = await answer_of(process, envelopes)
    assert signers_of(read, answer, CONFIG.msps) == here
    assert answer.seconds > 0
    assert [len(signers.endorsers) for signers in here] == [2, 1, 1, 0, 0, 0, 0]
    assert here[0].creator
    assert here[3:] == [NOBODY] * 4


@pytest.mark.parametrize(
    "signed",
    [
        [True, [2]],
        [True, [-1]],
        [True, [0, 0]],
        [True, ["0"]],
        [True, [True]],
        [False, [0, 1]],
        ["no", [0]],
        [1, [0]],
        [True, None],
        [True],
        None,
    ],
)
def test_what_cannot_be_true_is_no_answer(signed: object) -> None:
    read = [read_transaction(GOOD.raw)]
    assert signers_of(read, Answer(0.0, [[True, [0, 1]]]), CONFIG.msps) == verify_all(read, CHANNEL, CONFIG.msps)
    for answers in ([signed], [], [[True, [0, 1]]] * 2):
        with pytest.raises(WrongAnswer):
            signers_of(read, Answer(0.0, answers), CONFIG.msps)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nothing",
        "{}",
        "[1, 0.1]",
        "[1, null, []]",
        "[1, NaN, []]",
        "[1, -1.0, []]",
        "[1, 1e9, []]",
        "[1, 0.1, {}]",
        "[2, 0.1, []]",  # of another request
        "[" * 5000,
    ],
)
async def test_what_is_no_answer_is_done_without(
    process: Verifier, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(verifier, "PROGRAM", "tests.support.answering")
    monkeypatch.setenv("ANSWER", line)
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(SECONDS_MAX):
            while "no other process verifies" not in caplog.text:
                assert await process.ask([GOOD.raw], CONFIG) is None
                await asyncio.sleep(0.01)
    assert "release" not in str(caplog.records[0].__dict__["reason"]), "it has started"


async def test_blocks_are_answered_each_with_its_own_and_no_more_than_two_wait(process: Verifier) -> None:
    await answer_of(process, [])
    blocks = [[GOOD.raw] * 300, [GOOD.raw] * 2, [GOOD.raw]]
    answers = await asyncio.gather(*[process.ask(block, CONFIG) for block in blocks])
    assert [answer and len(answer.signed) for answer in answers] == [300, 2, None]


async def test_nobody_waits_for_its_start(process: Verifier) -> None:
    assert await process.ask([GOOD.raw], CONFIG) is None
    assert len((await answer_of(process, [GOOD.raw])).signed) == 1


async def test_there_is_none_where_none_is_wanted() -> None:
    assert await Verifier(wanted=False).ask([GOOD.raw], CONFIG) is None
    assert not children()


async def test_it_ends_when_there_is_nothing_to_do_and_comes_again(
    process: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "IDLE_SECONDS", 0.2)
    await answer_of(process, [GOOD.raw])
    found = children()
    assert len(found) == 1
    await gone(found)
    assert len((await answer_of(process, [GOOD.raw])).signed) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_without_an_answer_the_peer_goes_on_alone_and_says_so(
    process: Verifier, number: signal.Signals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await answer_of(process, [GOOD.raw])
    monkeypatch.setattr(verifier, "ANSWER_SECONDS_MAX", 0.5)
    found = children()
    assert len(found) == 1
    found[0].send_signal(number)
    with caplog.at_level(logging.WARNING):
        large = [GOOD.raw * 100] * 100  # more than a pipe holds
        assert await asyncio.gather(*[process.ask(large, CONFIG) for _ in range(2)]) == [None, None]
    assert caplog.text.count("no other process verifies") == 1
    assert await process.ask([GOOD.raw], CONFIG) is None
    await gone(found)


def test_nobody_takes_the_answer_of_another_that_stopped_waiting() -> None:
    """On the loop that peers run on: the first stops while both answers are there."""

    async def asked() -> None:
        found = Verifier(wanted=True)
        bad = replace(GOOD, signature=b"bad").raw
        try:
            for _ in range(20):
                await answer_of(found, [GOOD.raw])
                first = asyncio.create_task(found.ask([GOOD.raw] * 5, CONFIG))
                second = asyncio.create_task(found.ask([bad] * 5, CONFIG))
                await asyncio.sleep(0.002)
                time.sleep(0.05)  # noqa: ASYNC251 - the loop stands still, and both come
                first.cancel()
                answer = await second
                assert answer is None or answer.signed == [[False, []]] * 5
        finally:
            await found.close()

    uvloop.run(asked())


async def test_after_a_pause_it_comes_again(process: Verifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifier, "PAUSE_SECONDS", 0.1)
    await answer_of(process, [GOOD.raw])
    (found,) = children()
    found.kill()
    assert await process.ask([GOOD.raw], CONFIG) is None
    assert len((await answer_of(process, [GOOD.raw])).signed) == 1


async def test_what_asks_the_peer_to_end_does_not_end_the_process(process: Verifier) -> None:
    await answer_of(process, [GOOD.raw])
    (found,) = children()
    found.terminate()
    assert len((await answer_of(process, [GOOD.raw])).signed) == 1
    assert children() == [found]


async def test_the_process_of_another_release_is_not_asked(
    process: Verifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(verifier, "RELEASE", "0.0.0")
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(SECONDS_MAX):
            while "no other process verifies" not in caplog.text:
                assert await process.ask([GOOD.raw], CONFIG) is None
                await asyncio.sleep(0.01)
    assert "needed: release 0.0.0" in str(caplog.records[0].__dict__["reason"])


async def test_signatures_are_judged_by_the_configuration_that_comes_with_them(process: Verifier) -> None:
    """Org2 has left in the second: its endorsement counts no more."""
    profile = replace(PROFILE, application_orgs=PROFILE.application_orgs[:1])
    without = ChannelConfig.from_block(genesis_block(profile, nonce=b"another", timestamp_ns=1))
    answers = [await answer_of(process, [GOOD.raw], config) for config in (CONFIG, without, CONFIG)]
    assert [len(places) for answer in answers for _, places in answer.signed] == [2, 1, 2]


async def test_what_does_not_start_is_done_without(
    process: Verifier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(SECONDS_MAX):
            while "no other process verifies" not in caplog.text:
                assert await process.ask([GOOD.raw], CONFIG) is None
                await asyncio.sleep(0.01)


async def test_who_stops_waiting_leaves_no_answer_for_the_next(process: Verifier) -> None:
    await answer_of(process, [])
    (found,) = children()
    found.send_signal(signal.SIGSTOP)
    asked = asyncio.create_task(process.ask([GOOD.raw], CONFIG))
    await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.wait((asked,))
    assert asked.cancelled()
    await gone([found])
    assert len((await answer_of(process, [GOOD.raw])).signed) == 1


def test_it_ends_with_a_peer_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTING], cwd=ROOT, stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        found = [psutil.Process(int(pid)) for pid in peer.stdout.readline().split()]
        os.kill(peer.pid, signal.SIGKILL)
    assert found
    asyncio.run(gone(found))
