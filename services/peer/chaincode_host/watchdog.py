"""One thread that looks after what takes too long.

It sleeps while there is nothing to look after, and then looks every `TICK_S`: a call that starts and ends costs it, and
the caller, nothing but a flag.
"""

import threading
import time
from collections.abc import Callable

TICK_S = 0.05

# Looks after its own things at this monotonic time; says whether there is anything left to look after.
Check = Callable[[float], bool]


class Watchdog:
    """Calls checks regularly while any of them has something to look after."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._awake = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaincode-watchdog", daemon=True)
        self._thread.start()

    def add(self, check: Check) -> None:
        """Look after something more."""
        self._checks.append(check)

    def wake(self) -> None:
        """There is something to look after."""
        if not self._awake.is_set():
            self._awake.set()

    def close(self) -> None:
        """Stop looking. A second call does nothing."""
        self._closed.set()
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._awake.wait()
            if self._closed.is_set():
                return
            # Cleared first: whoever begins during the checks wakes us again.
            self._awake.clear()
            now = time.monotonic()
            busy = [check(now) for check in tuple(self._checks)]
            if any(busy):
                self._awake.set()
            self._closed.wait(TICK_S)
