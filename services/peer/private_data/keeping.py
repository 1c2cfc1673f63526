"""The way into a channel's transient store: what comes while one write is under way shares the next.

Members that endorse the same transaction push the same sets to each other: each is written once.
"""

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from typing import Final

from privysharing.protocol.crypto import sha256
from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.types import TransientStore

REMEMBERED_MAX: Final = 2048  # transactions, by a hash of what was kept of each


class Keeping:
    """Writes private sets of transactions that are not committed yet. On the event loop only."""

    def __init__(self, store: TransientStore, writer: Executor) -> None:
        self._store = store
        self._writer = writer
        self._waiting: list[tuple[PushedTransaction, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._kept: OrderedDict[bytes, asyncio.Future[None]] = OrderedDict()

    def keep(self, transaction: PushedTransaction) -> "asyncio.Future[None]":
        """Done when its sets are durable; fails with a StorageError. Others may wait for it too: do not cancel it."""
        digest = _digest(transaction)
        known = self._kept.get(digest)
        if known is not None and not (known.done() and known.exception()):
            return known
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept[digest] = kept
        if len(self._kept) > REMEMBERED_MAX:
            self._kept.popitem(last=False)
        self._waiting.append((transaction, kept))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return kept

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            fault: Exception | None = None
            try:
                transactions = [transaction for transaction, _ in taken]
                await loop.run_in_executor(self._writer, self._store.keep_all, transactions)
            except Exception as error:
                fault = error
            for _, kept in taken:
                if fault is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(fault)
        self._writing = None


def _digest(transaction: PushedTransaction) -> bytes:
    parts = [transaction.tx_id.encode()]
    for each in transaction.sets:
        parts += (each.namespace.encode(), each.collection.encode(), sha256(each.rwset))
    return sha256(*(len(part).to_bytes(4, "big") + part for part in parts))
