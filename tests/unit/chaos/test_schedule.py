"""A schedule of strikes follows from its seed, kills as often as it was told, and leaves no kind of strike out."""

from itertools import chain

import pytest

from tests.chaos.schedule import FullDisk, Kill, Restart, Stop, Strike, schedule

NODES = ("orderer0", "peer0", "peer1", "peer2", "peer3")


def strikes(seed: int, kills: int) -> list[Strike]:
    return [step.strike for step in schedule(seed, kills, NODES)]


def kills(seed: int, number: int) -> list[Kill]:
    return [strike for strike in strikes(seed, number) if isinstance(strike, Kill)]


def test_one_seed_is_one_schedule_and_another_seed_another() -> None:
    assert list(schedule(1, 50, NODES)) == list(schedule(1, 50, NODES))
    assert list(schedule(1, 50, NODES)) != list(schedule(2, 50, NODES))


@pytest.mark.parametrize("number", [0, 1, 2, 7, 60])
def test_it_kills_exactly_as_often_as_it_was_told(number: int) -> None:
    for seed in range(50):
        assert sum(strike.kills for strike in kills(seed, number)) == number


@pytest.mark.parametrize("seed", range(20))
def test_a_short_run_has_one_strike_of_each_kind(seed: int) -> None:
    found = strikes(seed, 12)
    assert {type(strike) for strike in found} == {Kill, Stop, Restart, FullDisk}
    assert any(strike.again_after_s for strike in found if isinstance(strike, Kill))
    assert any(strike.victims == NODES for strike in found if isinstance(strike, Kill))


def test_a_long_run_kills_everybody_alone_in_pairs_and_all_at_once_and_during_recovery() -> None:
    found = kills(5, 300)
    assert {len(strike.victims) for strike in found} == {1, 2, len(NODES)}
    assert set(chain.from_iterable(strike.victims for strike in found if len(strike.victims) == 1)) == set(NODES)
    assert {len(strike.again_after_s) for strike in found} == {0, 1, 2, 3}
    assert any(strike.again_after_s and strike.again_after_s[0] < 1 for strike in found)
    assert {strike.waits for strike in found} == {True, False}


def test_nobody_is_struck_twice_at_once() -> None:
    assert all(len(set(strike.victims)) == len(strike.victims) for strike in kills(7, 300))
