"""From threads to the event loop, many values at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """Gives what threads post to `take`, on the loop it was made on.

    Waking a loop costs more than most answers: it is woken once for everything that is posted until it looks.
    """

    def __init__(self, take: Callable[[T], None]) -> None:
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._posted: deque[T] = deque()
        self._woken = False

    def post(self, value: T) -> None:
        """Hand a value over, from any thread. Raises RuntimeError when the loop is closed."""
        self._posted.append(value)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._woken = False  # before looking: whoever posts from here on wakes us again
        while self._posted:
            self._take(self._posted.popleft())
