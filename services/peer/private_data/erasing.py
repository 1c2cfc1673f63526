"""When private data leaves the files: soon after it is purged, also on a channel on which nothing happens."""

import asyncio
from typing import Final

from services.peer.private_data.store import PrivateStore
from services.runtime.metrics import Counter

REST_S: Final = 1.0  # between two erasures: each writes tables anew


class Eraser:
    """Of one channel. On the event loop only."""

    def __init__(self, store: PrivateStore, erasures: Counter, expired_every_s: float) -> None:
        """`erasures` counts those after which nothing purged is left; what nobody has purged can wait for more."""
        self._store = store
        self._expired_every_s = expired_every_s
        self._erasures = erasures
        self._awake = asyncio.Event()
        self._awake.set()  # an earlier process may have left something

    def wake(self) -> None:
        """A block is stored. Unless something waits to be purged, it must not put off what has expired."""
        if self._store.waiting_purges:
            self._awake.set()

    async def run(self) -> None:
        """Erase for ever. Raises StorageError."""
        expired_too = False
        while True:
            try:
                async with asyncio.timeout(self._expired_every_s):
                    await self._awake.wait()
            except TimeoutError:
                expired_too = True
            self._awake.clear()
            if await self._erase(expired_too):
                expired_too = False
            else:
                self._awake.set()
            await asyncio.sleep(REST_S)

    async def _erase(self, expired_too: bool) -> bool:
        purges = self._store.waiting_purges
        if not expired_too and not purges:
            return True
        done = await asyncio.to_thread(self._store.erase, expired_too)
        if done and purges:
            self._erasures.inc()
        return done
