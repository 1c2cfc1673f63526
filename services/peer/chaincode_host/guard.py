"""Ends contracts that do not end by themselves.

A contract runs in the thread that endorses: a thread of its own would cost more than most contracts. So the guard
interrupts that thread, by an exception that Python raises at the next step of the contract's own code. A loop ends so,
and so does a collection that grows without bound; a single call into C that never returns does not (endorsement.workers
goes on without that thread).
"""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from services.peer.chaincode_host.errors import ExecutionStopped
from services.peer.chaincode_host.watchdog import TICK_S, Watchdog

T = TypeVar("T")

# core/chaincode handler.go: ErrorExecutionTimeout
TIMED_OUT = "timeout expired while executing transaction"
TOO_MUCH_MEMORY = "chaincode used too much memory"

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATM = Path("/proc/self/statm")
_set_async_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exception.argtypes = (ctypes.c_ulong, ctypes.py_object)


class Execution:
    """One run of a contract, with whatever contracts it calls."""

    __slots__ = ("_armed", "_lock", "_next_throw", "deadline", "memory_before", "started", "stopped", "thread")

    def __init__(self, timeout_s: float) -> None:
        self.thread = threading.get_ident()
        self.started = time.monotonic()
        self.deadline = self.started + timeout_s
        self.stopped: str | None = None  # why, once it is
        self.memory_before: int | None = None  # of the process, in bytes, once somebody has looked
        self._armed = True
        self._next_throw = 0.0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise ExecutionStopped when the run should have ended: for whoever the contract calls."""
        if self.stopped is not None:
            raise ExecutionStopped

    def stop(self, why: str, now: float) -> None:
        """Throw into the contract; again after a tick or two, for one that swallows what is thrown."""
        with self._lock:
            if self._armed and now >= self._next_throw:
                self.stopped = self.stopped or why
                self._next_throw = now + 2 * TICK_S
                _set_async_exception(self.thread, ExecutionStopped)

    def disarm(self) -> None:
        """From here on nothing is thrown. What was on its way arrives now: as ExecutionStopped out of here, or not."""
        with self._lock:
            self._armed = False
        if self.stopped is not None:
            _let_arrive()


class Guard(Protocol):
    """Runs contracts, and ends those that it must."""

    def run(self, work: Callable[[Execution], T]) -> T:
        """The result of `work`. Raises ExecutionStopped when it had to be ended."""
        ...

    def reason(self, execution: Execution | None) -> str:
        """Why a run was stopped."""
        ...


class ExecutionGuard:
    """Runs contracts for at most a time, and ends them when the process grows too much meanwhile."""

    def __init__(self, watchdog: Watchdog, timeout_s: float, memory_growth_max: int) -> None:
        self._watchdog = watchdog
        self._timeout_s = timeout_s
        self._memory_growth_max = memory_growth_max
        self._running: dict[int, Execution] = {}  # by thread
        self._memory = _resident_bytes()
        watchdog.add(self._look)

    def run(self, work: Callable[[Execution], T]) -> T:
        """The result of `work`. Raises ExecutionStopped when it had to be ended.

        A contract that is called by another shares its time.
        """
        thread = threading.get_ident()
        outer = self._running.get(thread)
        if outer is not None:
            return work(outer)
        execution = Execution(self._timeout_s)
        try:
            self._running[thread] = execution
            self._watchdog.wake()
            result = work(execution)
            execution.disarm()
        except BaseException:
            # Also when a throw arrived in the first disarm: nothing is thrown after that one.
            execution.disarm()
            raise
        finally:
            self._running.pop(thread, None)
        if execution.stopped is not None:
            raise ExecutionStopped  # swallowed by the contract, which then ended
        return result

    def reason(self, execution: Execution | None) -> str:
        """Why a run was stopped."""
        return (execution.stopped if execution else None) or TIMED_OUT

    def _look(self, now: float) -> bool:
        running = list(self._running.values())
        for execution in running:
            if now >= execution.deadline:
                execution.stop(TIMED_OUT, now)
        before, self._memory = self._memory, _resident_bytes()
        for execution in running:
            if execution.memory_before is None:
                execution.memory_before = min(before, self._memory)
            elif self._memory - execution.memory_before > self._memory_growth_max:
                execution.stop(TOO_MUCH_MEMORY, now)
                break  # the oldest: the growth may well be its own
        return bool(running)


def _let_arrive() -> None:
    """Python raises what was thrown into a thread at that thread's next jump back.

    Taking the throw back instead would leave the interpreter looking for it for ever (PyThreadState_SetAsyncExc).
    """
    with contextlib.suppress(ExecutionStopped):
        for _ in range(3):
            pass


def _resident_bytes() -> int:
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
