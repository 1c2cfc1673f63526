"""Stale reads, phantoms and merged writes, example by example and against a serial model that shares no code."""

import hashlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.codec.rwsets import parse_state_metadata
from privysharing.protocol.codes import TxCode
from privysharing.protocol.range_reads import RangeReads
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MerkleSummary,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    VersionedValue,
    Write,
)
from services.peer.validation.mvcc import check_reads
from tests.support.judging import DictView

BLOCK = 5
VALID, STALE, PHANTOM = TxCode.VALID, TxCode.MVCC_READ_CONFLICT, TxCode.PHANTOM_READ_CONFLICT
OLD = Version(3, 1)
HASH = hashlib.sha256(b"key").digest()


def run(view: DictView, *namespaces: NamespaceRwSet) -> tuple[list[TxCode], BlockUpdates]:
    """Each namespace as a transaction of its own, one after the other."""
    updates = BlockUpdates(view)
    codes = []
    for index, ns in enumerate(namespaces):
        rwset = TxRwSet((ns,))
        codes.append(check_reads(rwset, updates, view))
        if codes[-1] is VALID:
            updates.apply(rwset, Version(BLOCK, index))
    return codes, updates


def ns(**parts: object) -> NamespaceRwSet:
    return NamespaceRwSet("cc", **parts)  # type: ignore[arg-type]


def read(key: str, version: Version | None) -> NamespaceRwSet:
    return ns(reads=(Read(key, version),))


def put(key: str, value: bytes = b"new") -> NamespaceRwSet:
    return ns(writes=(Write(key, value),))


def delete(key: str) -> NamespaceRwSet:
    return ns(writes=(Write(key, b"", is_delete=True),))


@pytest.fixture
def view() -> DictView:
    view = DictView()
    for key in "aceg":
        view.put("cc", key, b"old", OLD)
    return view


# --- reads


def test_a_read_holds_while_its_version_is_the_committed_one(view: DictView) -> None:
    assert run(view, read("a", OLD), read("a", Version(3, 0)), read("a", None))[0] == [VALID, STALE, STALE]


def test_an_absent_key_is_read_without_a_version(view: DictView) -> None:
    assert run(view, read("x", None), read("x", Version(0, 0)))[0] == [VALID, STALE]


def test_version_zero_zero_is_a_version(view: DictView) -> None:
    view.put("cc", "z", b"from genesis", Version(0, 0))
    assert run(view, read("z", Version(0, 0)), read("z", None))[0] == [VALID, STALE]


def test_namespaces_do_not_see_each_other(view: DictView) -> None:
    elsewhere = NamespaceRwSet("other", reads=(Read("a", None),))
    assert run(view, put("a"), elsewhere)[0] == [VALID, VALID]


def test_a_guessed_version_from_this_block_is_still_a_conflict(view: DictView) -> None:
    assert run(view, put("a"), read("a", Version(BLOCK, 0)), read("a", OLD))[0] == [VALID, STALE, STALE]


def test_a_write_of_the_same_value_moves_the_version(view: DictView) -> None:
    assert run(view, put("a", b"old"), read("a", OLD))[0] == [VALID, STALE]


def test_a_key_deleted_in_the_block_is_not_simply_absent(view: DictView) -> None:
    assert run(view, delete("a"), read("a", None))[0] == [VALID, STALE]


def test_an_invalid_transaction_conflicts_with_nobody(view: DictView) -> None:
    bad = ns(reads=(Read("a", None),), writes=(Write("c", b"new"),))
    assert run(view, bad, read("c", OLD))[0] == [STALE, VALID]


def test_blind_writes_do_not_conflict_and_the_last_one_stays(view: DictView) -> None:
    codes, updates = run(view, put("a", b"1"), put("a", b"2"))
    assert codes == [VALID, VALID]
    assert updates.batch().public["cc"]["a"].value == b"2"
    assert updates.batch().public["cc"]["a"].version == Version(BLOCK, 1)


