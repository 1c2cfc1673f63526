"""What nobody endorsed costs a peer little, however many entries it claims to have."""

import sys
import tracemalloc
from collections.abc import Callable

import pytest

from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.codes import TxCode
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.transactions import Endorsement
from privysharing.wire.ledger.rwset import rwset_pb2
from tests.support.judging import PEER1, PEER2, DictView, Tx, judge

ENTRIES = 100_000
# An entry that is all defaults: its field's tag, and a length of nought.
READS, RANGES, WRITES, METADATA_WRITES, HASHED_WRITES = b"\x0a\x00", b"\x12\x00", b"\x1a\x00", b"\x22\x00", b"\x12\x00"
OBJECTS_BYTES_MAX = 4_000_000  # of Python; an object an entry would be more


@pytest.fixture
def view() -> DictView:
    view = DictView()
    view.define("cc")
    return view


def public(entries: bytes) -> bytes:
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", rwset=entries)
    return rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString()


def hashed(entries: bytes) -> bytes:
    collection = rwset_pb2.CollectionHashedReadWriteSet(collection_name="secret", hashed_rwset=entries)
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", collection_hashed_rwset=[collection])
    return rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString()


@pytest.mark.parametrize(
    ("results", "code"),
    [
        (public(READS * ENTRIES), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (public(RANGES * ENTRIES), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (public(WRITES * ENTRIES), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (public(METADATA_WRITES * ENTRIES), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (hashed(HASHED_WRITES * ENTRIES), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (b"\x12\x00" * ENTRIES, TxCode.ILLEGAL_WRITESET),  # namespaces without a name
        (public(READS * ENTRIES + b"\xff"), TxCode.BAD_RWSET),
    ],
)
def test_no_object_is_made_of_an_entry_that_nobody_endorsed(view: DictView, results: bytes, code: TxCode) -> None:
    envelope = Tx(results=results, endorsers=()).raw
    tracemalloc.start()
    try:
        verdicts = judge(view, envelope).verdicts
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert verdicts == (code,)
    assert peak < OBJECTS_BYTES_MAX


def calls_during(work: Callable[[], object]) -> int:
    """How many functions run meanwhile, Python's and C's."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def collections(entries: bytes) -> bytes:
    namespace = rwset_pb2.NsReadWriteSet(namespace="cc", rwset=WRITES).SerializeToString() + entries
    return b"\x12" + encode_varint(len(namespace)) + namespace


@pytest.mark.parametrize(
    ("repeated", "code"),
    [
        (lambda times: Tx(results=b"\x12\x00" * times), TxCode.ILLEGAL_WRITESET),
        (lambda times: Tx(results=b"\x12\x04\x0a\x02cc" * times), TxCode.ILLEGAL_WRITESET),
        (lambda times: Tx(results=collections(b"\x1a\x00" * times), endorsers=()), TxCode.ENDORSEMENT_POLICY_FAILURE),
        (lambda times: Tx(endorsements=(Endorsement(b"x", b""),) * times), TxCode.ENDORSEMENT_POLICY_FAILURE),
    ],
    ids=["nothing", "namespaces", "collections", "endorsements"],
)
def test_what_repeats_is_looked_at_once(view: DictView, repeated: Callable[[int], Tx], code: TxCode) -> None:
    few, many = repeated(10).raw, repeated(10_000).raw
    assert judge(view, few).verdicts == judge(view, many).verdicts == (code,)
    assert calls_during(lambda: judge(view, many)) < calls_during(lambda: judge(view, few)) + 100


def test_the_same_entries_are_read_once_enough_endorsers_stand_for_them(view: DictView) -> None:
    judgement = judge(
        view, Tx(results=public(WRITES * 1000 + b"\x1a\x06\x0a\x01k\x1a\x01v"), endorsers=(PEER1, PEER2)).raw
    )
    assert judgement.verdicts == (TxCode.VALID,)
    assert judgement.updates.public["cc"]["k"].value == b"v"


def test_form_is_judged_without_reading_keys_and_keys_are_read_when_asked_for() -> None:
    endorsed = read_transaction(Tx(results=public(READS * 3)).raw).endorsed
    assert endorsed is not None
    assert endorsed.fault is TxCode.VALID
    assert endorsed.namespaces == ("cc",)
    assert len(endorsed.rwset.namespaces[0].reads) == 3


def test_a_thousand_endorsements_by_nobody_are_as_none(view: DictView) -> None:
    nobody = (Endorsement(b"", b""),) * 1000
    tx = Tx(results=public(WRITES), endorsements=nobody)
    assert judge(view, tx.raw).verdicts == (TxCode.ENDORSEMENT_POLICY_FAILURE,)


def test_an_envelope_with_many_actions_is_refused_and_with_one_accepted(view: DictView) -> None:
    assert judge(view, Tx(data=b"\x0a\x00" * ENTRIES).raw).verdicts == (TxCode.INVALID_ENDORSER_TRANSACTION,)
    assert judge(view, Tx(results=public(WRITES)).raw).verdicts == (TxCode.VALID,)
