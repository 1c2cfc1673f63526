"""The life of a process: start, serve, drain on a signal, leave with a code that says how it went."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import uvloop

from privysharing.protocol.p256 import TABLES
from services.runtime.config import ConfigError
from services.runtime.disk import StorageError

DRAIN_SECONDS_MAX = 10.0

# How many containers more than before are worth a look for cycles. Python looks after 700, which a block holds many
# times over: it would search every block again and again for what is never there.
CONTAINERS_BETWEEN_COLLECTIONS = 20_000

PROCESSORS = len(os.sched_getaffinity(0))  # a container's share of them is not seen

# Threads for one kind of work. While one computes a signature another may run; but Python runs under one lock, which
# threads that are never idle keep taking from each other: a second of a kind costs a peer on two processors 5 %.
HALF_THE_PROCESSORS = max(1, PROCESSORS // 2)

EXIT_OK = 0
EXIT_FAULT = 1
EXIT_CONFIG = 2

_log = logging.getLogger(__name__)


def run(serve: Callable[[asyncio.Event], Awaitable[None]], *, stop_with: int | None = None) -> int:
    """Run `serve` until it returns, and give the exit code.

    Its event is set by SIGTERM or SIGINT, or when the process `stop_with` ends; `serve` then has 10 s to drain and
    return. A second signal, or the end of that time, ends the process on the spot: what is durable stays so.
    """
    settle_memory()
    _open_files()
    _take_turns()
    try:
        uvloop.run(_supervise(serve, stop_with))
    except Exception as error:
        faults = list(_single(error))
        if all(isinstance(fault, ConfigError) for fault in faults):
            sys.stderr.writelines(f"configuration: {fault}\n" for fault in faults)
            return EXIT_CONFIG
        if all(isinstance(fault, StorageError) for fault in faults):  # they say what there is to say
            _log.critical("the process stops after a fault: %s", "; ".join(dict.fromkeys(map(str, faults))))
        else:
            _log.critical("the process stops after a fault", exc_info=True)
        return EXIT_FAULT
    return EXIT_OK


def _single(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, or the one error."""
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for each in error.exceptions:
        yield from _single(each)


def settle_memory() -> None:
    """Collect garbage seldom, and never look again at what has been loaded until now: it stays.

    Only cycles are found this way, and messages hold none: they go when the last reference does.
    """
    gc.freeze()
    gc.set_threshold(CONTAINERS_BETWEEN_COLLECTIONS)


def _open_files() -> None:
    """As many as this process may have: every connection is one, and a ledger without one stops."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # some systems call no limit what is one
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _take_turns() -> None:
    """Let no thread that wakes up push another aside (sched(7), SCHED_BATCH).

    A node's threads wake each other all the time, and what a pushed one had at hand in the caches is gone: 4 % of all
    work when processors are short. Where one is idle, whoever wakes up runs at once, as ever.
    Another policy stays: an operator chose it.
    """
    with contextlib.suppress(OSError):  # some containers may not choose
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def _supervise(serve: Callable[[asyncio.Event], Awaitable[None]], stop_with: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask_to_stop(reason: str) -> None:
        if stop.is_set():
            _leave_now("asked a second time")
        _log.info("stopping", extra={"reason": reason})
        stop.set()
        watchdog = threading.Timer(DRAIN_SECONDS_MAX, _leave_now, ["draining took too long"])
        watchdog.daemon = True
        watchdog.start()

    if TABLES.fault is not None:
        _log.warning("each signature takes twice as long to verify as it could", extra={"reason": TABLES.fault})
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_stop, number.name)
    if stop_with is not None:
        _watch(loop, stop_with, lambda: ask_to_stop(f"process {stop_with} ended"))
    await serve(stop)


def _watch(loop: asyncio.AbstractEventLoop, pid: int, ended: Callable[[], None]) -> None:
    """Call `ended` when a process ends, without polling for it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        loop.call_soon(ended)
        return

    def gone() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        ended()

    loop.add_reader(descriptor, gone)


def _leave_now(why: str) -> None:
    sys.stderr.write(f"leaving at once: {why}\n")
    sys.stderr.flush()
    os._exit(EXIT_FAULT)
