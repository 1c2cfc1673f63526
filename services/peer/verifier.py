"""A process that verifies the signatures of blocks for a peer that is far behind, and the peer's side of it.

Python runs the threads of a process under one lock, so a peer that catches up is held to little more than a processor,
and has others to spare. The process is there for as long as the peer is far behind. It gets blocks and the channel's
configuration, which are public to its members, and no keys.

Request: a line of JSON [channel id, bytes of the configuration, bytes of each envelope], then all of these bytes.
Answer: a line of JSON [seconds that it took, what was found of each envelope]; before the first, an empty line.
"""

import asyncio
import json
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import BinaryIO, Final

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.configs import parse_config
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.reading import ReadTransaction, read_transaction
from privysharing.protocol.signers import Signers, verify_all
from services.runtime.process import settle_memory

IDLE_SECONDS: Final = 5.0  # after which it ends: it takes 50 MB
ANSWER_SECONDS_MAX: Final = 10.0  # a block takes some 20 ms, one as large as can be about a second
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
UNDER_WAY_MAX: Final = 2  # blocks: one that it does, one that waits; the peer does others meanwhile
CONFIGS_KEPT: Final = 64  # one for each channel that catches up

# Whether the creator signed, and which endorsements count, by their place in the transaction.
Found = tuple[bool, Sequence[int]]

_log = logging.getLogger(__name__)


class WrongAnswer(Exception):
    """What the process says cannot be true of these envelopes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of each envelope of a block, and the seconds that it took."""

    seconds: float
    found: Sequence[Found]


class Verifier:
    """The peer's side. Belongs to one event loop. `wanted` False: there is never such a process."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._process: Process | None = None  # that has started
        self._starting: asyncio.Task[None] | None = None
        self._ended: set[asyncio.Task[int]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._under_way = 0
        self._writing, self._reading = asyncio.Lock(), asyncio.Lock()  # first come, first served, as are requests

    async def find(self, envelopes: Sequence[bytes], config: ChannelConfig) -> Answer | None:
        """Who signed these envelopes; None when the process is not there or has enough to do: somebody else has to.

        The first call has it started. Whatever it fails at, the peer finds out without it.
        """
        if not self._wanted:
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
                return await self._ask(process, envelopes, config)
        except Exception as error:
            if process is self._process:
                self.give_up(error)
            return None
        except asyncio.CancelledError:
            self._stop()  # half a request may have been written, or an answer be to come
            raise
        finally:
            self._under_way -= 1

    def give_up(self, error: Exception) -> None:
        """Never again: a process that fails once may fail every time, and delay a block with each."""
        self._wanted = False
        self._stop()
        _log.warning("catching up without another process that verifies", extra={"reason": repr(error)})

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
                *(sys.executable, "-P", "-m", __name__),
                stdin=PIPE,
                stdout=PIPE,
                limit=ANSWER_BYTES_MAX,
                start_new_session=True,
            )
            assert process.stdout is not None
            if await process.stdout.readline() != b"\n":
                raise EOFError("it ended when it had hardly begun")
            self._process, self._starting = process, None
            _log.info("another process verifies as well", extra={"pid": process.pid})
        except Exception as error:
            self.give_up(error)
        finally:
            if process is not None and process is not self._process:
                self._end(process)

    async def _ask(self, process: Process, envelopes: Sequence[bytes], config: ChannelConfig) -> Answer:
        assert process.stdin is not None
        assert process.stdout is not None
        head = json.dumps([config.channel_id, len(config.raw), [len(envelope) for envelope in envelopes]])
        async with self._writing:
            process.stdin.write(b"".join((head.encode(), b"\n", config.raw, *envelopes)))
            await process.stdin.drain()
        async with self._reading:
            line = await process.stdout.readline()
        if not line:
            raise EOFError("it ended")
        return Answer(*json.loads(line))

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


def signers_of(transactions: Sequence[ReadTransaction], found: Sequence[Found], msps: MspManager) -> list[Signers]:
    """What `verify_all` would have returned for these transactions. Raises WrongAnswer when that cannot be."""
    try:
        return [_signers(*pair, msps) for pair in zip(transactions, found, strict=True)]
    except (TypeError, ValueError, IndexError, InvalidIdentity) as error:  # of a later release's process, perhaps
        raise WrongAnswer(repr(error)) from error


def _signers(transaction: ReadTransaction, found: Found, msps: MspManager) -> Signers:
    creator, places = found
    endorsers = _endorsers(transaction)
    return Signers(creator, tuple([msps.deserialize(endorsers[place]) for place in places]))


def _endorsers(transaction: ReadTransaction) -> list[bytes]:
    if transaction.endorsed is None:
        return []
    return [endorsement.endorser for endorsement in transaction.endorsed.transaction.endorsements]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """The process: answer requests until they end, which they do with the peer at the latest."""
    answers.write(b"\n")
    answers.flush()
    while head := requests.readline():
        channel_id, config_size, sizes = json.loads(head)
        body = requests.read(config_size + sum(sizes))
        if len(body) < config_size + sum(sizes):
            return
        started = time.perf_counter()
        ends = list(accumulate(sizes, initial=config_size))
        envelopes = [body[start:end] for start, end in pairwise(ends)]
        found = find_signers(envelopes, _config(channel_id, body[:config_size]))
        answers.write(json.dumps([time.perf_counter() - started, found]).encode() + b"\n")
        answers.flush()


def find_signers(envelopes: Sequence[bytes], config: ChannelConfig) -> list[Found]:
    """What there is to answer of these envelopes."""
    transactions = [read_transaction(envelope) for envelope in envelopes]
    signers = verify_all(transactions, config.channel_id, config.msps)
    return [(by.creator, _places(tx, by)) for tx, by in zip(transactions, signers, strict=True)]


def _places(transaction: ReadTransaction, signers: Signers) -> list[int]:
    """Where the endorsers stand that signed. Any place of the same bytes is as good as any other."""
    places = {endorser: place for place, endorser in enumerate(_endorsers(transaction))}
    return [places[endorser.serialized] for endorser in signers.endorsers]


@lru_cache(CONFIGS_KEPT)
def _config(channel_id: str, raw: bytes) -> ChannelConfig:
    return ChannelConfig.from_config(channel_id, parse_config(raw))


if __name__ == "__main__":
    settle_memory()
    with suppress(BrokenPipeError):
        serve(sys.stdin.buffer, sys.stdout.buffer)