def test_hashed_reads_follow_the_same_rules(view: DictView) -> None:
    view.hashed["cc", "coll", HASH] = VersionedValue(b"hash", OLD)

    def reading(version: Version | None, collection: str = "coll") -> NamespaceRwSet:
        return ns(collections=(CollectionHashedRwSet(collection, reads=(HashedRead(HASH, version),)),))

    writing = ns(collections=(CollectionHashedRwSet("coll", writes=(HashedWrite(HASH, b"other"),)),))
    codes, _ = run(view, reading(OLD), reading(None), reading(None, "other"), writing, reading(OLD))
    assert codes == [VALID, STALE, VALID, VALID, STALE]


def test_the_first_conflict_in_the_order_of_namespaces_is_told(view: DictView) -> None:
    phantom = RangeQuery("", "", True, reads=(Read("nothing", None),))
    rwset = TxRwSet((ns(range_queries=(phantom,)), NamespaceRwSet("dd", reads=(Read("x", OLD),))))
    assert check_reads(rwset, BlockUpdates(view), view) is PHANTOM
    rwset = TxRwSet((ns(reads=(Read("x", OLD),), range_queries=(phantom,)),))
    assert check_reads(rwset, BlockUpdates(view), view) is STALE


# --- ranges


def ranged(start: str, end: str, *keys: str, exhausted: bool = True, version: Version = OLD) -> NamespaceRwSet:
    reads = tuple(Read(key, version) for key in keys) or None
    return ns(range_queries=(RangeQuery(start, end, exhausted, reads=reads),))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (ranged("a", "e", "a", "c"), VALID),
        (ranged("", "", "a", "c", "e", "g"), VALID),
        (ranged("b", "c"), VALID),
        (ranged("h", ""), VALID),
        (ranged("a", "e", "a"), PHANTOM),
        (ranged("a", "e", "a", "b", "c"), PHANTOM),
        (ranged("a", "e", "c", "a"), PHANTOM),
        (ranged("a", "e"), PHANTOM),
        (ranged("b", "c", "b"), PHANTOM),
        (ranged("a", "e", "a", "c", version=Version(9, 9)), PHANTOM),
        (ranged("a", "c", "a", "c", exhausted=False), VALID),
        (ranged("a", "b", "a", exhausted=False), VALID),
        (ranged("a", "c", "a", exhausted=False), PHANTOM),
    ],
)
def test_a_range_repeated_gives_what_it_gave(view: DictView, query: NamespaceRwSet, code: TxCode) -> None:
    assert run(view, query)[0] == [code]


@pytest.mark.parametrize(
    ("mover", "code"),
    [(put("b"), PHANTOM), (put("c"), PHANTOM), (delete("c"), PHANTOM), (delete("b"), VALID), (put("e"), VALID)],
)
def test_what_the_block_changed_before_counts(view: DictView, mover: NamespaceRwSet, code: TxCode) -> None:
    assert run(view, mover, ranged("a", "e", "a", "c"))[0] == [VALID, code]


@pytest.mark.parametrize(("mover", "code"), [(put("c"), PHANTOM), (delete("c"), PHANTOM), (put("d"), VALID)])
def test_the_last_key_of_an_unfinished_range_belongs_to_it(view: DictView, mover: NamespaceRwSet, code: TxCode) -> None:
    assert run(view, mover, ranged("a", "c", "a", "c", exhausted=False))[0] == [VALID, code]


def summarised(view: DictView, start: str, end: str, degree: int) -> NamespaceRwSet:
    reads = RangeReads(degree)
    for key, value in view.range("cc", start, end):
        reads.add(Read(key, value.version))
    return ns(range_queries=(RangeQuery(start, end, True, summary=reads.done()[1]),))


def test_a_long_range_is_compared_by_its_summary(view: DictView) -> None:
    for number in range(120):
        view.put("cc", f"i{number:03}", b"v", OLD)
    query = summarised(view, "i", "j", 50)
    assert run(view, query, put("i003"), query)[0] == [VALID, VALID, PHANTOM]
    assert run(view, put("i1195"), query)[0] == [VALID, PHANTOM]
    assert run(view, put("j"), query)[0] == [VALID, VALID]


def test_a_summary_of_what_is_no_tree_matches_nothing(view: DictView) -> None:
    for degree in (0, 1):
        query = RangeQuery("a", "z", True, summary=MerkleSummary(degree, 1, (b"x",)))
        assert run(view, ns(range_queries=(query,)))[0] == [PHANTOM]


