"""Blocks are a function of the log: what each record leads to, and what a block remembers of its place."""

from dataclasses import replace

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
    parse_envelope,
    split_payload,
)
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.ordering import START, Connect, LogPosition, RecordClass, Regular, TimeToCut
from services.orderer.sealing import config_envelope
from services.orderer.sequencer import Cut, Effect, Reconfigure, Resubmit, Sequencer, Skip, SkipReason
from tests.support.ordering import NOW_NS, SIGNER, STRANGERS, batch_update, envelope, genesis

LIMITS = BatchSize(max_message_count=3, absolute_max_bytes=100_000, preferred_max_bytes=5_000)
CONFIG = ChannelConfig.from_block(genesis(batch=LIMITS))


class Feed:
    """A sequencer that is fed one record after the other."""

    def __init__(self, config: ChannelConfig = CONFIG, next_block: int = 1, position: LogPosition = START) -> None:
        self.sequencer = Sequencer(config, next_block, position)
        self.offset = position.last_offset

    def take(self, record: Regular | TimeToCut | Connect | bytes) -> list[Effect]:
        self.offset += 1
        return self.sequencer.take(self.offset, record if isinstance(record, bytes) else encode_record(record))

    def cut(self, record: Regular | TimeToCut) -> Cut:
        (effect,) = self.take(record)
        assert isinstance(effect, Cut)
        return effect

    def skip(self, record: Regular | TimeToCut | bytes) -> SkipReason:
        (effect,) = self.take(record)
        assert isinstance(effect, Skip), effect
        return effect.reason


def normal(raw: bytes | None = None, sequence: int = 0, original: int = 0) -> Regular:
    return Regular(raw or envelope(), sequence, RecordClass.NORMAL, original)


def configuration(current: ChannelConfig, limits: BatchSize, sequence: int | None = None, original: int = 0) -> Regular:
    derived = derive(current, batch_update(current, limits))
    raw = config_envelope(current.channel_id, derived, signer=SIGNER, now_ns=NOW_NS, nonce=b"n" * 24)
    return Regular(raw, current.sequence if sequence is None else sequence, RecordClass.CONFIG, original)


def reconfigured() -> Feed:
    """A sequencer whose channel has moved on to configuration 1; the last record was that configuration."""
    feed = Feed()
    feed.take(Connect())
    effects = feed.take(configuration(CONFIG, BatchSize(2, 100_000, 5_000)))
    assert [type(effect) for effect in effects] == [Cut]
    return feed


def test_a_connect_means_nothing() -> None:
    assert Feed().take(Connect()) == []


def test_a_block_that_is_full_ends_with_the_record_that_filled_it() -> None:
    feed = Feed()
    feed.take(Connect())
    first, second, third = normal(), normal(), normal()
    assert feed.take(first) == []
    assert feed.take(second) == []
    assert feed.sequencer.pending == 2
    assert feed.cut(third) == Cut((first.envelope, second.envelope, third.envelope), LogPosition(3))
    assert feed.sequencer.next_block == 2


def test_a_block_that_does_not_hold_the_newest_record_ends_before_it() -> None:
    feed = Feed()
    feed.take(Connect())
    first, second = normal(envelope(b"x" * 3000)), normal(envelope(b"y" * 3000))
    feed.take(first)
    assert feed.cut(second) == Cut((first.envelope,), LogPosition(1))
    assert feed.sequencer.pending == 1
    assert feed.cut(TimeToCut(2)) == Cut((second.envelope,), LogPosition(3))


def test_two_blocks_of_one_record_end_before_and_with_it() -> None:
    feed = Feed()
    feed.take(Connect())
    small, large = normal(), normal(envelope(b"x" * 6000))
    feed.take(small)
    assert feed.take(large) == [Cut((small.envelope,), LogPosition(1)), Cut((large.envelope,), LogPosition(2))]


def test_only_the_first_time_to_cut_of_the_next_block_cuts() -> None:
    feed = Feed()
    feed.take(Connect())
    feed.take(normal())
    assert feed.skip(TimeToCut(2)) is SkipReason.EARLY_TIME_TO_CUT
    assert feed.cut(TimeToCut(1)).position == LogPosition(3)
    feed.take(normal())
    assert feed.skip(TimeToCut(1)) is SkipReason.STALE_TIME_TO_CUT
    assert feed.sequencer.pending == 1


