"""When waiting is over: one timer for all who wait, since nearly all of them are answered in time."""

import asyncio
import heapq
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
        self._together: dict[float, list[W]] = {}  # by the moment of their deadline: who sets out together shares it
        self._moments: list[float] = []  # those, as a heap
        self._held = 0
        self._timer: asyncio.Handle | None = None
        self._due = 0.0  # when it looks; a handle need not say, where that is now
        self._sweep_at = _SWEEP_LEAST

    def add(self, waiting: W, due: float) -> None:
        """`due` is a time of the running loop's clock."""
        together = self._together.get(due)
        if together is None:
            together = self._together[due] = []
            heapq.heappush(self._moments, due)
            if self._timer is None or due < self._due:
                self._set(due)
        together.append(waiting)
        self._held += 1
        if self._held > self._sweep_at:
            self._sweep()

    def close(self) -> None:
        """Let nobody's time be over any more."""
        self._together.clear()
        self._moments.clear()
        self._held = 0
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
        while self._moments and (self._moments[0] <= now or not _left_of(self._together[self._moments[0]])):
            together = self._together.pop(heapq.heappop(self._moments))
            self._held -= len(together)
            for waiting in _left_of(together):
                self._expire(waiting)
        if self._moments and self._timer is None:
            self._set(self._moments[0])

    def _sweep(self) -> None:
        """Forget those that were answered in time."""
        self._together = {due: left for due, together in self._together.items() if (left := _left_of(together))}
        self._moments = list(self._together)
        heapq.heapify(self._moments)
        self._held = sum(map(len, self._together.values()))
        self._sweep_at = max(_SWEEP_LEAST, 2 * self._held)


def _left_of(together: list[W]) -> list[W]:
    """Those without an answer."""
    return [each for each in together if not each.answer.done()]
