"""From the records of the log to the batches of the blocks. Pure: the same records make the same blocks everywhere.

What Fabric's Kafka orderer does between consuming a record and writing a block (consensus/kafka processRegular,
processTimeToCut), with four differences, the same in every orderer: a record that makes no sense is skipped and
counted instead of stopping the chain; so is a configuration in an envelope that peers do not take; a record that is
examined again is judged without a clock; and the original offset of a resubmitted record counts as dealt with even when
its record stays pending, or is found invalid.
"""

from dataclasses import dataclass
from enum import StrEnum

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import derive, validate
from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codec.ordering import parse_record
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.ordering import LogPosition, RecordClass, Regular, TimeToCut
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.signers import formal_verdict, verify_signatures
from services.orderer.admission import Message, Refusal, judge_config, judge_normal, read_message
from services.orderer.admitted import Admitted
from services.orderer.cutter import BlockCutter


class SkipReason(StrEnum):
    """Why a record came to nothing: a label in the metrics."""

    NOT_A_RECORD = "not a record"
    UNSUPPORTED = "unsupported class"
    MALFORMED = "malformed envelope"
    OVERSIZE = "larger than the channel takes"
    NOT_RESUBMITTED = "resubmitted from behind itself"
    FUTURE = "admitted under a later configuration"
    REPEATED = "resubmitted before"
    NO_LONGER_VALID = "no longer valid"
    BAD_CONFIG = "configuration does not apply"
    STALE_TIME_TO_CUT = "stale time to cut"
    EARLY_TIME_TO_CUT = "time to cut a later block"
    NOTHING_TO_CUT = "nothing to cut"


@dataclass(frozen=True, slots=True)
class Cut:
    """Make a block of these envelopes. `config`: the configuration that it puts in force, if it is its only content."""

    envelopes: tuple[bytes, ...]
    position: LogPosition
    config: ChannelConfig | None = None


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Append the record again, durably, before the next one is taken: the configuration has moved on."""

    record: Regular


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """Derive a configuration once more from its update, sign it, and append it like a `Resubmit`."""

    update: bytes
    original_offset: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The record came to nothing."""

    reason: SkipReason
    detail: str = ""


Effect = Cut | Resubmit | Reconfigure | Skip


