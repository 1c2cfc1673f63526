"""What is read in one go says what the same bytes say level by level."""

import random
from dataclasses import replace

import pytest

from privysharing.protocol.codec.envelopes import encode_envelope, parse_envelope
from privysharing.protocol.codec.whole import ENDORSEMENTS_MAX, parse_whole_payload
from privysharing.protocol.codes import TxCode
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.reading import read_by_levels, read_transaction
from privysharing.protocol.rwsets import NamespaceRwSet, Read, Version, Write
from privysharing.protocol.transactions import Endorsement
from tests.fuzz.messages import some_call, transaction
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.wire import encode, parse
from tests.support.judging import PEER1, Tx

HONEST = Tx(namespaces=(NamespaceRwSet("cc", reads=(Read("r", Version(0, 0)),), writes=(Write("k", b"v"),)),))


def is_read_whole(raw: bytes) -> bool:
    return parse_whole_payload(parse_envelope(raw).payload) is not None


def test_an_honest_transaction_is_read_in_one_go() -> None:
    raw = HONEST.raw
    read = read_transaction(raw)
    assert is_read_whole(raw)
    assert read.endorsed is not None
    assert (read.fault_before_signature, read.fault_after_signature, read.endorsed.fault) == (TxCode.VALID,) * 3
    assert read == read_by_levels(parse_envelope(raw))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_spoilt_anywhere_says_the_same(seed: int) -> None:
    chance = random.Random(seed)
    mutator = Mutator(chance, [HONEST.raw, transaction(Hand(), some_call(chance, bytes(24)))])
    whole = by_levels = 0
    for number in range(300):
        call = some_call(chance, number.to_bytes(24, "big"))
        raw = spoilt(chance, mutator, lambda hand, call=call: transaction(hand, call))  # type: ignore[misc]
        try:
            envelope = parse_envelope(raw)
        except MalformedMessage:
            continue
        assert read_transaction(raw) == read_by_levels(envelope)
        if is_read_whole(raw):
            whole += 1
        else:
            by_levels += 1
    assert whole > 20
    assert by_levels > 20


@pytest.mark.parametrize("levels", range(5))
def test_of_a_field_that_stands_there_twice_the_last_one_counts_and_nothing_is_merged(levels: int) -> None:
    """Of the payload, its data, the action, the action's payload, what was endorsed."""
    one, other = (parse_envelope(replace(HONEST, nonce=bytes((number,)) * 24).raw).payload for number in (1, 2))
    twice = merged(one, other, (2, 1, 2, 2)[:levels])
    raw = encode_envelope(twice, b"signature")
    assert parse_whole_payload(one) is not None
    assert parse_whole_payload(twice) is None
    assert read_transaction(raw) == read_by_levels(parse_envelope(raw))


def merged(one: bytes, other: bytes, path: tuple[int, ...]) -> bytes:
    """The fields of another message put behind the first one's, below this path of field numbers."""
    if not path:
        return one + other
    fields, others = parse(one), parse(other)
    assert fields is not None
    assert others is not None
    (field,) = [field for field in fields if field.number == path[0]]
    (twin,) = [field for field in others if field.number == path[0]]
    assert isinstance(field.value, bytes)
    assert isinstance(twin.value, bytes)
    field.value = merged(field.value, twin.value, path[1:])
    return encode(fields)


@pytest.mark.parametrize(
    "endorsements",
    [
        (Endorsement(PEER1.serialized, b"s"),) * 2,
        tuple(Endorsement(b"", bytes((number,))) for number in range(ENDORSEMENTS_MAX + 1)),
    ],
    ids=["repeated", "many"],
)
def test_endorsements_that_repeat_or_are_many_are_read_level_by_level(endorsements: tuple[Endorsement, ...]) -> None:
    raw = replace(HONEST, endorsements=endorsements).raw
    assert not is_read_whole(raw)
    endorsed = read_transaction(raw).endorsed
    assert endorsed is not None
    assert endorsed.transaction.endorsements == tuple(dict.fromkeys(endorsements))
