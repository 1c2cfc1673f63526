"""What admission has read is not read again, and stands for nothing but the very record that it was read from."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.codec.envelopes import encode_envelope
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.ordering import START, RecordClass, Regular, TimeToCut
from services.orderer import sequencer as room
from services.orderer.admission import Message, read_message
from services.orderer.admitted import Admitted, Transaction
from services.orderer.sequencer import Cut, Effect, Sequencer, Skip, SkipReason
from tests.support.ordering import STRANGERS, envelope, genesis

CONFIG = ChannelConfig.from_block(genesis(batch=BatchSize(2, 100_000, 5_000)))


def read(raw: bytes) -> Message:
    message = read_message(raw)
    assert isinstance(message, Message)
    return message


def admitted(raw: bytes) -> Transaction:
    message = read(raw)
    return Transaction(Regular(message.canonical, CONFIG.sequence, RecordClass.NORMAL), message.size)


def sequencer_after(*transactions: Transaction) -> Sequencer:
    """One whose orderer has admitted these, which are on their way."""
    sequencer = Sequencer(CONFIG, 1, START)
    for each in transactions:
        sequencer.admitted.put(encode_record(each.record), each)
    return sequencer


def test_a_record_that_comes_back_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    transaction = admitted(envelope())
    sequencer = sequencer_after(transaction)
    with monkeypatch.context() as unreadable:
        unreadable.delattr(room, "read_message")
        unreadable.delattr(room, "parse_record")
        assert sequencer.take(1, encode_record(transaction.record)) == []
    (cut,) = sequencer.take(2, encode_record(TimeToCut(1)))
    assert isinstance(cut, Cut)
    assert cut.envelopes == (transaction.record.envelope,)


def test_what_was_admitted_comes_to_the_same_as_if_nobody_had_read_it() -> None:
    raws = [
        envelope(),
        b"\x1a\x01x" + envelope(),  # a field that we do not know, which comes to stand behind ours
        envelope(b"x" * 6_000),  # travels alone
        envelope(b"x" * 3_000),
        envelope(b"x" * 3_000) + envelope(b"y" * 100),  # fields twice: the last one counts
    ]
    transactions = [admitted(raw) for raw in raws]
    records = [encode_record(each.record) for each in transactions]

    def effects(sequencer: Sequencer) -> list[list[Effect]]:
        return [sequencer.take(offset, record) for offset, record in enumerate(records, 1)]

    assert effects(sequencer_after(*transactions)) == effects(sequencer_after())


@pytest.mark.parametrize(
    ("twin", "reason"),
    [
        (lambda good: replace(good, envelope=encode_envelope(read(good.envelope).payload, b"")), SkipReason.MALFORMED),
        (lambda good: replace(good, envelope=good.envelope[:-1]), SkipReason.MALFORMED),
        (lambda good: replace(good, config_sequence=1), SkipReason.FUTURE),
        (lambda good: replace(good, kind=RecordClass.CONFIG), SkipReason.MALFORMED),
    ],
)
def test_a_forged_twin_of_what_was_admitted_is_read_for_what_it_is(
    twin: Callable[[Regular], Regular], reason: SkipReason
) -> None:
    transaction = admitted(envelope())
    (skip,) = sequencer_after(transaction).take(1, encode_record(twin(transaction.record)))
    assert isinstance(skip, Skip)
    assert skip.reason is reason


def test_what_was_admitted_under_an_older_configuration_is_examined_again() -> None:
    transaction = admitted(envelope(who=STRANGERS.client))
    sequencer = sequencer_after(transaction)
    sequencer.config = replace(CONFIG, sequence=1)
    (skip,) = sequencer.take(1, encode_record(transaction.record))
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.NO_LONGER_VALID


def test_it_is_good_for_one_return() -> None:
    known = Admitted()
    transaction = admitted(envelope())
    known.put(b"record", transaction)
    known.put(b"record", transaction)
    assert known.take(b"record") is transaction
    assert known.take(b"record") is None


def test_records_that_never_come_back_are_forgotten_the_oldest_first() -> None:
    known = Admitted(bytes_max=20)
    transaction = admitted(envelope())
    for raw in (b"0123456789", b"abcdefghij", b"ABCDEFGHIJ"):
        known.put(raw, transaction)
    assert known.take(b"0123456789") is None
    assert known.take(b"ABCDEFGHIJ") is transaction
    known.put(b"another on", transaction)
    assert known.take(b"abcdefghij") is transaction