def test_a_summary_where_the_range_is_short_matches_nothing(view: DictView) -> None:
    query = RangeQuery("x", "y", True, summary=MerkleSummary(50, 1, ()))
    assert run(view, ns(range_queries=(query,)))[0] == [PHANTOM]


# --- writes


def metadata(key: str, *entries: tuple[str, bytes]) -> NamespaceRwSet:
    return ns(metadata_writes=(MetadataWrite(key, entries),))


def test_an_empty_value_deletes(view: DictView) -> None:
    _, updates = run(view, put("a", b""))
    assert updates.batch().public["cc"]["a"].value is None


@pytest.mark.parametrize("value_hash", [b"", hashlib.sha256(b"").digest()])
def test_the_hash_of_an_empty_value_deletes(view: DictView, value_hash: bytes) -> None:
    _, updates = run(view, ns(collections=(CollectionHashedRwSet("coll", writes=(HashedWrite(HASH, value_hash),)),)))
    assert updates.batch().hashed["cc", "coll"][HASH].value is None


def test_a_value_keeps_the_metadata_that_the_key_had(view: DictView) -> None:
    _, first = run(view, metadata("a", ("P", b"1")))
    view.apply(first.batch())
    assert parse_state_metadata(view.public["cc", "a"].metadata) == {"P": b"1"}
    _, second = run(view, put("a", b"2"))
    view.apply(second.batch())
    assert view.public["cc", "a"].value == b"2"
    assert parse_state_metadata(view.public["cc", "a"].metadata) == {"P": b"1"}


def test_metadata_keeps_the_value_and_moves_the_version(view: DictView) -> None:
    codes, updates = run(view, metadata("a", ("P", b"1")), read("a", OLD))
    assert codes == [VALID, STALE]
    assert updates.batch().public["cc"]["a"].value == b"old"


def test_metadata_of_a_missing_key_does_nothing(view: DictView) -> None:
    codes, updates = run(view, metadata("x", ("P", b"1")), read("x", None), delete("a"), metadata("a", ("P", b"1")))
    assert codes == [VALID] * 4
    assert updates.batch().public["cc"]["a"].value is None
    assert "x" not in updates.batch().public["cc"]


def test_no_entries_take_the_metadata_away(view: DictView) -> None:
    _, updates = run(view, metadata("a", ("P", b"1")), metadata("a"))
    assert updates.batch().public["cc"]["a"].metadata == b""


def test_value_and_metadata_of_one_transaction_go_together_and_a_delete_beats_both(view: DictView) -> None:
    entries = (("P", b"1"),)
    both = ns(writes=(Write("a", b"2"),), metadata_writes=(MetadataWrite("a", entries),))
    gone = ns(writes=(Write("c", b"", True),), metadata_writes=(MetadataWrite("c", entries),))
    bare = ns(writes=(Write("e", b"2"),), metadata_writes=(MetadataWrite("e", ()),))
    changed = run(view, both, gone, bare)[1].batch().public["cc"]
    assert (changed["a"].value, parse_state_metadata(changed["a"].metadata)) == (b"2", {"P": b"1"})
    assert changed["c"].value is None
    assert (changed["e"].value, changed["e"].metadata) == (b"2", b"")


def test_a_key_named_twice_means_what_it_means_to_fabric(view: DictView) -> None:
    """Two values count as a change of metadata: its flags add up. So the key keeps its value, if it has one."""
    twice = ns(writes=(Write("a", b"1"), Write("a", b"2"), Write("x", b"1"), Write("x", b"2")))
    changed = run(view, twice)[1].batch().public["cc"]
    assert changed["a"].value == b"old"
    assert "x" not in changed


def test_hashed_metadata_follows_the_same_rules(view: DictView) -> None:
    view.hashed["cc", "coll", HASH] = VersionedValue(b"hash", OLD)
    change = CollectionHashedRwSet("coll", metadata_writes=(HashedMetadataWrite(HASH, (("P", b"1"),)),))
    update = run(view, ns(collections=(change,)))[1].batch().hashed["cc", "coll"][HASH]
    assert (update.value, update.version) == (b"hash", Version(BLOCK, 0))


