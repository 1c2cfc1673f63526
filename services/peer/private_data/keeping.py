"""The way into a channel's transient store: what comes while one write is under way shares the next.

Members that endorse the same transaction push the same sets to each other: each is written once. And who pushes sets
has them: nobody needs to push them back to him.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from privysharing.protocol.crypto import sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.types import ToKeep, TransientStore

REMEMBERED_MAX: Final = 2048  # transactions, by hashes of what was kept of each
ALIKE_BLOCKS: Final = 100  # between two heights at which the same was endorsed: about as long it is kept

Key = tuple[TxId, tuple[tuple[str, str, bytes], ...]]  # with the hash of each set


@dataclass(slots=True, eq=False)
class Kept:
    """What became of a transaction's sets; `fault` says why they are not durable."""

    height: int
    wanted_by: list[str]  # MSP ids, of those who came before it was written
    written: "asyncio.Future[None]"  # others wait for it, too
    fault: Exception | None = None
    holders: set[bytes] = field(default_factory=set)  # identities of other peers that have them durably, too


class Keeping:
    """Writes private sets of transactions that are not committed yet. On the event loop only."""

    def __init__(self, store: TransientStore, writer: Executor, last_purge: Callable[[], int]) -> None:
        """`last_purge`: see `PrivateData.last_purge`."""
        self._store = store
        self._writer = writer
        self._last_purge = last_purge
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[PushedTransaction, Kept]] = []
        self._written: asyncio.Future[None] = self._loop.create_future()  # of those that wait
        self._writing: asyncio.Task[None] | None = None
        self._known: OrderedDict[Key, Kept] = OrderedDict()

    def knows(self, transaction: PushedTransaction) -> bool:
        """Whether just these sets are kept already, or are about to be."""
        known = self._known.get(_key(transaction))
        return known is not None and known.fault is None

    async def keep(self, transactions: Sequence[PushedTransaction], msp_id: str, holder: bytes = b"") -> Sequence[Kept]:
        """Return when they are durable, but for those that have a fault: a StorageError, or a share that is used up.

        `holder` is the identity of another peer that has them.
        """
        kept = [self._keep(each, msp_id, holder) for each in transactions]
        await asyncio.wait({each.written for each in kept})
        # Some were being written when we came, in the names of others who have no room: now they are, in ours.
        again = [place for place, each in enumerate(kept) if each.fault is not None and msp_id not in each.wanted_by]
        if again:
            retried = await self.keep([transactions[place] for place in again], msp_id, holder)
            for place, each in zip(again, retried, strict=True):
                kept[place] = each
        return kept

    def _keep(self, transaction: PushedTransaction, msp_id: str, holder: bytes) -> Kept:
        key, height = _key(transaction), transaction.height
        kept = self._known.get(key)
        if kept is None or kept.fault is not None or not self._is_as_good(kept.height, height):
            kept = self._known[key] = Kept(height, [msp_id], self._written)
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
            self._waiting.append((transaction, kept))
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
        elif kept.written is self._written and msp_id not in kept.wanted_by:
            kept.wanted_by.append(msp_id)
        if holder and self._is_as_good(height, kept.height):
            kept.holders.add(holder)
        return kept

    def _is_as_good(self, height: int, other: int) -> bool:
        """Whether what was endorsed at one height is kept for as long as at another, and loses no more to purges."""
        return height >= other or (height > self._last_purge() and other - height <= ALIKE_BLOCKS)

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            written, self._written = self._written, self._loop.create_future()
            all_to_keep = [ToKeep(transaction, tuple(kept.wanted_by)) for transaction, kept in taken]
            faults: Sequence[Exception | None]
            try:
                faults = await self._loop.run_in_executor(self._writer, self._store.keep_all, all_to_keep)
            except Exception as error:
                faults = [error] * len(taken)
            for (_, kept), fault in zip(taken, faults, strict=True):
                kept.fault = fault
            written.set_result(None)
        self._writing = None


def _key(transaction: PushedTransaction) -> Key:
    return transaction.tx_id, tuple(
        [(each.namespace, each.collection, sha256(each.rwset)) for each in transaction.sets]
    )