def test_there_is_no_empty_block() -> None:
    assert Feed().skip(TimeToCut(1)) is SkipReason.NOTHING_TO_CUT


def test_records_that_make_no_sense_are_skipped_and_the_channel_goes_on() -> None:
    feed = Feed()
    feed.take(Connect())
    assert feed.skip(b"\xff") is SkipReason.NOT_A_RECORD
    assert feed.skip(b"") is SkipReason.NOT_A_RECORD
    assert feed.skip(Regular(envelope(), 0, RecordClass.UNKNOWN)) is SkipReason.UNSUPPORTED
    assert feed.skip(normal(b"\xff")) is SkipReason.MALFORMED
    assert feed.skip(normal(envelope(signature=b""))) is SkipReason.MALFORMED
    assert feed.skip(normal(envelope(channel_id="police"))) is SkipReason.MALFORMED
    assert feed.skip(normal(envelope(kind=HeaderType.CONFIG))) is SkipReason.MALFORMED
    assert feed.skip(Regular(envelope(), 0, RecordClass.CONFIG)) is SkipReason.MALFORMED
    assert feed.skip(Regular(envelope(kind=HeaderType.CONFIG), 0, RecordClass.CONFIG)) is SkipReason.BAD_CONFIG
    assert feed.skip(normal(sequence=1)) is SkipReason.FUTURE
    assert feed.skip(normal(envelope(b"x" * CONFIG.orderer.batch_size.absolute_max_bytes))) is SkipReason.OVERSIZE
    assert feed.skip(normal(original=2**40)) is SkipReason.NOT_RESUBMITTED
    assert feed.take(normal()) == []
    assert len(feed.cut(TimeToCut(1)).envelopes) == 1


def test_what_goes_into_a_block_is_the_canonical_form() -> None:
    feed = Feed()
    plain = envelope()
    feed.take(normal(b"\x1a\x01x" + plain))
    assert feed.cut(TimeToCut(1)).envelopes == (plain + b"\x1a\x01x",)


def test_a_configuration_is_alone_in_its_block_behind_what_waits_and_in_force_at_once() -> None:
    feed = Feed()
    feed.take(Connect())
    waiting, record = normal(), configuration(CONFIG, BatchSize(1, 100_000, 5_000))
    feed.take(waiting)
    before, alone = feed.take(record)
    assert before == Cut((waiting.envelope,), LogPosition(1))
    assert isinstance(alone, Cut)
    assert (alone.envelopes, alone.position) == ((record.envelope,), LogPosition(2))
    assert alone.config is feed.sequencer.config
    assert alone.config.sequence == 1
    assert len(feed.cut(normal(sequence=1)).envelopes) == 1  # one message a batch from now on


def test_a_configuration_that_does_not_apply_is_skipped() -> None:
    feed = reconfigured()
    stale = configuration(CONFIG, BatchSize(5, 100_000, 5_000), sequence=1)
    assert feed.skip(stale) is SkipReason.BAD_CONFIG
    assert feed.sequencer.config.sequence == 1


def test_a_configuration_whose_envelope_no_peer_would_take_is_skipped() -> None:
    """Orderers would go on under it, and peers without it, until the next one stops the channel."""
    honest = configuration(CONFIG, BatchSize(1, 100_000, 5_000))
    signed = parse_envelope(honest.envelope)
    derived = split_payload(signed.payload)
    assert derived is not None
    signature_header = encode_signature_header(SignatureHeader(SIGNER.serialized, b"n" * 24))
    header = ChannelHeader(HeaderType.CONFIG, CONFIG.channel_id, TxId(""), timestamp_ns=NOW_NS, epoch=1)
    of_another_epoch = encode_payload(encode_channel_header(header), signature_header, derived[2])
    feed = Feed()
    for payload, signature in (
        (signed.payload, b"no signature"),
        (signed.payload, STRANGERS.admin.sign(signed.payload)),
        (of_another_epoch, SIGNER.sign(of_another_epoch)),
    ):
        forged = replace(honest, envelope=encode_envelope(payload, signature))
        assert feed.skip(forged) is SkipReason.BAD_CONFIG
    assert feed.sequencer.config.sequence == 0
    assert feed.cut(honest).config is not None


