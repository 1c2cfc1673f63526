"""Another process that verifies the signatures of blocks for a peer that does not keep up: the peer's side of it.

Python runs the threads of a process under one lock, so a peer that catches up is held to little more than a processor,
and has others to spare. The process is there for as long as the peer is behind. It gets blocks and the channel's
configuration, which are public to its members, and no keys. Whatever it fails at, the peer finds out without it.
"""

import asyncio
import itertools
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.signers import Signers
from services.peer.verifier_process import RELEASE, encode_request, endorsers_of

PROGRAM: Final = "services.peer.verifier_process"
IDLE_SECONDS: Final = 5.0  # after which it ends: it takes 50 MB
ANSWER_SECONDS_MAX: Final = 10.0  # a block takes some 20 ms, one as large as can be about a second
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
UNDER_WAY_MAX: Final = 2  # blocks: one that it does, one that waits; the peer does others meanwhile
PAUSE_SECONDS: Final = 60.0  # after it has failed: what fails every time may hold up a block each time

_log = logging.getLogger(__name__)


class WrongAnswer(Exception):
    """What the process says cannot be true of these envelopes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the process says of the envelopes of a block: unchecked, but that it is one."""

    seconds: float  # that it took
    signed: Sequence[Any]  # `verifier_process.Signed`, one for each envelope


class Verifier:
    """Belongs to one event loop. `wanted` False: there is never such a process."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._process: Process | None = None  # that has started
        self._starting: asyncio.Task[None] | None = None
        self._ended: set[asyncio.Task[int]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._pause_ends = 0.0  # by the loop's clock
        self._under_way = 0
        self._numbers = itertools.count(1)
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()  # first come, first served, as are requests

    async def ask(self, envelopes: Sequence[bytes], config: ChannelConfig) -> Answer | None:
        """Who signed these envelopes; None when the process is not there or has enough to do: somebody else has to.

        The first call has it started.
        """
        if not self._wanted or asyncio.get_running_loop().time() < self._pause_ends:
            return None
        self._stay()
        process = self._process
        if process is None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start())
            return None
        if self._under_way >= UNDER_WAY_MAX:
            return None
        self._under_way += 1
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._converse(process, envelopes, config)
        except Exception as error:
            if process is self._process:
                self.pause(error)
            return None
        except asyncio.CancelledError:
            if process is self._process:
                self._stop()  # half a request may have been written, or an answer be to come
            raise
        finally:
            self._under_way -= 1

    def pause(self, error: Exception) -> None:
        """Do without it for a while."""
        now = asyncio.get_running_loop().time()
        if now < self._pause_ends:  # two may find the same
            return
        self._pause_ends = now + PAUSE_SECONDS
        self._stop()
        _log.warning("no other process verifies for the next %d s", round(PAUSE_SECONDS), extra={"reason": repr(error)})

    async def close(self) -> None:
        """End the process, if there is one."""
        starting = self._starting
        self._stop()
        if starting is not None:
            await asyncio.wait((starting,))
        await asyncio.gather(*self._ended)

    async def _start(self) -> None:
        process = None
        try:
            # -P: nothing is imported from the working directory. In a session of its own: what a terminal sends to
            # all, the peer decides about.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", PROGRAM),
                stdin=PIPE,
                stdout=PIPE,
                limit=ANSWER_BYTES_MAX,
                start_new_session=True,
            )
            assert process.stdout is not None
            greeting = (await process.stdout.readline()).decode().strip()
            if greeting != RELEASE:
                raise WrongAnswer(f"needed: release {RELEASE}, as the peer is; found: {greeting or 'nothing'}")
            self._process, self._starting = process, None
            _log.info("another process verifies as well", extra={"pid": process.pid})
        except Exception as error:
            self.pause(error)
        finally:
            if process is not None and process is not self._process:
                self._end(process)

    async def _converse(self, process: Process, envelopes: Sequence[bytes], config: ChannelConfig) -> Answer:
        assert process.stdin is not None
        assert process.stdout is not None
        number = next(self._numbers)
        async with self._writing:
            process.stdin.write(encode_request(number, envelopes, config))
            await process.stdin.drain()
        async with self._reading:
            line = await process.stdout.readline()
        if not line:
            raise EOFError("it ended")
        # Whoever stopped waiting may have left his answer for the next.
        match json.loads(line):
            case [answered, float(seconds), [*signed]] if answered == number and 0 <= seconds < ANSWER_SECONDS_MAX:
                return Answer(seconds, signed)
        raise WrongAnswer(f"needed: {number}, seconds, and who signed; found: {line!r:.100}")

    def _stay(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._rest)

    def _rest(self) -> None:
        if self._under_way:
            self._stay()
        else:
            self._stop()

    def _stop(self) -> None:
        process, starting, timer = self._process, self._starting, self._idle_timer
        self._process = self._starting = self._idle_timer = None
        if timer is not None:
            timer.cancel()
        if starting is not None and starting is not asyncio.current_task():
            starting.cancel()
        if process is not None:
            self._end(process)
            self._writing, self._reading = asyncio.Lock(), asyncio.Lock()
            _log.info("the other process that verified has ended", extra={"pid": process.pid})

    def _end(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.kill()  # it has nothing to lose
        ended = asyncio.create_task(process.wait())
        self._ended.add(ended)
        ended.add_done_callback(self._ended.discard)


def signers_of(transactions: Sequence[ReadTransaction], answer: Answer, msps: MspManager) -> list[Signers]:
    """What `verify_all` would have returned for these transactions. Raises WrongAnswer when that cannot be."""
    if len(answer.signed) != len(transactions):
        raise WrongAnswer(f"needed: {len(transactions)} transactions; found: {len(answer.signed)}")
    return [_signers(*pair, msps) for pair in zip(transactions, answer.signed, strict=True)]


def _signers(transaction: ReadTransaction, signed: Any, msps: MspManager) -> Signers:
    match signed:
        case [False, []]:
            return Signers()
        case [True, [*places]]:
            endorsers = endorsers_of(transaction)
        case _:
            raise WrongAnswer(f"needed: whether the creator signed, and places; found: {signed!r:.100}")
    if not all(type(place) is int and 0 <= place < len(endorsers) for place in places):
        raise WrongAnswer(f"needed: places of {len(endorsers)} endorsements; found: {places!r:.100}")
    try:
        identities = [msps.deserialize(endorsers[place]) for place in places]
    except InvalidIdentity as error:
        raise WrongAnswer(f"an endorser that no MSP knows: {error}") from error
    if len({identity.dedupe_key for identity in identities}) < len(identities):
        raise WrongAnswer("one endorser twice")
    return Signers(True, tuple(identities))
