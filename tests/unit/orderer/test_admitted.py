"""What admission has read is not read again, and stands for nothing but the very record that it was read from."""

from dataclasses import replace

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.envelopes import encode_envelope
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.ordering import START, RecordClass, Regular, TimeToCut
from services.orderer import sequencer as room
from services.orderer.admission import Message, read_message
from services.orderer.admitted import Admitted, Reading
from services.orderer.sequencer import Cut, Sequencer, Skip, SkipReason
from tests.support.ordering import envelope, genesis

CONFIG = ChannelConfig.from_block(genesis())


def admitted(raw: bytes) -> Reading:
    message = read_message(raw)
    assert isinstance(message, Message)
    return Reading(Regular(message.canonical, 0, RecordClass.NORMAL), message)


def sequencer_after(reading: Reading) -> Sequencer:
    """One whose orderer has admitted an envelope that is on its way."""
    sequencer = Sequencer(CONFIG, 1, START)
    sequencer.admitted.put(encode_record(reading.record), reading)
    return sequencer


def test_a_record_that_comes_back_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reading = admitted(envelope())
    sequencer = sequencer_after(reading)
    with monkeypatch.context() as unreadable:
        unreadable.delattr(room, "read_message")
        unreadable.delattr(room, "parse_record")
        assert sequencer.take(1, encode_record(reading.record)) == []
    (cut,) = sequencer.take(2, encode_record(TimeToCut(1)))
    assert isinstance(cut, Cut)
    assert cut.envelopes == (reading.record.envelope,)


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        (lambda message: encode_envelope(message.payload, b""), SkipReason.MALFORMED),
        (lambda message: message.canonical[:-1], SkipReason.MALFORMED),
        (lambda message: b"", SkipReason.MALFORMED),
    ],
)
def test_a_forged_twin_of_an_admitted_record_is_read_for_what_it_is(twin: object, reason: SkipReason) -> None:
    assert callable(twin)
    reading = admitted(envelope())
    sequencer = sequencer_after(reading)
    (skip,) = sequencer.take(1, encode_record(replace(reading.record, envelope=twin(reading.message))))
    assert isinstance(skip, Skip)
    assert skip.reason is reason
    (skip,) = sequencer.take(2, encode_record(replace(reading.record, config_sequence=1)))
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.FUTURE


@pytest.mark.parametrize(
    "raw",
    [
        envelope(),
        b"\x1a\x01x" + envelope(),  # a field that we do not know, which comes to stand behind ours
        envelope()[:1] + envelope()[1:] + b"\x0a\x00" + envelope(),  # fields twice: the last one counts
        encode_envelope(read_message(envelope()).payload, b""),  # type: ignore[union-attr]
    ],
)
def test_what_was_admitted_reads_the_same_in_the_log(raw: bytes) -> None:
    reading = admitted(raw)
    assert parse_record(encode_record(reading.record)) == reading.record
    assert read_message(reading.record.envelope) == reading.message


def test_a_reading_is_good_for_one_return() -> None:
    known = Admitted()
    reading = admitted(envelope())
    known.put(b"record", reading)
    known.put(b"record", reading)
    assert known.take(b"record") is reading
    assert known.take(b"record") is None


def test_records_that_never_come_back_are_forgotten_the_oldest_first() -> None:
    known = Admitted(bytes_max=20)
    reading = admitted(envelope())
    for raw in (b"0123456789", b"abcdefghij", b"ABCDEFGHIJ"):
        known.put(raw, reading)
    assert known.take(b"0123456789") is None
    assert known.take(b"ABCDEFGHIJ") is reading
    known.put(b"another on", reading)
    assert known.take(b"abcdefghij") is reading
