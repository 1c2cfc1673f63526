"""The reference ledger judges as a committer does."""

from privysharing.chaincode.memory import MemoryWorld
from privysharing.protocol.codes import TxCode


def opened(world, tx_id="tx"):
    return world.stub([b"F"], creator=b"", tx_id=tx_id, timestamp_ns=1)


def written(**values):
    world = MemoryWorld("city")
    stub = opened(world)
    for key, value in values.items():
        stub.put_state(key, value)
    assert world.commit(stub) == (TxCode.VALID,)
    return world


def test_two_readers_of_one_key_cannot_both_write_it():
    world = written(a=b"1")
    first, second = opened(world), opened(world)
    for stub in (first, second):
        stub.get_state("a")
        stub.put_state("a", b"2")
    assert world.commit(first, second) == (TxCode.VALID, TxCode.MVCC_READ_CONFLICT)


def test_a_conflict_changes_nothing_and_emits_nothing():
    world = written(a=b"1")
    stale = opened(world, "stale")
    stale.get_state("a")
    stale.put_state("b", b"x")
    stale.set_event("E", b"")
    fresh = opened(world)
    fresh.put_state("a", b"2")
    world.commit(fresh)
    assert world.commit(stale) == (TxCode.MVCC_READ_CONFLICT,)
    assert sorted(world.state) == ["a"]
    assert world.events == []
    assert list(opened(world).get_history("b")) == []


def test_absence_is_read_too():
    world = written(a=b"1")
    stub = opened(world)
    assert stub.get_state("b") is None
    other = opened(world)
    other.put_state("b", b"1")
    world.commit(other)
    assert world.commit(stub) == (TxCode.MVCC_READ_CONFLICT,)


def test_blind_writes_never_conflict():
    world = written(a=b"1")
    first, second = opened(world), opened(world)
    first.put_state("a", b"2")
    second.del_state("a")
    assert world.commit(first, second) == (TxCode.VALID, TxCode.VALID)
    assert world.state == {}


def test_a_key_that_appears_in_a_range_is_a_phantom():
    world = written(a=b"1", c=b"1")
    stub = opened(world)
    assert [key for key, _ in stub.get_range("a", "z")] == ["a", "c"]
    other = opened(world)
    other.put_state("b", b"1")
    world.commit(other)
    assert world.commit(stub) == (TxCode.PHANTOM_READ_CONFLICT,)


def test_a_scan_that_stopped_early_answers_only_for_what_it_saw():
    world = written(a=b"1", c=b"1")
    stub = opened(world)
    assert next(stub.get_range("a", "z"))[0] == "a"
    other = opened(world)
    other.put_state("b", b"1")
    world.commit(other)
    assert world.commit(stub) == (TxCode.VALID,)


def test_a_stub_sees_one_moment():
    world = written(a=b"1")
    stub = opened(world)
    other = opened(world)
    other.put_state("a", b"2")
    world.commit(other)
    assert stub.get_state("a") == b"1"
    assert [value for _, value in stub.get_range("", "")] == [b"1"]
