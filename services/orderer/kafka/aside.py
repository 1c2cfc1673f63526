"""A thread for what waits for brokers, which may never answer: a process that ends does not wait for it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Work = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Aside:
    """Does one thing after the other, away from the event loop that it was made on."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def do(self, work: Callable[[], T]) -> T:
        """What it returns, or raises. Whoever is cancelled meanwhile no longer hears of it; it is done all the same."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._work.put((work, future))
        return await future

    def close(self, last: Callable[[], object] = lambda: None) -> None:
        """Do this one thing more, once that is possible."""
        self._work.put((last, self._loop.create_future()))
        self._work.put(None)

    def _run(self) -> None:
        while (task := self._work.get()) is not None:
            work, future = task
            try:
                result, error = work(), None
            except Exception as failure:
                result, error = None, failure
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(_tell, future, result, error)


def _tell(future: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
