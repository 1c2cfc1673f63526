"""Room on a disk: below a watermark a node takes no new work, so that the disk is not full in the middle of some.

A disk that is full all the same is a fault, and ends the process; the next start goes on where there is room.
"""

import asyncio
import logging
from pathlib import Path

from services.runtime.disk import Disk, StorageError
from services.runtime.metrics import Registry

WATERMARK_BYTES = 256 * 1024 * 1024
LOOK_SECONDS = 1.0
MIB = 1024 * 1024

_log = logging.getLogger(__name__)


class DiskSpace:
    """What is left for one folder. `shortage` may be read by any thread, the rest belongs to the event loop."""

    def __init__(self, disk: Disk, folder: Path, registry: Registry, watermark_bytes: int = WATERMARK_BYTES) -> None:
        """With a watermark of 0 there is always room."""
        self._disk = disk
        self._folder = folder
        self._watermark = watermark_bytes
        self._free = registry.gauge(
            "privysharing_disk_free_bytes", "Bytes that may still be written to the disk of this node's data."
        ).of()
        registry.gauge(
            "privysharing_disk_watermark_bytes", "Bytes left on the disk below which this node takes no new work."
        ).of().set(watermark_bytes)
        self._room = asyncio.Event()
        self.shortage: str | None = None  # which folder has how little; None: there is room
        self.look()

    def look(self) -> None:
        """See how much is left. A disk that does not say so is taken for full."""
        was, self.shortage = self.shortage, self._shortage()
        if self.shortage is not None:
            self._room.clear()
            if was is None:
                _log.error("disk is nearly full", extra={"reason": self.shortage})
            return
        self._room.set()
        if was is not None:
            _log.info("there is room on the disk again", extra={"folder": str(self._folder)})

    def _shortage(self) -> str | None:
        try:
            free = self._disk.free(self._folder)
        except StorageError as fault:
            return f"{fault}: no new work is taken until there is an answer"
        self._free.set(free)
        if free >= self._watermark:
            return None
        return (
            f"{self._folder} has {free // MIB} MiB left on its disk, needed {self._watermark // MIB} MiB: "
            "no new work is taken until there is room"
        )

    def illness(self) -> str | None:
        """For a health check."""
        return self.shortage

    async def room(self) -> None:
        """Return when there is room."""
        await self._room.wait()

    async def watch(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()