def test_a_message_from_before_a_configuration_is_submitted_again() -> None:
    feed = reconfigured()
    record = normal()
    assert feed.take(record) == [Resubmit(Regular(record.envelope, 1, RecordClass.NORMAL, feed.offset))]
    assert feed.sequencer.pending == 0


def test_a_message_that_a_configuration_has_made_invalid_is_dropped() -> None:
    feed = reconfigured()
    assert feed.skip(normal(envelope(who=STRANGERS.client))) is SkipReason.NO_LONGER_VALID


def test_a_resubmitted_message_counts_once_however_many_orderers_resubmit_it() -> None:
    feed = reconfigured()
    stale = normal()
    feed.take(stale)
    again = normal(stale.envelope, sequence=1, original=feed.offset)
    assert feed.take(again) == []
    assert feed.skip(again) is SkipReason.REPEATED  # while the first is still pending
    cut = feed.cut(TimeToCut(2))
    assert cut.envelopes == (stale.envelope,)
    assert cut.position.last_original_offset == again.original_offset
    assert feed.skip(again) is SkipReason.REPEATED


def test_a_block_that_leaves_a_resubmitted_message_pending_does_not_count_it() -> None:
    feed = reconfigured()
    large = normal(envelope(b"x" * 3000), sequence=1)
    feed.take(large)
    again = normal(envelope(b"y" * 3000), sequence=1, original=1)
    assert feed.cut(again).position == LogPosition(feed.offset - 1, last_original_offset=0)
    assert feed.skip(again) is SkipReason.REPEATED
    assert feed.cut(TimeToCut(3)).position.last_original_offset == 1


def test_a_configuration_from_before_another_is_derived_again_and_holds_up_new_messages() -> None:
    feed = reconfigured()
    limits = BatchSize(9, 100_000, 5_000)
    update = batch_update(feed.sequencer.config, limits)
    early = config_envelope(
        CONFIG.channel_id, derive(feed.sequencer.config, update), signer=SIGNER, now_ns=NOW_NS, nonce=b"n" * 24
    )
    (effect,) = feed.take(Regular(early, 0, RecordClass.CONFIG))
    assert effect == Reconfigure(update, feed.offset)
    assert feed.sequencer.awaits_config
    original = feed.offset
    (cut,) = feed.take(Regular(early, 1, RecordClass.CONFIG, original))
    assert isinstance(cut, Cut)
    assert cut.position == LogPosition(feed.offset, original, original)
    assert not feed.sequencer.awaits_config
    assert feed.sequencer.config.orderer.batch_size == limits


def test_a_configuration_that_no_longer_applies_is_dropped_and_holds_up_nothing() -> None:
    feed = reconfigured()
    assert feed.skip(configuration(CONFIG, BatchSize(5, 100_000, 5_000))) is SkipReason.NO_LONGER_VALID
    assert not feed.sequencer.awaits_config
    refused = configuration(CONFIG, BatchSize(5, 100_000, 5_000), sequence=1, original=2)
    assert feed.skip(refused) is SkipReason.BAD_CONFIG
    assert not feed.sequencer.awaits_config


def test_a_sequencer_that_starts_behind_a_block_makes_the_same_blocks() -> None:
    first, second = [normal() for _ in range(2)], [normal() for _ in range(4)]
    records: list[Regular | TimeToCut | Connect] = [Connect(), *first, TimeToCut(1), *second, TimeToCut(3)]
    whole = Feed()
    cuts = [effect for record in records for effect in whole.take(record) if isinstance(effect, Cut)]
    assert len(cuts) == 3
    for made, last in enumerate(cuts[:-1], 1):
        resumed = Feed(next_block=made + 1, position=last.position)
        again = [resumed.take(record) for record in records[last.position.last_offset + 1 :]]
        assert [effect for effects in again for effect in effects if isinstance(effect, Cut)] == cuts[made:]
