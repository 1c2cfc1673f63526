"""Wakes whoever waits for a channel to grow: event streams, clients that want a verdict, the block feed."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId


class ChannelStopped(Exception):
    """The channel commits nothing more: this process is ending, or the chain cannot be trusted."""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """A transaction's verdict, and the block that holds it."""

    code: TxCode
    block_num: int


class CommitNotifier:
    """Heights and verdicts of one channel, told to coroutines. Belongs to the event loop's thread."""

    def __init__(self, height: int) -> None:
        self.height = height
        self._grown = asyncio.Event()
        self._waiting: dict[str, list[asyncio.Future[CommitStatus]]] = {}
        self._stopped: ChannelStopped | None = None

    def committed(self, block_num: int, verdicts: Iterable[tuple[TxId, TxCode]]) -> None:
        """A block is durable and its effects can be read."""
        self.height = block_num + 1
        self._wake()
        for tx_id, code in verdicts:
            for waiter in self._waiting.pop(tx_id, ()):
                if not waiter.done():
                    waiter.set_result(CommitStatus(code, block_num))

    def stop(self, reason: str) -> None:
        """Nothing more will come: everybody who waits, or begins to, gets ChannelStopped."""
        self._stopped = ChannelStopped(reason)
        self._wake()
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(self._stopped)
        self._waiting.clear()

    async def above(self, number: int) -> int:
        """Return the height as soon as block `number` is there. Raises ChannelStopped."""
        while self.height <= number:
            if self._stopped is not None:
                raise self._stopped
            await self._grown.wait()
        return self.height

    def expect(self, tx_id: TxId) -> "asyncio.Future[CommitStatus]":
        """The verdict on a transaction that is committed from now on.

        Expect first, then look into the ledger: what was committed in between is in either. Cancel it when done.
        """
        waiter: asyncio.Future[CommitStatus] = asyncio.get_running_loop().create_future()
        if self._stopped is not None:
            waiter.set_exception(self._stopped)
            return waiter
        self._waiting.setdefault(tx_id, []).append(waiter)
        waiter.add_done_callback(lambda _: self._forget(tx_id, waiter))
        return waiter

    def _forget(self, tx_id: TxId, waiter: "asyncio.Future[CommitStatus]") -> None:
        waiters = self._waiting.get(tx_id, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters:
            self._waiting.pop(tx_id, None)

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
