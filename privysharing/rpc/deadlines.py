"""When waiting is over: one timer for all who wait, since nearly all of them are answered in time."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

_SWEEP_LEAST = 1024


class Waiting(Protocol):
    """Somebody who waits for an answer, or has one."""

    answer: "asyncio.Future[Any]"


W = TypeVar("W", bound=Waiting)


class Deadlines(Generic[W]):
    """Calls `expire` with whoever has no answer when his time is over."""

    def __init__(self, expire: Callable[[W], None]) -> None:
        self._expire = expire
        self._heap: list[tuple[float, int, W]] = []
        self._added = itertools.count()  # two with one deadline are told apart
        self._timer: asyncio.Handle | None = None
        self._due = 0.0  # when it looks; a handle need not say, where that is now
        self._sweep_at = _SWEEP_LEAST

    def add(self, waiting: W, due: float) -> None:
        """`due` is a time of the running loop's clock."""
        heapq.heappush(self._heap, (due, next(self._added), waiting))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        if self._timer is None or due < self._due:
            self._set(due)

    def close(self) -> None:
        """Let nobody's time be over any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due = asyncio.get_running_loop().call_at(due, self._look), due

    def _look(self) -> None:
        now = max(self._due, asyncio.get_running_loop().time())  # a loop may be a little early
        self._timer = None
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].answer.done()):
            waiting = heapq.heappop(self._heap)[2]
            if not waiting.answer.done():
                self._expire(waiting)
        if self._heap and self._timer is None:
            self._set(self._heap[0][0])

    def _sweep(self) -> None:
        """Forget those that were answered in time."""
        self._heap = [each for each in self._heap if not each[2].answer.done()]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEEP_LEAST, 2 * len(self._heap))
