"""Broadcast: envelopes in, answers out in the same order.

A stream is read ahead, so that many envelopes share one sync of the log. The first answer that is not SUCCESS ends the
stream: an envelope is looked at only when those before it were taken, so nothing behind a refused one is ordered.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codes import HeaderType, Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.ordering import RecordClass, Regular
from services.orderer.admission import (
    Clock,
    Message,
    Refusal,
    classify,
    judge_change,
    judge_config,
    judge_normal,
    read_message,
)
from services.orderer.chain import Chain, ChainHalted
from services.orderer.channels import Channels
from services.orderer.log import LogClosed
from services.orderer.metrics import OrdererMetrics
from services.orderer.sealing import NONCE_BYTES, config_envelope
from services.runtime.disk import StorageError

READ_AHEAD_MAX = 256  # envelopes of one stream that wait for their answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """orderer.BroadcastResponse."""

    status: Status
    info: str = ""


SUCCESS = Answer(Status.SUCCESS)


@dataclass(slots=True)
class _Progress:
    """One envelope on its way, and what the metrics say about it."""

    channel: str = "unknown"  # not whatever a stranger writes: every value makes a series
    type: str = "unknown"
    started: float = 0.0
    judged: float = 0.0
    durable: asyncio.Future[int] | None = None
    refusal: Refusal | None = None


class Broadcast:
    """Takes envelopes for all channels."""

    def __init__(
        self, channels: Channels, signer: SigningIdentity, clock: Callable[[], Clock], metrics: OrdererMetrics
    ) -> None:
        self._channels = channels
        self._signer = signer
        self._clock = clock
        self._metrics = metrics

    async def serve(self, envelopes: AsyncIterator[bytes]) -> AsyncGenerator[Answer, None]:
        """The answers to one stream of envelopes."""
        ahead: asyncio.Queue[_Progress | None] = asyncio.Queue(READ_AHEAD_MAX)
        reader = asyncio.create_task(self._read(envelopes, ahead))
        try:
            while (progress := await ahead.get()) is not None:
                answer = await self._answer(progress)
                yield answer
                if answer.status is not Status.SUCCESS:
                    return
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, envelopes: AsyncIterator[bytes], ahead: asyncio.Queue[_Progress | None]) -> None:
        try:
            async for raw in envelopes:
                progress = await self._order(raw)
                await ahead.put(progress)
                if progress.refusal is not None:
                    break
        except Exception:
            await ahead.put(None)
            raise
        await ahead.put(None)

    async def _order(self, raw: bytes) -> _Progress:
        """Judge an envelope, and give it its place in the log or a refusal."""
        progress = _Progress(started=time.perf_counter())
        outcome = self._judge(raw, progress)
        progress.judged = time.perf_counter()
        if isinstance(outcome, Refusal):
            progress.refusal = outcome
            return progress
        chain, record = outcome
        await chain.room()
        try:
            progress.durable = chain.order(record)
        except (ChainHalted, LogClosed) as error:
            progress.refusal = Refusal(Status.SERVICE_UNAVAILABLE, str(error))
        return progress

    def _judge(self, raw: bytes, progress: _Progress) -> tuple[Chain, Regular] | Refusal:
        message = read_message(raw)
        if isinstance(message, Refusal):
            return message
        if message.type in HeaderType._value2member_map_:
            progress.type = HeaderType(message.type).name
        chain = self._channels.get(message.channel_id)
        if chain is None:
            return Refusal(Status.BAD_REQUEST, "channel does not exist")
        progress.channel = chain.channel_id
        refusal = classify(message)
        if refusal is not None:
            return refusal
        if message.type == HeaderType.CONFIG_UPDATE:
            record = self._configuration(message, chain.config)
            return record if isinstance(record, Refusal) else (chain, record)
        refusal = judge_normal(message, chain.config, self._clock())
        if refusal is not None:
            return refusal
        return chain, Regular(message.canonical, chain.config.sequence, RecordClass.NORMAL)

    def _configuration(self, message: Message, config: ChannelConfig) -> Regular | Refusal:
        """The configuration that an update leads to, signed by us (standardchannel ProcessConfigUpdateMsg)."""
        step = "config update for existing channel did not pass"
        refusal = judge_config(message, config, self._clock())
        if refusal is not None:
            return refusal.within(f"{step} initial checks")
        try:
            derived = derive(config, message.canonical)
            following = ChannelConfig.from_config(config.channel_id, parse_config_envelope(derived).config)
        except ProtocolError as error:
            info = f"error applying config update to existing channel '{config.channel_id}': {error}"
            return Refusal(Status.BAD_REQUEST, info)
        clock = self._clock()
        envelope = config_envelope(
            config.channel_id, derived, signer=self._signer, now_ns=clock.now_ns, nonce=os.urandom(NONCE_BYTES)
        )
        made = read_message(envelope)
        assert isinstance(made, Message)
        refusal = judge_config(made, config, clock)
        if refusal is not None:
            return refusal.within(f"{step} final checks")
        refusal = judge_change(config, following)
        if refusal is not None:
            return refusal.within(f"{step} maintenance checks")
        return Regular(envelope, config.sequence, RecordClass.CONFIG)

    async def _answer(self, progress: _Progress) -> Answer:
        answer = SUCCESS
        if progress.durable is not None:
            try:
                await progress.durable
            except StorageError as error:
                progress.refusal = Refusal(Status.SERVICE_UNAVAILABLE, "cannot enqueue")
                _log.error("an envelope could not be stored", extra={"channel": progress.channel, "why": str(error)})
        if progress.refusal is not None:
            answer = Answer(progress.refusal.status, progress.refusal.info)
            _log.warning(
                "broadcast refused",
                extra={"channel": progress.channel, "status": answer.status.name, "why": answer.info},
            )
        labels = (progress.channel, progress.type, answer.status.name)
        self._metrics.validate_duration.of(*labels).observe(progress.judged - progress.started)
        if progress.durable is not None:
            self._metrics.enqueue_duration.of(*labels).observe(time.perf_counter() - progress.judged)
        self._metrics.processed.of(*labels).inc()
        return answer
