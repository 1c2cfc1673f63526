"""The read/write set of a simulation, against a snapshot in memory."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.private_sets import parse_private_set
from privysharing.protocol.codec.rwsets import encode_private_writes, parse_tx_rwset
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.lifecycle_state import definition_keys
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedRead,
    HashedWrite,
    NamespaceRwSet,
    PrivateRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    VersionedValue,
    Write,
)
from services.peer.chaincode_host.errors import ChaincodeError, LimitExceeded
from services.peer.chaincode_host.simulator import SimulationLimits, TxSimulator
from services.peer.ledger.memory import MemoryState
from tests.support.private import EveryCollection, Values

V1, V2 = Version(1, 0), Version(2, 3)


def state(values: Mapping[str, bytes], namespace: str = "cc", version: Version = V1) -> MemoryState:
    return MemoryState(2, {namespace: {key: VersionedValue(value, version) for key, value in values.items()}})


def simulator(values: Mapping[str, bytes] | None = None, limits: SimulationLimits | None = None) -> TxSimulator:
    return TxSimulator(state(values or {}), EveryCollection("undefined"), Values(), limits, TxId("tx"))


def sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def keys(count: int) -> dict[str, bytes]:
    return {f"k{number:05d}": b"v" for number in range(count)}


def test_a_simulation_that_did_nothing_is_empty() -> None:
    results = simulator().results()
    assert (results.public, results.rwset, results.private) == (b"", TxRwSet(), ())


def test_reads_and_writes_are_sorted_by_namespace_and_key() -> None:
    simulation = simulator({"a": b"1"})
    simulation.put("zz", "k", b"1")
    simulation.put("cc", "b", b"2")
    simulation.put("cc", "\u00e4", b"4")
    simulation.put("cc", "a", b"3")
    simulation.get("cc", "missing")
    simulation.get("cc", "a")
    assert simulation.results().rwset.namespaces == (
        NamespaceRwSet(
            "cc",
            reads=(Read("a", V1), Read("missing", None)),
            writes=(Write("a", b"3"), Write("b", b"2"), Write("\u00e4", b"4")),
        ),
        NamespaceRwSet("zz", writes=(Write("k", b"1"),)),
    )


def test_the_last_write_of_a_key_wins_and_no_read_sees_it() -> None:
    simulation = simulator({"a": b"old"})
    simulation.put("cc", "a", b"1")
    simulation.put("cc", "a", b"2")
    assert simulation.get("cc", "a") == b"old"
    (namespace,) = simulation.results().rwset.namespaces
    assert namespace.writes == (Write("a", b"2"),)


def test_an_empty_value_is_a_delete() -> None:
    simulation = simulator()
    simulation.put("cc", "a", b"")
    simulation.delete("cc", "b")
    (namespace,) = simulation.results().rwset.namespaces
    assert namespace.writes == (Write("a", b"", is_delete=True), Write("b", b"", is_delete=True))


def test_an_empty_range_is_exhausted_and_has_no_reads() -> None:
    simulation = simulator()
    assert list(simulation.range("cc", "a", "b")) == []
    (namespace,) = simulation.results().rwset.namespaces
    assert namespace.range_queries == (RangeQuery("a", "b", exhausted=True),)


@pytest.mark.parametrize(
    ("stored", "consumed", "fetched", "exhausted"),
    [
        (10, 0, 10, True),  # a contract that only opens a range has read the first batch all the same
        (10, 5, 10, True),
        (100, 1, 100, True),
        (101, 1, 101, False),
        (101, 99, 101, False),
        (101, 100, 101, True),  # handing out the last result of a batch fetches the next one
        (250, 100, 201, False),
        (250, 199, 201, False),
        (250, 200, 250, True),
        (250, 250, 250, True),
    ],
)
def test_a_range_is_fetched_in_batches(stored: int, consumed: int, fetched: int, exhausted: bool) -> None:
    simulation = simulator(keys(stored))
    found = list(islice(simulation.range("cc", "", ""), consumed))
    assert [key for key, _ in found] == list(keys(consumed))
    (query,) = simulation.results().rwset.namespaces[0].range_queries
    assert query.exhausted is exhausted
    assert query.end_key == ("" if exhausted else f"k{fetched - 1:05d}")


@pytest.mark.parametrize(("stored", "raw"), [(50, True), (51, False)])
def test_more_than_fifty_results_become_hashes(stored: int, raw: bool) -> None:
    simulation = simulator(keys(stored))
    list(simulation.range("cc", "", ""))
    (query,) = simulation.results().rwset.namespaces[0].range_queries
    assert (query.reads is not None, query.summary is not None) == (raw, not raw)


def test_equal_ranges_are_recorded_once_and_others_in_the_order_of_asking() -> None:
    simulation = simulator(keys(3))
    for start in ("k00001", "", "k00001"):
        list(simulation.range("cc", start, ""))
    queries = simulation.results().rwset.namespaces[0].range_queries
    assert [query.start_key for query in queries] == ["k00001", ""]


def test_a_private_value_is_returned_to_whoever_holds_it() -> None:
    key_hash = sha256(b"key")
    hashed = {("cc", "coll"): {key_hash: VersionedValue(sha256(b"secret"), V2)}}
    simulation = TxSimulator(MemoryState(3, {}, hashed), EveryCollection(), Values([("key", b"secret")]))
    assert simulation.get_private("cc", "coll", "key") == b"secret"
    assert simulation.get_private("cc", "coll", "none") is None
    definition, namespace = simulation.results().rwset.namespaces
    assert definition == NamespaceRwSet("_lifecycle", tuple(Read(key, None) for key in sorted(definition_keys("cc"))))
    reads = sorted((HashedRead(key_hash, V2), HashedRead(sha256(b"none"), None)), key=lambda read: read.version is None)
    assert namespace.collections == (CollectionHashedRwSet("coll", reads=tuple(reads)),)


def test_a_private_value_that_this_peer_does_not_hold_is_an_error_and_its_hash_is_not() -> None:
    hashed = {("cc", "coll"): {sha256(b"key"): VersionedValue(sha256(b"secret"), V2)}}
    simulation = TxSimulator(MemoryState(3, {}, hashed), EveryCollection(), Values())
    with pytest.raises(ChaincodeError, match=r"Public hash version = \{BlockNum: 2, TxNum: 3\}, Private data"):
        simulation.get_private("cc", "coll", "key")
    assert simulation.get_private_hash("cc", "coll", "key") == sha256(b"secret")


def test_private_writes_are_hashed_in_the_order_of_their_plain_keys() -> None:
    simulation = simulator()
    for key in ("b", "a", "c"):
        simulation.put_private("cc", "coll", key, key.encode() * 2)
    results = simulation.results()
    (private,) = results.private
    writes = (Write("a", b"aa"), Write("b", b"bb"), Write("c", b"cc"))
    assert parse_private_set(private.rwset) == PrivateRwSet(writes)
    assert b"aa" not in results.public
    assert "aa" not in repr(private)
    (collection,) = results.rwset.namespaces[1].collections
    assert collection == CollectionHashedRwSet(
        "coll",
        writes=tuple(HashedWrite(sha256(key), sha256(key * 2)) for key in (b"a", b"b", b"c")),
        private_rwset_hash=sha256(encode_private_writes(writes)),
    )


@pytest.mark.parametrize(
    "limits",
    [
        SimulationLimits(keys_max=3),
        SimulationLimits(write_bytes_max=11),
        SimulationLimits(key_bytes_max=1),
    ],
)
def test_beyond_a_limit_nothing_comes_out_even_if_the_contract_goes_on(limits: SimulationLimits) -> None:
    simulation = simulator(limits=limits)
    simulation.put("cc", "a", b"1234")

    def go_on() -> None:
        for _ in range(4):
            simulation.put("cc", "bb", b"1234")

    with pytest.raises(LimitExceeded):
        go_on()
    with pytest.raises(LimitExceeded):
        simulation.results()


def test_within_the_limits_all_comes_out() -> None:
    simulation = simulator(limits=SimulationLimits(keys_max=2, write_bytes_max=11, key_bytes_max=2))
    simulation.put("cc", "a", b"1234")
    simulation.put("cc", "bb", b"1234")
    assert len(simulation.results().rwset.namespaces[0].writes) == 2


def test_a_range_counts_every_result() -> None:
    simulation = simulator(keys(10), SimulationLimits(keys_max=9))
    with pytest.raises(LimitExceeded):
        simulation.range("cc", "", "")


def test_a_range_ends_at_the_query_limit_without_being_exhausted() -> None:
    simulation = simulator(keys(10), SimulationLimits(query_results_max=4))
    assert len(list(simulation.range("cc", "", ""))) == 4
    (query,) = simulation.results().rwset.namespaces[0].range_queries
    assert (query.exhausted, query.end_key) == (False, "k00003")


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize("version", [None, V1, V2])
def test_what_was_read_of_a_definition_is_signed_as_it_was_seen(version: Version | None, writes: bool) -> None:
    seen = state({}) if version is None else state({"sequence": b"1"}, LIFECYCLE, version)
    simulation = TxSimulator(seen, EveryCollection(), Values(), None, TxId("tx"))
    simulation.get(LIFECYCLE, "sequence")
    if writes:
        simulation.put(LIFECYCLE, "sequence", b"2")
    expected = NamespaceRwSet(LIFECYCLE, (Read("sequence", version),), writes=(Write("sequence", b"2"),) * writes)
    results = simulation.results()
    assert results.rwset == parse_tx_rwset(results.public) == TxRwSet((expected,))


def test_a_key_that_is_no_utf8_is_refused() -> None:
    simulation = simulator()
    with pytest.raises(ChaincodeError, match="UTF-8"):
        simulation.put("cc", "\ud800", b"1")
    with pytest.raises(ChaincodeError, match="UTF-8"):
        simulation.get("cc", "\udfff")


@given(
    st.lists(
        st.tuples(st.sampled_from(("cc", "b", "zz")), st.text(min_size=1, max_size=3), st.binary(max_size=3)),
        max_size=30,
    )
)
def test_the_bytes_do_not_depend_on_the_order_of_reads_and_writes(writes: list[tuple[str, str, bytes]]) -> None:
    final = {(namespace, key): value for namespace, key, value in writes if _encodes(key)}
    encoded = set()
    for order in (list(final), list(reversed(final))):
        simulation = simulator({"a": b"1"})
        for namespace, key in order:
            simulation.get(namespace, key)
            simulation.put(namespace, key, final[namespace, key])
        results = simulation.results()
        assert parse_tx_rwset(results.public) == results.rwset
        encoded.add(results.public)
    assert len(encoded) == 1


def _encodes(key: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in key)


SIMULATE = """
from privysharing.protocol.rwsets import Version, VersionedValue
from services.peer.chaincode_host.simulator import TxSimulator
from services.peer.ledger.memory import MemoryState
from tests.support.private import EveryCollection, Values
names = {f"n{i}" for i in range(12)}
public = {ns: {name: VersionedValue(b"v", Version(1, 0)) for name in names} for ns in names}
simulation = TxSimulator(MemoryState(2, public), EveryCollection(), Values())
for ns in names:
    for name in names:
        simulation.get(ns, name)
        simulation.put(ns, name, b"w")
        simulation.put_private(ns, name, name, b"p")
    list(simulation.range(ns, "", ""))
import hashlib
print(hashlib.sha256(simulation.results().public).hexdigest())
"""


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", SIMULATE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