class Sequencer:
    """Takes the records of one channel, one after the other; tells what each leads to."""

    def __init__(self, config: ChannelConfig, next_block: int, position: LogPosition) -> None:
        self.config = config
        self.next_block = next_block
        self.admitted = Admitted()
        self._cutter = BlockCutter()
        self._original = position.last_original_offset
        self._resubmitted_config = position.last_resubmitted_config

    @property
    def pending(self) -> int:
        """How many envelopes wait for their block."""
        return self._cutter.pending

    @property
    def awaits_config(self) -> bool:
        """Whether a configuration is on its way again: until it is there, nothing new should be submitted."""
        return self._resubmitted_config > self._original

    def take(self, offset: int, raw: bytes) -> list[Effect]:
        """What the record at this offset leads to, in order."""
        known = self.admitted.take(raw)
        if known is not None and known.record.config_sequence == self.config.sequence:
            return self._normal(offset, known.record, known.record.envelope, known.size)
        try:
            record = parse_record(raw)
        except MalformedMessage as error:
            return [Skip(SkipReason.NOT_A_RECORD, str(error))]
        if isinstance(record, TimeToCut):
            return [self._time_to_cut(offset, record.block_number)]
        return self._regular(offset, record) if isinstance(record, Regular) else []

    def _time_to_cut(self, offset: int, number: int) -> Effect:
        if number < self.next_block:
            return Skip(SkipReason.STALE_TIME_TO_CUT)  # several orderers post one, all but the first are late
        if number > self.next_block:
            return Skip(SkipReason.EARLY_TIME_TO_CUT)
        batch = self._cutter.cut()
        return self._cut(batch, offset) if batch else Skip(SkipReason.NOTHING_TO_CUT)

    def _regular(self, offset: int, record: Regular) -> list[Effect]:
        if record.kind is RecordClass.UNKNOWN:
            return [Skip(SkipReason.UNSUPPORTED)]
        if record.original_offset >= max(offset, 1):
            return [Skip(SkipReason.NOT_RESUBMITTED)]  # or it would count as dealt with what is still to come
        if record.original_offset and record.original_offset <= self._original:
            return [Skip(SkipReason.REPEATED)]
        if record.config_sequence > self.config.sequence:
            return [Skip(SkipReason.FUTURE)]
        message = read_message(record.envelope)
        is_config = record.kind is RecordClass.CONFIG
        if isinstance(message, Refusal) or not self._belongs(message, is_config):
            return self._drop(record, SkipReason.MALFORMED, message.info if isinstance(message, Refusal) else "")
        if record.config_sequence == self.config.sequence and self._oversize(message):
            return self._drop(record, SkipReason.OVERSIZE, f"{message.size} bytes")
        if is_config:
            return self._config(offset, record, message)
        if record.config_sequence < self.config.sequence:
            return self._examine_again(offset, record, message)
        return self._normal(offset, record, message.canonical, message.size)

    def _oversize(self, message: Message) -> bool:
        """Nobody who asked an orderer can have put it here."""
        return message.size > self.config.orderer.batch_size.absolute_max_bytes

    def _belongs(self, message: Message, is_config: bool) -> bool:
        """A peer refuses whole blocks over an envelope that is unsigned, or a configuration among transactions."""
        return (
            bool(message.signature)
            and message.channel_id == self.config.channel_id
            and is_config == (message.type == HeaderType.CONFIG)
        )

    def _normal(self, offset: int, record: Regular, envelope: bytes, size: int) -> list[Effect]:
        """Into the batch. A block that does not hold this record ends before it, with what was settled before it."""
        ordered = self._cutter.ordered(envelope, size, self.config.orderer.batch_size)
        if not ordered.batches:
            self._settle(record)
            return []
        effects: list[Effect] = []
        for place, batch in enumerate(ordered.batches, 1):
            holds_this = place == len(ordered.batches) and not ordered.pending
            if holds_this:
                self._settle(record)
            effects.append(self._cut(batch, offset if holds_this else offset - 1))
        self._settle(record)
        return effects

    def _config(self, offset: int, record: Regular, message: Message) -> list[Effect]:
        """Alone into its block, after what waits."""
        self._resubmitted_config = max(self._resubmitted_config, record.original_offset)
        if record.config_sequence < self.config.sequence:
            return self._derive_again(offset, record, message)
        verdict = self._formal_verdict(message)
        if verdict is not TxCode.VALID:
            return self._drop(record, SkipReason.BAD_CONFIG, verdict.name)
        try:
            config = validate(self.config, message.data)
        except ProtocolError as error:
            return self._drop(record, SkipReason.BAD_CONFIG, str(error))
        waiting = self._cutter.cut()
        effects: list[Effect] = [self._cut(waiting, offset - 1)] if waiting else []
        self._settle(record)
        effects.append(self._cut((message.canonical,), offset, config))
        self.config = config
        return effects

    def _formal_verdict(self, message: Message) -> TxCode:
        """What peers make of the envelope itself: a configuration that they do not take must not be in force here."""
        transaction = read_transaction(message.canonical)
        signers = verify_signatures(transaction, self.config.channel_id, self.config.msps)
        return formal_verdict(transaction, signers)

    def _examine_again(self, offset: int, record: Regular, message: Message) -> list[Effect]:
        refusal = judge_normal(message, self.config)
        if refusal is not None:
            return self._drop(record, SkipReason.NO_LONGER_VALID, refusal.info)
        return [Resubmit(Regular(message.canonical, self.config.sequence, RecordClass.NORMAL, offset))]

    def _derive_again(self, offset: int, record: Regular, message: Message) -> list[Effect]:
        try:
            update = parse_config_envelope(message.data).last_update
            if update is None:
                raise MalformedMessage("config envelope has no last update")
            derive(self.config, update)
        except ProtocolError as error:
            return self._drop(record, SkipReason.NO_LONGER_VALID, str(error))
        original = read_message(update)
        refusal = original if isinstance(original, Refusal) else judge_config(original, self.config)
        if refusal is not None:
            return self._drop(record, SkipReason.NO_LONGER_VALID, refusal.info)
        self._resubmitted_config = offset
        return [Reconfigure(update, offset)]

    def _drop(self, record: Regular, reason: SkipReason, detail: str) -> list[Effect]:
        self._settle(record)
        return [Skip(reason, detail)]

    def _settle(self, record: Regular) -> None:
        self._original = max(self._original, record.original_offset)

    def _cut(self, batch: tuple[bytes, ...], offset: int, config: ChannelConfig | None = None) -> Cut:
        self.next_block += 1
        return Cut(batch, LogPosition(offset, self._original, self._resubmitted_config), config)
