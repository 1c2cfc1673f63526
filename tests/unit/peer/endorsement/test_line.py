"""The line of proposals: clients take turns, and whoever has most in it gives way."""

from dataclasses import dataclass

from services.peer.endorsement.line import FairLine
from services.runtime.callers import Caller

ALICE, BOB = Caller(b"citizens", b"alice"), Caller(b"citizens", b"bob")
DOCTOR = Caller(b"medical", b"doctor")


@dataclass(frozen=True)
class Waits:
    caller: Caller
    raw: bytes


def drained(line: FairLine[Waits]) -> list[bytes]:
    return [line.take().raw for _ in range(len(line))]


def test_one_clients_proposals_stay_in_order() -> None:
    line: FairLine[Waits] = FairLine(10, 100)
    for raw in (b"1", b"2", b"3"):
        assert line.put(Waits(ALICE, raw)) == []
    assert drained(line) == [b"1", b"2", b"3"]
    assert len(line) == 0


def test_organisations_take_turns_and_so_do_their_clients() -> None:
    line: FairLine[Waits] = FairLine(100, 1000)
    for who, raw in ((ALICE, b"a1"), (ALICE, b"a2"), (ALICE, b"a3"), (BOB, b"b1"), (DOCTOR, b"d1"), (DOCTOR, b"d2")):
        line.put(Waits(who, raw))
    assert drained(line) == [b"a1", b"d1", b"b1", b"d2", b"a2", b"a3"]


def test_what_is_put_back_stands_where_it_stood() -> None:
    line: FairLine[Waits] = FairLine(100, 1000)
    for who, raw in ((ALICE, b"a1"), (ALICE, b"a2"), (BOB, b"b1"), (DOCTOR, b"d1")):
        line.put(Waits(who, raw))
    taken = [line.take() for _ in range(3)]
    assert [one.raw for one in taken] == [b"a1", b"d1", b"b1"]
    for one in reversed(taken[1:]):
        line.put_back(one)
    assert drained(line) == [b"d1", b"b1", b"a2"]
    assert len(line) == 0


def test_nobody_leaves_for_what_is_put_back_but_for_the_next_to_come() -> None:
    line: FairLine[Waits] = FairLine(2, 100)
    first, second, third = (Waits(ALICE, raw) for raw in (b"a1", b"a2", b"a3"))
    assert line.put(first) == line.put(second) == []
    assert line.take() is first
    assert line.put(third) == []
    line.put_back(first)
    assert len(line) == 3
    assert line.put(Waits(BOB, b"b1")) == [third, second]
    assert drained(line) == [b"a1", b"b1"]


def test_in_a_full_line_whoever_has_most_gives_up_his_newest() -> None:
    line: FairLine[Waits] = FairLine(3, 100)
    for raw in (b"a1", b"a2", b"a3"):
        line.put(Waits(ALICE, raw))
    assert [one.raw for one in line.put(Waits(ALICE, b"a4"))] == [b"a4"]
    assert [one.raw for one in line.put(Waits(DOCTOR, b"d1"))] == [b"a3"]
    assert drained(line) == [b"a1", b"d1", b"a2"]


def test_bytes_count_as_well_unless_there_is_but_one() -> None:
    line: FairLine[Waits] = FairLine(10, 100)
    assert line.put(Waits(ALICE, bytes(500))) == []
    assert [len(one.raw) for one in line.put(Waits(ALICE, bytes(2)))] == [2]
    assert line.take().raw == bytes(500)
    assert line.put(Waits(DOCTOR, bytes(60))) == line.put(Waits(ALICE, bytes(40))) == []
    assert [one.caller for one in line.put(Waits(ALICE, bytes(61)))] == [ALICE]


def test_few_large_ones_push_out_none_of_many_small_ones() -> None:
    line: FairLine[Waits] = FairLine(100, 1000)
    for _ in range(20):
        assert line.put(Waits(DOCTOR, bytes(10))) == []
    left = [one for _ in range(5) for one in line.put(Waits(ALICE, bytes(300)))]
    assert [one.caller for one in left] == [ALICE] * 3
    assert len(line) == 22
