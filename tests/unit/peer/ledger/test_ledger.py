"""Both ledgers answer alike, whatever was written."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privysharing.protocol.blocks import header_hash
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.rwsets import Version, VersionedValue
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import LedgerPort, StateView, TxLocation
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.support.chains import CHANNEL, Tx, chain, replay

NAMESPACES = ["", "cc", "cc2", "c\x00c", LIFECYCLE]
KEYS = ["a", "a\x00", "a\x00b", "aa", "b", "\x00kind\x00id\x00", "é", "\U0010ffff", "z" * 300]
HASHES = [b"\x00" * 32, b"\xff" * 32]


def transactions() -> st.SearchStrategy[Tx]:
    value = st.none() | st.sampled_from([b"1", b"2", b"\x00" * 40])
    return st.builds(
        Tx,
        tx_id=st.sampled_from(["", "t1", "t2", "t3", "t4"]),
        writes=st.dictionaries(st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(KEYS)), value, max_size=4),
        hashed=st.dictionaries(
            st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(["p", "q"]), st.sampled_from(HASHES)),
            value,
            max_size=2,
        ),
        code=st.sampled_from([TxCode.VALID, TxCode.VALID, TxCode.MVCC_READ_CONFLICT]),
    )


@contextmanager
def all_kinds() -> Iterator[tuple[LedgerPort, ...]]:
    disk = MemoryDisk()
    with tempfile.TemporaryDirectory() as folder:
        real = Ledger.open(CHANNEL, Path(folder), RealDisk(), LevelDatabases(), replay)
        twin = Ledger.open(CHANNEL, Path("/ledger"), disk, MemoryDatabases(disk), replay)
        yield real, twin, MemoryLedger(CHANNEL)
        real.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(transactions(), max_size=4), max_size=5))
def test_the_ledger_on_disk_answers_as_the_one_in_memory(script: list[list[Tx]]) -> None:
    with all_kinds() as ledgers:
        for block in chain(script):
            for ledger in ledgers:
                ledger.append(replay(block, ledger.state, b""))
        real, twin, reference = map(answers, ledgers)
        assert real == reference
        assert twin == reference


def answers(ledger: LedgerPort) -> object:
    """Everything that can be asked of a ledger."""
    numbers = range(-1, ledger.height + 1)
    with ledger.snapshot() as snapshot:
        state = (snapshot.height, state_answers(snapshot))
        entries = list(snapshot.entries())
    assert state == (ledger.height, state_answers(ledger.state))
    return (
        ledger.height,
        ledger.tip,
        ledger.commit_hash,
        state,
        entries,
        [ledger.block_bytes(n) for n in numbers],
        [ledger.block(n) for n in numbers],
        [block and ledger.block_number_by_hash(header_hash(block.header)) for block in map(ledger.block, numbers)],
        [ledger.transaction(tx_id) for tx_id in ("t1", "t2", "t3", "t4", "t5")],
        ledger.known_ids([TxId("t1"), TxId("t4"), TxId("t5")]),
        [list(ledger.history(ns, key)) for ns in NAMESPACES for key in KEYS],
    )


def state_answers(state: StateView) -> object:
    pairs = [(ns, key) for ns in NAMESPACES for key in KEYS]
    bounds = ["", "a", "a\x00", "b", "é"]
    return (
        [state.get(*pair) for pair in pairs],
        [state.get_hashed(ns, c, h) for ns in NAMESPACES for c in ("p", "q", "r") for h in HASHES],
        [list(state.range(ns, start, end)) for ns in NAMESPACES for start in bounds for end in bounds],
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger.open(CHANNEL, tmp_path / "ledger", RealDisk(), LevelDatabases(), replay)
    yield made
    made.close()


def test_a_snapshot_stands_still_while_blocks_are_committed(ledger: Ledger) -> None:
    first, second = chain([[Tx("t1", {("cc", "a"): b"1"})], [Tx("t2", {("cc", "a"): b"2", ("cc", "b"): b"2"})]])
    ledger.append(replay(first, ledger.state, b""))
    with ledger.snapshot() as before:
        ledger.append(replay(second, ledger.state, b""))
        found = before.get("cc", "a")
        assert found is not None
        assert (before.height, found.value, before.get("cc", "b")) == (1, b"1", None)
        assert [key for key, _ in before.range("cc", "", "")] == ["a"]
    with ledger.snapshot() as after:
        assert (after.height, [key for key, _ in after.range("cc", "", "")]) == (2, ["a", "b"])


@pytest.mark.parametrize("namespace", ["cc", LIFECYCLE])  # what a view has read of definitions, it remembers
def test_all_who_ask_between_two_commits_share_one_view_which_stands_still(namespace: str) -> None:
    first, second = chain([[Tx("t1", {(namespace, "a"): b"1"})], [Tx("t2", {(namespace, "a"): b"2"})]])
    with all_kinds() as ledgers:
        for ledger in ledgers:
            ledger.append(replay(first, ledger.state, b""))
            before, again = ledger.view, ledger.view
            assert before.get(namespace, "a") == before.get(namespace, "a") == VersionedValue(b"1", Version(0, 0))
            ledger.append(replay(second, ledger.state, b""))
            after = ledger.view
            assert before is again
            assert [(view.height, view.get(namespace, "a")) for view in (before, after)] == [
                (1, VersionedValue(b"1", Version(0, 0))),
                (2, VersionedValue(b"2", Version(1, 0))),
            ]


def test_history_comes_newest_first_with_deletes_and_without_invalid_writes(ledger: Ledger) -> None:
    script = [
        [Tx("t1", {("cc", "a"): b"1"}), Tx("t2", {("cc", "a"): b"2"})],
        [Tx("t3", {("cc", "a"): b"3"}, code=TxCode.MVCC_READ_CONFLICT)],
        [Tx("t4", {("cc", "a"): None})],
    ]
    for block in chain(script):
        ledger.append(replay(block, ledger.state, b""))
    found = [(m.tx_id, m.value, m.is_delete) for m in ledger.history("cc", "a")]
    assert found == [("t4", b"", True), ("t2", b"2", False), ("t1", b"1", False)]


def test_the_first_bearer_keeps_a_transaction_id(ledger: Ledger) -> None:
    script = [[Tx("t1", code=TxCode.BAD_PROPOSAL_TXID), Tx("t1")], [Tx("t1", code=TxCode.DUPLICATE_TXID)]]
    for block in chain(script):
        ledger.append(replay(block, ledger.state, b""))
    assert ledger.transaction("t1") == TxLocation(0, 0, TxCode.BAD_PROPOSAL_TXID)


def test_blocks_come_back_as_they_were_stored(ledger: Ledger) -> None:
    blocks = chain([[Tx("t1", {("cc", "a"): b"1"})], []])
    for block in blocks:
        ledger.append(replay(block, ledger.state, b""))
    assert [ledger.block_bytes(n) for n in range(2)] == [encode_block(block) for block in blocks]
    assert ledger.block_bytes(2) is None


@pytest.mark.parametrize("wrong", ["number", "previous hash"])
def test_a_block_that_does_not_follow_is_refused_and_changes_nothing(ledger: Ledger, wrong: str) -> None:
    mine = chain([[Tx("t1")], [Tx("t2")], [Tx("t3")]])
    other = chain([[Tx("x1")], [Tx("x2")]])
    ledger.append(replay(mine[0], ledger.state, b""))
    with pytest.raises(LedgerFault, match="does not follow"):
        ledger.append(replay({"number": mine[2], "previous hash": other[1]}[wrong], ledger.state, b""))
    ledger.append(replay(mine[1], ledger.state, b""))
    assert ledger.height == 2
