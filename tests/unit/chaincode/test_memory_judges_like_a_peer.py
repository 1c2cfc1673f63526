"""The reference ledger and a peer's own rules give the same verdicts and the same state, whatever transactions do."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from privysharing.chaincode.memory import PUBLIC, MemoryStub, MemoryWorld
from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.codec.rwsets import encode_state_metadata
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from services.peer.validation.mvcc import check_reads
from tests.support.judging import DictView

KEYS, COLLECTIONS = "abc", ("one", "two")

keys = st.sampled_from(KEYS)
collections = st.sampled_from(COLLECTIONS)
places = st.sampled_from((PUBLIC, *COLLECTIONS))
values = st.sampled_from((b"1", b"2"))
acts = st.one_of(
    st.tuples(st.sampled_from(("get_state", "del_state")), keys),
    st.tuples(st.just("put_state"), keys, values),
    st.tuples(st.just("get_range"), keys, keys),
    st.tuples(
        st.sampled_from(("get_private", "get_private_hash", "del_private", "purge_private")),
        collections,
        keys,
    ),
    st.tuples(st.just("put_private"), collections, keys, values),
    st.tuples(st.just("get_validation_parameter"), keys, places),
    st.tuples(st.just("set_validation_parameter"), keys, st.sampled_from((b"policy", b"other")), places),
)
transactions = st.tuples(st.integers(0, 1), st.lists(acts, max_size=4))  # simulated so many blocks ago


def sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def entries(policy: bytes) -> tuple[tuple[str, bytes], ...]:
    return ((VALIDATION_PARAMETER, policy),)


def rwset_of(stub: MemoryStub) -> TxRwSet:
    """What endorsers would have signed."""
    return TxRwSet(
        (
            NamespaceRwSet(
                "cc",
                reads=tuple(Read(key, version) for key, version in sorted(stub.reads.items())),
                range_queries=tuple(
                    RangeQuery(each.start, each.end, True, tuple(Read(*found) for found in each.results))
                    for each in stub.range_reads
                ),
                writes=tuple(Write(key, value or b"", value is None) for key, value in sorted(stub.writes.items())),
                metadata_writes=tuple(
                    MetadataWrite(key, entries(policy))
                    for (place, key), policy in sorted(stub.parameters.items())
                    if place == PUBLIC
                ),
                collections=tuple(collection_of(stub, name) for name in COLLECTIONS),
            ),
        )
    )


def collection_of(stub: MemoryStub, name: str) -> CollectionHashedRwSet:
    return CollectionHashedRwSet(
        name,
        reads=tuple(
            HashedRead(sha256(key), version)
            for (place, key), version in sorted(stub.hashed_reads.items())
            if place == name
        ),
        writes=tuple(write for place, write in stub.hashed_writes() if place == name),
        metadata_writes=tuple(
            HashedMetadataWrite(sha256(key), entries(policy))
            for (place, key), policy in sorted(stub.parameters.items())
            if place == name
        ),
    )


def simulated(world: MemoryWorld, script: list[tuple[object, ...]]) -> MemoryStub:
    stub = world.stub([b"F"], creator=b"", tx_id="tx", timestamp_ns=1)
    for function, *arguments in script:
        answer = getattr(stub, str(function))(*arguments)
        if function == "get_range":
            list(answer)
    return stub


@settings(max_examples=100)
@given(st.lists(st.lists(transactions, max_size=4), min_size=1, max_size=4))
def test_verdicts_and_states_are_equal(blocks: list[list[tuple[int, list[tuple[object, ...]]]]]) -> None:
    world, view = MemoryWorld("city"), DictView()
    late: list[MemoryStub] = []
    for number, block in enumerate(blocks):
        stubs = [(age, simulated(world, script)) for age, script in block]
        committing, late = late + [stub for age, stub in stubs if not age], [stub for age, stub in stubs if age]
        verdicts = world.commit(*committing)

        updates = BlockUpdates(view)
        for index, (stub, verdict) in enumerate(zip(committing, verdicts, strict=True)):
            rwset = rwset_of(stub)
            assert check_reads(rwset, updates, view) is verdict
            if verdict is TxCode.VALID:
                updates.apply(rwset, Version(number, index))
        view.apply(updates.batch())

        for committed, expected in (
            ({("cc", key): entry for key, entry in world.state.items()}, view.public),
            ({("cc", *place): entry for place, entry in world.hashed.items()}, view.hashed),
        ):
            assert {place: (entry.value, entry.version) for place, entry in committed.items()} == {
                place: (entry.value, entry.version) for place, entry in expected.items()
            }
            for place, entry in committed.items():
                policy = encode_state_metadata(entries(entry.parameter)) if entry.parameter else b""
                assert expected[place].metadata == policy
        assert {
            (place, sha256(key)): (hashlib.sha256(entry.value).digest(), entry.version)
            for (place, key), entry in world.private.items()
        } == {place: (entry.value, entry.version) for place, entry in world.hashed.items()}
