"""From threads to the event loop, many values at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

# Told what became of something, by any thread: None when it went well, else why it did not. Also told whether more is
# about to be told: then nobody needs to be woken yet. It must not wait.
Told = Callable[[Exception | None, bool], None]

ENOUGH: Final = 48  # values that are worth a look by themselves
PATIENCE_S: Final = 0.02  # for more to come


class Handover(Generic[T]):
    """Gives what threads post to `take`, on the loop it was made on.

    To wake a loop costs more than most answers, and so does what it then does with them, be they one or fifty. So it is
    woken once for everything that is posted until it looks; and whoever knows that more is to come says so, and has it
    look when there is enough, when nothing more is to come, or when it has waited long enough.
    """

    def __init__(
        self, take: Callable[[Sequence[T]], None], *, enough: int = ENOUGH, patience_s: float = PATIENCE_S
    ) -> None:
        self._take = take
        self._enough = enough
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._posted: deque[T] = deque()
        self._woken = False
        self._expecting = False
        self._timer: asyncio.TimerHandle | None = None

    def post(self, value: T, *, more: bool = False) -> None:
        """Hand a value over, from any thread. Raises RuntimeError when the loop is closed."""
        self._posted.append(value)
        if more and len(self._posted) < self._enough:
            if not self._expecting:
                self._expecting = True
                self._loop.call_soon_threadsafe(self._expect)
        elif not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._look)

    def _expect(self) -> None:
        if self._timer is None and self._posted:
            self._timer = self._loop.call_later(self._patience_s, self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._woken = self._expecting = False  # before looking: whoever posts from here on wakes us again
        if values := [self._posted.popleft() for _ in range(len(self._posted))]:
            self._take(values)
