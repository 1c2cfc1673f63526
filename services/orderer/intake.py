"""One envelope's way into the log, whichever service took it: judged, given a place, answered, counted."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codes import HeaderType, Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import NONCE_BYTES
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.ordering import RecordClass, Regular
from services.orderer.admission import (
    Claim,
    Clock,
    Message,
    Refusal,
    classify,
    judge_change,
    judge_config,
    judge_normal_claim,
    read_message,
    read_normal,
)
from services.orderer.chain import Chain, ChainHalted
from services.orderer.channels import Channels
from services.orderer.log import LogClosed, LogUnavailable
from services.orderer.metrics import OrdererMetrics
from services.orderer.sealing import config_envelope
from services.runtime.disk import StorageError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """orderer.BroadcastResponse."""

    status: Status
    info: str = ""


SUCCESS = Answer(Status.SUCCESS)

UNKNOWN = "unknown"
_TYPES = {int(kind): kind.name for kind in HeaderType}


@dataclass(slots=True)
class Progress:
    """One envelope on its way, and what the metrics say about it."""

    type: str = UNKNOWN  # not whatever a stranger writes: every value makes a series
    chain: Chain | None = None
    record: Regular | None = None  # what goes into the log, unless it is refused
    size: int | None = None  # see `Chain.order`
    validating: float = 0.0  # seconds that this took, or its share of what many took together
    judged: float = 0.0
    durable: asyncio.Future[int] | None = None  # its place
    refusal: Refusal | None = None


class Intake:
    """Takes envelopes for all channels, in three steps: `judge`, `order` when the chain has room, `conclude`."""

    def __init__(
        self,
        channels: Channels,
        signer: SigningIdentity,
        clock: Callable[[], Clock],
        metrics: OrdererMetrics,
        random_bytes: Callable[[int], bytes] = os.urandom,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        """`has_room`: whether the disk can take more than what is under way."""
        self._channels = channels
        self._signer = signer
        self.clock = clock
        self._metrics = metrics
        self._random_bytes = random_bytes
        self._has_room = has_room

    def judge(self, raws: Sequence[bytes], clock: Clock) -> list[Progress]:
        """Whether envelopes may be ordered, and as what. `clock`: what `clock` gave when they came.

        Many take less time stage by stage than one after the other: a processor has at hand what it has just done.
        """
        began = time.perf_counter()
        many = [Progress() for _ in raws]
        read = [self._read(raw, progress, clock) for raw, progress in zip(raws, many, strict=True)]
        hold = [isinstance(each, Claim) and each.holds() for each in read]
        for progress, each, holds in zip(many, read, hold, strict=True):
            outcome = self._judged(progress, each, holds, clock) if isinstance(each, Claim) else each
            if isinstance(outcome, Refusal):
                progress.refusal = outcome
            else:
                progress.record = outcome
        ended = time.perf_counter()
        for progress in many:
            progress.validating, progress.judged = (ended - began) / len(many), ended
        return many

    def order(self, progress: Progress) -> None:
        """Give an envelope that was not refused its place in the log, or a refusal."""
        assert progress.chain is not None
        assert progress.record is not None
        try:
            progress.durable = progress.chain.order(progress.record, progress.size)
            progress.record = None  # the log has it: who does not take his answers does not keep it in memory
        except (ChainHalted, LogClosed, LogUnavailable) as error:
            progress.refusal = Refusal(Status.SERVICE_UNAVAILABLE, str(error))
        except StorageError as fault:  # which halts the chain
            progress.refusal = Refusal(Status.SERVICE_UNAVAILABLE, "cannot enqueue")
            _log.error(
                "an envelope could not be stored", extra={"channel": progress.chain.channel_id, "why": str(fault)}
            )

    def conclude(self, many: Sequence[Progress]) -> list[Answer]:
        """The answers, once each envelope is durable or refused. They mostly say the same, and are counted together."""
        now = time.perf_counter()
        answers: list[Answer] = []
        alike: dict[tuple[str, str, str], list[Progress]] = {}
        for progress in many:
            channel = progress.chain.channel_id if progress.chain is not None else UNKNOWN
            answer = self._answer(progress, channel)
            answers.append(answer)
            alike.setdefault((channel, progress.type, answer.status.name), []).append(progress)
        metrics = self._metrics
        for labels, these in alike.items():
            metrics.validate_duration.of(*labels).observe_all([each.validating for each in these])
            if enqueued := [now - each.judged for each in these if each.durable is not None]:
                metrics.enqueue_duration.of(*labels).observe_all(enqueued)
            metrics.processed.of(*labels).inc(len(these))
        return answers

    def _answer(self, progress: Progress, channel: str) -> Answer:
        if progress.durable is not None and (fault := progress.durable.exception()) is not None:
            progress.refusal = Refusal(Status.SERVICE_UNAVAILABLE, "cannot enqueue")
            _log.error("an envelope could not be stored", extra={"channel": channel, "why": str(fault)})
        if progress.refusal is None:
            return SUCCESS
        answer = Answer(progress.refusal.status, progress.refusal.info)
        _log.warning(
            "broadcast refused",
            extra={"channel": channel, "status": answer.status.name, "why": answer.info},
        )
        return answer

    def _read(self, raw: bytes, progress: Progress, clock: Clock) -> Claim | Regular | Refusal:
        """Of a normal message everything up to the signature; any other one is judged right away."""
        message = read_message(raw)
        if isinstance(message, Refusal):
            return message
        progress.type = _TYPES.get(message.type, UNKNOWN)
        chain = self._channels.get(message.channel_id)
        if chain is None:
            return Refusal(Status.BAD_REQUEST, "channel does not exist")
        progress.chain = chain
        if (closed := chain.refusal) is not None:
            return Refusal(Status.SERVICE_UNAVAILABLE, closed)
        if not self._has_room():
            return Refusal(Status.SERVICE_UNAVAILABLE, "this orderer is short of disk space; try again later")
        refusal = classify(message)
        if refusal is not None:
            return refusal
        if message.type == HeaderType.CONFIG_UPDATE:
            return self._configuration(message, chain.config, clock)
        return read_normal(message, chain.config, clock)

    def _judged(self, progress: Progress, claim: Claim, holds: bool, clock: Clock) -> Regular | Refusal:
        assert progress.chain is not None
        message, config = claim.message, progress.chain.config
        refusal = judge_normal_claim(claim, holds, config, clock)
        if refusal is not None:
            return refusal
        if message.signature:
            progress.size = message.size
        return Regular(message.canonical, config.sequence, RecordClass.NORMAL)

    def _configuration(self, message: Message, config: ChannelConfig, clock: Clock) -> Regular | Refusal:
        """The configuration that an update leads to, signed by us (standardchannel ProcessConfigUpdateMsg)."""
        step = "config update for existing channel did not pass"
        refusal = judge_config(message, config, clock)
        if refusal is not None:
            return refusal.within(f"{step} initial checks")
        try:
            derived = derive(config, message.canonical)
            following = ChannelConfig.from_config(config.channel_id, parse_config_envelope(derived).config)
        except ProtocolError as error:
            info = f"error applying config update to existing channel '{config.channel_id}': {error}"
            return Refusal(Status.BAD_REQUEST, info)
        envelope = config_envelope(
            config.channel_id,
            derived,
            signer=self._signer,
            now_ns=clock.now_ns,
            nonce=self._random_bytes(NONCE_BYTES),
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
