"""Processes that verify beside a peer: they find what the peer would, and leave with it."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import psutil
import pytest

from privysharing.protocol.reading import read_transaction
from privysharing.protocol.rwsets import NamespaceRwSet, Write
from privysharing.protocol.signers import NOBODY, Signers, verify_all
from services.peer import verifiers
from services.peer.verifiers import Verifiers
from tests.support.judging import CHANNEL, CONFIG, PEER1, Tx

SECONDS_MAX = 30.0

GOOD = Tx(namespaces=(NamespaceRwSet("cc", writes=(Write("key", b"value"),)),))
TWINS = (PEER1, PEER1)

SPAWNING = """
import asyncio, psutil
from tests.support.judging import CONFIG
from services.peer.verifiers import Verifiers

async def main():
    beside = Verifiers(1)
    while await beside.verify([], CONFIG) is None:
        await asyncio.sleep(0.05)
    print(*[child.pid for child in psutil.Process().children()], flush=True)
    await asyncio.sleep(60)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
async def beside() -> AsyncIterator[Verifiers]:
    processes = Verifiers(1)
    yield processes
    processes.close()


async def verified(beside: Verifiers, envelopes: Sequence[bytes]) -> tuple[Signers, ...]:
    """What the processes say, as soon as they are there."""
    async with asyncio.timeout(SECONDS_MAX):
        while (found := await beside.verify(envelopes, CONFIG)) is None:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)
    return found


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is none
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


async def gone(processes: Sequence[psutil.Process]) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_they_find_whom_the_peer_would_find(beside: Verifiers) -> None:
    transactions = (
        GOOD,
        replace(GOOD, endorsers=(PEER1,)),
        replace(GOOD, endorsers=TWINS),
        replace(GOOD, signature=b"bad"),
    )
    forged = bytearray(GOOD.raw)
    forged[len(forged) // 2] ^= 1  # whatever that was, the creator has not signed it
    envelopes = [*(tx.raw for tx in transactions), bytes(forged), b"", b"\xff"]
    here = verify_all([read_transaction(envelope) for envelope in envelopes], CHANNEL, CONFIG.msps)
    assert await verified(beside, envelopes) == tuple(here)
    assert [len(signers.endorsers) for signers in here] == [2, 1, 1, 0, 0, 0, 0]
    assert here[0].creator
    assert here[3:] == [NOBODY] * 4


async def test_nobody_waits_for_them_to_start(beside: Verifiers) -> None:
    assert await beside.verify([GOOD.raw], CONFIG) is None
    assert len(await verified(beside, [GOOD.raw])) == 1


async def test_none_are_started_where_there_shall_be_none() -> None:
    before = children()
    assert await Verifiers(0).verify([GOOD.raw], CONFIG) is None
    assert set(children()) <= set(before)


async def test_they_end_when_there_is_nothing_to_do_and_come_again(
    beside: Verifiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifiers, "IDLE_SECONDS", 0.2)
    await verified(beside, [GOOD.raw])
    await gone(children())
    assert len(await verified(beside, [GOOD.raw])) == 1


async def test_when_one_is_killed_the_peer_goes_on_alone_and_says_so(
    beside: Verifiers, caplog: pytest.LogCaptureFixture
) -> None:
    await verified(beside, [GOOD.raw])
    for child in children():
        child.kill()
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(SECONDS_MAX):
            while await beside.verify([GOOD.raw], CONFIG) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert "catching up without other processes" in caplog.text
    assert await beside.verify([GOOD.raw], CONFIG) is None


def test_they_end_with_a_peer_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SPAWNING], stdout=subprocess.PIPE, text=True) as peer:
        assert peer.stdout is not None
        found = [psutil.Process(int(pid)) for pid in peer.stdout.readline().split()]
        assert found
        os.kill(peer.pid, signal.SIGKILL)
    asyncio.run(gone(found))
