"""An event loop whose time passes only when nothing is left to do, and whose threads are none.

Everything that runs belongs to a `Life`: one incarnation of one simulated process, or to the simulation itself. A life
that has ended runs no further step, not even its own cleaning up, as after `kill -9`.
"""

import asyncio
import contextlib
import contextvars
import gc
import random
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

QUIET_FOR_EVER = "nothing is left to do, and somebody waits"
THREAD_WAKES_S = 0.000_05  # mean time until a thread takes up its next job, and until the loop hears of the result


class Life:
    """One incarnation of a process, from its start to its end or its crash."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = False
        self.context = contextvars.Context()
        self.context.run(_LIFE.set, self)
        self.at_end: list[Callable[[], None]] = []  # what the rest of the world does when the process is gone

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something in this process."""
        return asyncio.get_running_loop().create_task(work, context=self.context.copy())


_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


def simulate(chance: random.Random, main: "Callable[[SimulatedLoop], Coroutine[Any, Any, T]]") -> T:
    """What a simulation comes to. Everything that it left behind is dropped, without a step more."""
    loop = SimulatedLoop(chance)
    gc.freeze()  # what there was before is not to be gone through at the end
    gc.disable()  # or it would drop half a program in the middle of another
    try:
        return loop.run_until_complete(main(loop))
    finally:
        with _silence():
            loop.drop()
            loop.close()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Half a program that is dropped complains that it cannot go on."""
    complain, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
        gc.collect()
        gc.enable()
    finally:
        sys.unraisablehook = complain


def current_life() -> Life | None:
    """Whose step this is; None outside every process."""
    return _LIFE.get()


class _Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    def __init__(self, *args: Any, number: int, **kwargs: Any) -> None:
        self.number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the module. `now` is in seconds since the simulation began."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self._chance = chance
        self._threads = _Threads(self, chance)
        self._selector = self  # what the base class asks for events: there are none, but time passes
        self._clock_resolution = 1e-9
        self._tasks: list[asyncio.Task[Any]] = []  # kept: what is left of a crashed process must not be cleaned up
        self.set_exception_handler(self._note)
        self.complaints: list[str] = []  # of asyncio: results that nobody looked at
        self.set_task_factory(self._task)

    def time(self) -> float:
        return self.now

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass until the next timer is due."""
        if timeout is None:
            raise RuntimeError(QUIET_FOR_EVER)
        self.steps += 1
        self.now += timeout
        return []

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return _unless_over(super().call_soon(callback, *args, context=context), context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return _unless_over(super().call_at(when, callback, *args, context=context), context)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        return self._threads.submit(executor, lambda: func(*args))

    def end(self, life: Life) -> None:
        """Stop a process between two steps, for ever."""
        life.over = True
        for handle in (*self._ready, *self._scheduled):  # type: ignore[attr-defined]
            if handle._context.get(_LIFE) is life:
                handle.cancel()
        for gone in life.at_end:
            gone()

    def _task(self, _loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task = _Task(work, loop=self, number=len(self._tasks), **kwargs)
        self._tasks.append(task)
        return task

    def drop(self) -> None:
        """Let go of every task that has not come to its end."""
        self.set_exception_handler(lambda *_: None)
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._tasks.clear()
        self._ready.clear()  # type: ignore[attr-defined]
        self._scheduled.clear()  # type: ignore[attr-defined]

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, _events: list[Any]) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


Handle = TypeVar("Handle", bound=asyncio.Handle)


def _unless_over(handle: Handle, context: contextvars.Context | None) -> Handle:
    life = _LIFE.get() if context is None else context.get(_LIFE)
    if life is not None and life.over:
        handle.cancel()
    return handle


class _Threads:
    """Executors without threads: each job runs at one moment, later, in the order in which its executor got it."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random) -> None:
        self._loop = loop
        self._chance = chance
        self._lines: dict[int, _Line] = {}  # by executor

    def submit(self, executor: Executor | None, job: Callable[[], T]) -> "asyncio.Future[T]":
        result: asyncio.Future[T] = self._loop.create_future()
        line = _Line(executor) if executor is None else self._lines.setdefault(id(executor), _Line(executor))
        line.free_at = max(self._loop.now, line.free_at) + self._chance.expovariate(1 / THREAD_WAKES_S)

        def run() -> None:
            line.waiting.remove(run)
            if result.cancelled():
                return
            try:
                value = job()
            except BaseException as error:
                self._later(_unless_done(result, result.set_exception), error)
            else:
                self._later(_unless_done(result, result.set_result), value)

        line.waiting.append(run)
        self._loop.call_at(line.free_at, line.next)
        return result

    def _later(self, settle: Callable[[Any], None], outcome: Any) -> None:
        self._loop.call_later(self._chance.expovariate(1 / THREAD_WAKES_S), settle, outcome)


class _Line:
    """The jobs of one executor."""

    def __init__(self, executor: Executor | None) -> None:
        self.free_at = 0.0
        self.waiting: list[Callable[[], None]] = []
        self._executor = executor  # held, so that no other one gets its identity
        if executor is not None:
            executor.shutdown = self._finish  # type: ignore[method-assign]

    def next(self) -> None:
        """Run the job whose turn it is."""
        if self.waiting:
            self.waiting[0]()

    def _finish(self, wait: bool = True, **_: Any) -> None:
        """As `Executor.shutdown`: return when every job is done."""
        while wait and self.waiting:
            self.next()


def _unless_done(future: "asyncio.Future[Any]", settle: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda outcome: None if future.done() else settle(outcome)
