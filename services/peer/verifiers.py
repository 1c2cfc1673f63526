"""Processes beside a peer that find out who signed what stands in its blocks, while many blocks wait.

Python runs the threads of a process under one lock, so a peer that is far behind verifies on little more than one
processor, and has others to spare. These processes are there for as long as it is behind. They get blocks and the
channel's configuration, which are public to its members, and no keys.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from functools import lru_cache
from typing import Final

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.configs import parse_config
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.signers import Signers, verify_all
from services.runtime.process import settle_memory

IDLE_SECONDS: Final = 5.0  # after which the processes end: each takes 60 MB
UNDER_WAY_EACH: Final = 2  # blocks: one that it does, one that waits; whoever asks does others meanwhile
CONFIGS_KEPT: Final = 4  # one for each channel that catches up

_Found = tuple[bool, tuple[bytes, ...]]  # whether the creator signed, and which endorsers, as `Identity.serialized`

_log = logging.getLogger(__name__)


class Verifiers:
    """Up to `count` processes. Belongs to one event loop."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None
        self._started: Future[None] | None = None  # the first process has loaded what it needs
        self._rest: asyncio.TimerHandle | None = None
        self._under_way = 0

    async def verify(self, envelopes: Sequence[bytes], config: ChannelConfig) -> tuple[Signers, ...] | None:
        """What `verify_all` says of these envelopes; None when no process is there or free: somebody else has to.

        The first call has them started.
        """
        if not self.count:
            return None
        loop = asyncio.get_running_loop()
        if self._rest is not None:
            self._rest.cancel()
        self._rest = loop.call_later(IDLE_SECONDS, self.close)
        try:
            if self._pool is None:
                self._start()
            if self._pool is None or self._started is None or not self._started.done():
                return None
            self._started.result()
            if self._under_way >= UNDER_WAY_EACH * self.count:
                return None
            self._under_way += 1
            try:
                job = loop.run_in_executor(self._pool, _find_signers, config.channel_id, config.raw, list(envelopes))
                found = await job
            finally:
                self._under_way -= 1
        except (BrokenExecutor, OSError) as error:
            self.count = 0
            self.close()
            _log.warning("catching up without other processes to verify", extra={"reason": str(error)})
            return None
        of = config.msps.deserialize
        return tuple([Signers(by_creator, tuple([of(each) for each in endorsers])) for by_creator, endorsers in found])

    def close(self) -> None:
        """Let the processes end when they have done what they have to do. The next call has others started."""
        if self._rest is not None:
            self._rest.cancel()
        pool, self._pool, self._started, self._rest = self._pool, None, None, None
        if pool is not None:
            pool.shutdown(wait=False)

    def _start(self) -> None:
        # Not forked: a copy of a process with threads may find their locks taken for ever.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self.count, context, _prepare)
        self._started = self._pool.submit(_stand_by)


def _prepare() -> None:
    """Begin one of the processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the peer decides
    threading.Thread(target=_end_with_the_peer, daemon=True).start()
    settle_memory()


def _end_with_the_peer() -> None:
    peer = multiprocessing.parent_process()
    assert peer is not None
    peer.join()
    os._exit(0)


def _stand_by() -> None:
    """Nothing. Whoever can do it has started."""


def _find_signers(channel_id: str, config: bytes, envelopes: list[bytes]) -> list[_Found]:
    transactions = [read_transaction(envelope) for envelope in envelopes]
    signers = verify_all(transactions, channel_id, _config(channel_id, config).msps)
    return [(by.creator, tuple([endorser.serialized for endorser in by.endorsers])) for by in signers]


@lru_cache(CONFIGS_KEPT)
def _config(channel_id: str, raw: bytes) -> ChannelConfig:
    return ChannelConfig.from_config(channel_id, parse_config(raw))
