"""The way into a channel's transient store: what comes while one write is under way shares the next.

Members that endorse the same transaction push the same sets to each other: each is written once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Final

from privysharing.protocol.crypto import sha256
from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.records import encode_number, join
from services.peer.private_data.types import ToKeep, TransientStore

REMEMBERED_MAX: Final = 2048  # transactions, by a hash of what was kept of each


class Keeping:
    """Writes private sets of transactions that are not committed yet. On the event loop only."""

    def __init__(self, store: TransientStore, writer: Executor) -> None:
        self._store = store
        self._writer = writer
        self._waiting: dict[bytes, tuple[PushedTransaction, list[str], asyncio.Future[None]]] = {}
        self._writing: asyncio.Task[None] | None = None
        self._kept: OrderedDict[bytes, asyncio.Future[None]] = OrderedDict()

    def keep(self, transaction: PushedTransaction, msp_id: str) -> "asyncio.Future[None]":
        """Done when its sets are durable; fails with a StorageError, or when its organisation's share is used up.

        Others may wait for it too: do not cancel it.
        """
        digest = _digest(transaction)
        if digest in self._waiting and msp_id not in (wanted_by := self._waiting[digest][1]):
            wanted_by.append(msp_id)
        known = self._kept.get(digest)
        if known is not None and not (known.done() and known.exception()):
            return known
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept[digest] = kept
        if len(self._kept) > REMEMBERED_MAX:
            self._kept.popitem(last=False)
        self._waiting[digest] = transaction, [msp_id], kept
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return kept

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = list(self._waiting.values()), {}
            faults: Sequence[Exception | None]
            try:
                all_to_keep = [ToKeep(transaction, wanted_by) for transaction, wanted_by, _ in taken]
                faults = await loop.run_in_executor(self._writer, self._store.keep_all, all_to_keep)
            except Exception as error:
                faults = [error] * len(taken)
            for (_, _, kept), fault in zip(taken, faults, strict=True):
                if fault is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(fault)
        self._writing = None


def _digest(transaction: PushedTransaction) -> bytes:
    """The height counts: what was pushed with a lower one is forgotten sooner, and anybody may say so of his own."""
    parts = [transaction.tx_id.encode(), encode_number(transaction.height)]
    for each in transaction.sets:
        parts += (each.namespace.encode(), each.collection.encode(), each.rwset)
    return sha256(join(*parts))
