"""Work that is not asynchronous, and is overtaken all the same: as a thread is, in the middle of what it reads.

Each strand has a real thread, but only one thread of all runs at any time, and chance decides where it pauses: a run
stays a function of its seed.
"""

import contextvars
import random
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

PAUSES: Final = 0.1  # share of places at which a strand may pause

_MINE = threading.local()


class Abandoned(BaseException):
    """The process is gone: nobody waits for this strand."""


class Strand(Generic[T]):
    """One piece of work. `outcome` is what it came to, once it is `done`."""

    outcome: T

    def __init__(self, chance: random.Random, work: Callable[[], T]) -> None:
        self.done = False
        self._chance = chance
        self._work = work
        self._hurries = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let it run until it is done, or pauses. Raises what the work has raised."""
        self._turn.release()
        self._back.acquire()
        if self.done:
            self._thread.join()
        if self._error is not None and not self._abandoned:
            raise self._error

    def finish(self) -> None:
        """Let it run to its end."""
        self._hurries = True
        while not self.done:
            self.go_on()

    def abandon(self) -> None:
        """End it where it pauses."""
        self._abandoned = True
        self.finish()

    def may_pause(self) -> None:
        """For the work itself: a place at which others may go first."""
        if not self._hurries and self._chance.random() < PAUSES:
            self._back.release()
            self._turn.acquire()
        if self._abandoned:
            raise Abandoned

    def _run(self) -> None:
        _MINE.strand = self
        self._turn.acquire()
        try:
            if not self._abandoned:
                self.outcome = self._work()
        except BaseException as error:
            self._error = error
        self.done = True
        self._back.release()


def may_pause() -> None:
    """A place at which a strand may pause; anything else goes on."""
    strand: Strand[Any] | None = getattr(_MINE, "strand", None)
    if strand is not None:
        strand.may_pause()
