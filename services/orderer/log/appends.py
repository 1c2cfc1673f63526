"""Records that were appended to a log and are not durable yet: one line, and one writer that takes whatever waits."""

import asyncio
from collections.abc import Sequence

QUEUED_BYTES_MAX = 64 * 1024 * 1024  # waiting: beyond it, `room` waits

Batch = Sequence[tuple[bytes, asyncio.Future[int]]]
"""Records, each with the future that gets its offset, or what became of it."""


class Appends:
    """See the module. On the event loop only."""

    def __init__(self) -> None:
        self._waiting: list[tuple[bytes, asyncio.Future[int]]] = []
        self._bytes = 0
        self._writing = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    def put(self, record: bytes) -> asyncio.Future[int]:
        """Stand behind all those put before."""
        durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, durable))
        self._bytes += len(record)
        if self._bytes > QUEUED_BYTES_MAX:
            self._room.clear()
        self._changed.set()
        return durable

    @property
    def none(self) -> bool:
        """Whether everything is written, or refused."""
        return not self._waiting and not self._writing

    async def some(self) -> bool:
        """Return when a record waits; False when the line is closed and none does.

        What is put in the same turn of the loop comes along: an envelope and the TimeToCut behind it are one batch.
        """
        while not self._waiting:
            if self._closed:
                return False
            self._changed.clear()
            await self._changed.wait()
        await asyncio.sleep(0)
        return True

    def take(self) -> Batch:
        """Everything that waits; it is being written until `written`."""
        batch, self._waiting, self._bytes = self._waiting, [], 0
        self._writing = True
        return batch

    def written(self) -> None:
        """What was taken is durable, or was refused."""
        self._writing = False
        self._room.set()

    async def room(self) -> None:
        """Return when more can be put without piling up memory."""
        await self._room.wait()

    @property
    def has_room(self) -> bool:
        """Whether `room` would return at once."""
        return self._room.is_set()

    def close(self) -> None:
        """Nothing more will be put."""
        self._closed = True
        self._changed.set()
        self._room.set()


def refuse(batch: Batch, why: Exception) -> None:
    """Tell everybody who waits for these; nobody has to listen."""
    for _, durable in batch:
        if not durable.done():
            durable.set_exception(why)
            durable.exception()
