"""Private sets wait for their commit on disk, and no longer."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privysharing.protocol.crypto import sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.private_data import PrivateSet, PushedTransaction
from services.peer.private_data import transient
from services.peer.private_data.transient import RECORD_BYTES, RETAINED_BLOCKS, StoredTransient, TransientStoreFull
from services.peer.private_data.types import PurgedKey, ToKeep
from services.runtime.disk import RealDisk
from services.runtime.memorydisk import MemoryDisk, PowerLoss

FOLDER = Path("/transient")
ONE, TWO, THREE = (TxId(name) for name in ("one", "two", "three"))


def private(number: int, collection: str = "c") -> PrivateSet:
    return PrivateSet("cc", collection, b"\x1a\x07\x0a\x01k\x1a\x02v%d" % number)


@pytest.fixture
def store() -> StoredTransient:
    return StoredTransient(MemoryDisk(), FOLDER)


def test_sets_are_found_by_their_transaction_until_it_is_committed(store: StoredTransient) -> None:
    both = [PushedTransaction(ONE, 1, (private(1), private(2, "d"))), PushedTransaction(TWO, 1, (private(3),))]
    assert store.keep_all([ToKeep(each, ()) for each in both]) == [None, None]
    assert list(store.sets_of(ONE)) == [private(1), private(2, "d")]
    store.committed([ONE, THREE], 2)
    assert list(store.sets_of(ONE)) == []
    assert list(store.sets_of(TWO)) == [private(3)]
    assert store.waiting == 1


def test_sets_that_endorsers_differ_in_are_all_kept_and_equal_ones_once(store: StoredTransient) -> None:
    for each in (private(1), private(2), private(1)):
        store.keep(ONE, 1, [each])
    assert list(store.sets_of(ONE)) == [private(1), private(2)]


def test_what_is_endorsed_after_a_purge_saves_nothing_else_of_its_transaction_from_it() -> None:
    disk = MemoryDisk()
    store = StoredTransient(disk, FOLDER)
    purge = PurgedKey("cc", "c", sha256(b"k"), 5, 0)
    for height, each in ((5, private(1)), (6, private(2))):
        store.keep(ONE, height, [each])
    for opened in (store, StoredTransient(disk, FOLDER)):
        opened.purge([purge])
        assert list(opened.sets_of(ONE)) == [PrivateSet("cc", "c", b""), private(2)]


def test_what_is_never_committed_goes_after_many_blocks(store: StoredTransient) -> None:
    store.keep(ONE, 5, [private(1)])
    store.keep(TWO, 150, [private(2)])
    store.committed([], RETAINED_BLOCKS)
    assert store.waiting == 2
    store.committed([], RETAINED_BLOCKS + 100)
    assert (list(store.sets_of(ONE)), list(store.sets_of(TWO))) == ([], [private(2)])


def test_there_is_a_limit_to_what_waits_and_a_refused_hand_leaves_nothing(
    store: StoredTransient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 1000)
    store.keep(ONE, 1, [private(1)])
    with pytest.raises(TransientStoreFull, match="is full; try again later"):
        store.keep(TWO, 1, [private(number) for number in range(9)])
    assert store.waiting == 1
    store.committed([ONE], 2)
    store.keep(THREE, 1, [private(1)])
    assert store.waiting == 1


@pytest.mark.parametrize("flooding", [1, 2, 5])
def test_what_an_organisation_has_waiting_is_no_more_than_it_leaves(
    flooding: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 400_000)
    store, kept, full = StoredTransient(MemoryDisk(), FOLDER), Counter[str](), None
    for number in itertools.count():
        who = f"Org{number % flooding}"
        transaction = PushedTransaction(TxId(str(number)), 1, (private(number % 10),))
        (full,) = store.keep_all([ToKeep(transaction, [who])])
        if full is not None:
            break
        kept[who] += 1
    assert str(full) == f"{who}'s share of the transient store of this peer is full; try again later"
    assert max(kept.values()) - min(kept.values()) <= 1
    left = transient.WAITING_BYTES_MAX - store.waiting_bytes
    assert store.waiting_bytes / flooding == pytest.approx(left, rel=0.02)
    more = PushedTransaction(ONE, 1, (private(1),) * 20)
    outcomes = store.keep_all([ToKeep(more, wanted_by) for wanted_by in (["Org0"], ["honest"], ["Org0", "honest"])])
    assert [full is None for full in outcomes] == [False, True, True]
    store.purge([])
    assert store.keep_all([ToKeep(more, ["Org0"])]) != [None]  # also once the journal is written anew
    store.committed([TxId(str(number)) for number in range(kept.total())], 2)
    assert store.keep_all([ToKeep(more, ["Org0"])]) == [None]


def test_nobody_has_room_for_millions_of_sets_that_are_empty(
    store: StoredTransient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 10 * RECORD_BYTES)
    empty = [ToKeep(PushedTransaction(TxId(str(number)), 1, (PrivateSet("cc", "c", b""),)), ()) for number in range(10)]
    assert store.keep_all(empty)[-1] is not None
    assert 5 < store.waiting < 10


def test_a_set_that_nobody_can_read_holds_no_purge_up(tmp_path: Path) -> None:
    store = StoredTransient(RealDisk(), tmp_path)
    store.keep(ONE, 1, [PrivateSet("cc", "c", b"\xffgarbage")])
    store.keep(TWO, 1, [private(2)])
    store.purge([PurgedKey("cc", "c", sha256(b"other"), 5, 0)])
    assert list(store.sets_of(TWO)) == [private(2)]
    assert b"garbage" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    store.close()


def test_what_is_committed_leaves_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transient, "FORGOTTEN_BYTES_MAX", 500)
    store = StoredTransient(RealDisk(), tmp_path)
    for number in range(50):
        tx_id = TxId(f"tx {number}")
        store.keep(tx_id, 1, [private(number)])
        if number != 7:
            store.committed([tx_id], 2)
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*.records"))
    assert len(left) < 3000
    assert b"v7" in left
    store.close()
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"v7" in left
    assert b"v49" not in left
    store = StoredTransient(RealDisk(), tmp_path)
    assert list(store.sets_of(TxId("tx 7"))) == [private(7)]
    store.forget(lambda ids: [each for each in ids if each == "tx 7"])
    assert store.waiting == 0
    store.close()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), max_size=14), st.integers(0, 90), st.integers(0, 2**16))
def test_after_power_was_cut_what_was_kept_is_there(steps: list[int], deeds: int, seed: int) -> None:
    """0: everything so far is committed; any other number is a transaction that is kept."""
    disk = MemoryDisk()
    disk.cut_power_after(deeds)
    kept: list[TxId] = []
    try:
        store = StoredTransient(disk, FOLDER)
        for at, step in enumerate(steps):
            if step == 0:
                forgotten, kept = kept, []
                store.committed(forgotten, 2)
            else:
                tx_id = TxId(f"{at}/{step}")
                store.keep(tx_id, 1, [private(at)])
                kept.append(tx_id)
        store.close()
    except PowerLoss:
        pass
    disk.restart(seed)
    store = StoredTransient(disk, FOLDER)
    for tx_id in kept:
        assert list(store.sets_of(tx_id)) == [private(int(tx_id.partition("/")[0]))]
