"""Wakes whoever waits for a channel to grow: event streams and the block feed."""

import asyncio


class ChannelStopped(Exception):
    """The channel commits nothing more: this process is ending, or the chain cannot be trusted."""


class CommitNotifier:
    """The height of one channel, told to coroutines. Belongs to the event loop's thread."""

    def __init__(self, height: int) -> None:
        self.height = height
        self._grown = asyncio.Event()
        self._stopped: ChannelStopped | None = None

    def committed(self, block_num: int) -> None:
        """A block is durable and its effects can be read."""
        self.height = block_num + 1
        self._wake()

    def stop(self, reason: str) -> None:
        """Nothing more will come: everybody who waits, or begins to, gets ChannelStopped."""
        self._stopped = ChannelStopped(reason)
        self._wake()

    async def above(self, number: int) -> int:
        """Return the height as soon as block `number` is there. Raises ChannelStopped."""
        while self.height <= number:
            if self._stopped is not None:
                raise self._stopped
            await self._grown.wait()
        return self.height

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
