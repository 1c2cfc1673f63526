"""Broadcast: envelopes in, answers out in the same order.

A stream is read ahead, so that many envelopes share one sync of the log. The first answer that is not SUCCESS ends the
stream: an envelope is looked at only when those before it were taken, so nothing behind a refused one is ordered.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from privysharing.protocol.codes import Status
from services.orderer.intake import Answer, Intake, Progress
from services.orderer.log import LogUnavailable
from services.runtime.disk import StorageError

READ_AHEAD_MAX = 256  # envelopes of one stream that wait for their answer


class Broadcast:
    """Takes streams of envelopes."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def serve(self, envelopes: AsyncIterator[bytes]) -> AsyncGenerator[Answer, None]:
        """The answers to one stream of envelopes."""
        ahead: asyncio.Queue[Progress | None] = asyncio.Queue(READ_AHEAD_MAX)
        reader = asyncio.create_task(self._read(envelopes, ahead))
        try:
            while (progress := await ahead.get()) is not None:
                if progress.durable is not None:
                    with contextlib.suppress(StorageError, LogUnavailable):  # the answer says so
                        await progress.durable
                (answer,) = self._intake.conclude([progress])
                yield answer
                if answer.status is not Status.SUCCESS:
                    return
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, envelopes: AsyncIterator[bytes], ahead: asyncio.Queue[Progress | None]) -> None:
        try:
            async for raw in envelopes:
                (progress,) = self._intake.judge([raw], self._intake.clock())
                if progress.chain is not None and progress.refusal is None:
                    await progress.chain.room()
                    self._intake.order(progress)
                await ahead.put(progress)
                if progress.refusal is not None:
                    break
        except Exception:
            await ahead.put(None)
            raise
        await ahead.put(None)
