"""The way into a channel's transient store: what comes while one write is under way shares the next."""

import asyncio
from concurrent.futures import Executor

from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.types import TransientStore


class Keeping:
    """Writes private sets of transactions that are not committed yet. On the event loop only."""

    def __init__(self, store: TransientStore, writer: Executor) -> None:
        self._store = store
        self._writer = writer
        self._waiting: list[tuple[PushedTransaction, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    def keep(self, transaction: PushedTransaction) -> "asyncio.Future[None]":
        """Done when its sets are durable; fails with a StorageError."""
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
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
                if kept.done():
                    continue
                if fault is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(fault)
        self._writing = None