# --- laws

KEYS = "abcdef"


@dataclass
class Serial:
    """A ledger that runs one transaction after the other and copies everything: slow, and plain to see through."""

    state: dict[str, tuple[bytes, Version, tuple[tuple[str, bytes], ...]]]
    touched: set[str] = field(default_factory=set)

    def version(self, key: str) -> Version | None:
        return self.state[key][1] if key in self.state else None

    def step(self, tx: NamespaceRwSet, at: Version) -> TxCode:
        if any(each.key in self.touched or each.version != self.version(each.key) for each in tx.reads):
            return STALE
        for query in tx.range_queries:
            inside = [k for k in sorted(self.state) if query.start_key <= k < (query.end_key or "~")]
            if not query.exhausted and query.end_key in self.state:
                inside.append(query.end_key)
            if [(k, self.version(k)) for k in inside] != [(each.key, each.version) for each in query.reads or ()]:
                return PHANTOM
        after = dict(self.state)
        for write in tx.writes:
            after.pop(write.key, None)
            if write.value and not write.is_delete:
                entries = self.state[write.key][2] if write.key in self.state else ()
                after[write.key] = (write.value, at, entries)
        for change in tx.metadata_writes:
            if change.key in after:
                after[change.key] = (after[change.key][0], at, change.entries)
        written = {write.key for write in tx.writes}
        noticed = {change.key for change in tx.metadata_writes if change.key in self.state or change.key in written}
        self.touched |= written | noticed
        self.state = after
        return VALID


versions = st.one_of(st.none(), st.just(OLD), st.builds(Version, st.just(BLOCK), st.integers(0, 3)))
reads = st.lists(st.builds(Read, st.sampled_from(KEYS), versions), max_size=2, unique_by=lambda r: r.key)
writes = st.lists(
    st.builds(Write, st.sampled_from(KEYS), st.sampled_from([b"", b"x", b"y"]), st.booleans()),
    max_size=2,
    unique_by=lambda w: w.key,
)
metadata_writes = st.lists(
    st.builds(MetadataWrite, st.sampled_from(KEYS), st.sampled_from([(), (("P", b"1"),), (("P", b"2"),)])),
    max_size=1,
)
found = st.lists(st.builds(Read, st.sampled_from(KEYS), st.just(OLD)), max_size=3, unique_by=lambda r: r.key)
ranges = st.lists(
    st.builds(
        lambda start, end, exhausted, keys: RangeQuery(
            start, end, exhausted, reads=tuple(sorted(keys, key=lambda r: r.key)) or None
        ),
        st.sampled_from(KEYS),
        st.sampled_from(KEYS),
        st.booleans(),
        found,
    ),
    max_size=1,
)
transactions = st.builds(
    lambda r, q, w, m: ns(reads=tuple(r), range_queries=tuple(q), writes=tuple(w), metadata_writes=tuple(m)),
    reads,
    ranges,
    writes,
    metadata_writes,
)


@given(st.sets(st.sampled_from(KEYS)), st.lists(transactions, max_size=6))
def test_a_block_is_judged_as_if_one_transaction_ran_after_the_other(
    present: set[str], block: list[NamespaceRwSet]
) -> None:
    view = DictView()
    for key in present:
        view.put("cc", key, b"old", OLD)
    serial = Serial(dict.fromkeys(present, (b"old", OLD, ())))
    expected = [serial.step(tx, Version(BLOCK, index)) for index, tx in enumerate(block)]
    codes, updates = run(view, *block)
    assert codes == expected
    view.apply(updates.batch())
    assert {
        key: (v.value, v.version, tuple(parse_state_metadata(v.metadata).items()))
        for (_, key), v in view.public.items()
    } == serial.state
    assert set(updates.batch().public.get("cc", {})) == serial.touched


@given(st.lists(transactions, max_size=6), st.lists(transactions, max_size=6))
def test_what_comes_later_changes_no_verdict(block: list[NamespaceRwSet], later: list[NamespaceRwSet]) -> None:
    assert run(DictView(), *block, *later)[0][: len(block)] == run(DictView(), *block)[0]
