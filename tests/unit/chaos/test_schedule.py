"""A schedule of strikes follows from its seed, kills as often as it was told, and leaves no kind of strike out."""

from itertools import chain

import pytest

from tests.chaos.schedule import (
    ENSEMBLE_LEADER,
    Cut,
    FullDisk,
    Kill,
    Meddle,
    Restart,
    Stop,
    Strike,
    Victims,
    schedule,
)

NODES = ("orderer0", "peer0", "peer1", "peer2", "peer3")
ORDERERS = ("orderer0", "orderer1")
BROKERS, ENSEMBLE = ("broker0", "broker1"), ("zookeeper0", "zookeeper1", "zookeeper2")
EMBEDDED = Victims(NODES)
KAFKA = Victims((*NODES, "orderer1"), ORDERERS, BROKERS, ENSEMBLE)


def strikes(seed: int, kills: int, victims: Victims = EMBEDDED) -> list[Strike]:
    return [step.strike for step in schedule(seed, kills, victims)]


def kills(seed: int, number: int, victims: Victims = EMBEDDED) -> list[Kill]:
    return [strike for strike in strikes(seed, number, victims) if isinstance(strike, Kill)]


def test_one_seed_is_one_schedule_and_another_seed_another() -> None:
    assert list(schedule(1, 50, EMBEDDED)) == list(schedule(1, 50, EMBEDDED))
    assert list(schedule(1, 50, EMBEDDED)) != list(schedule(2, 50, EMBEDDED))


@pytest.mark.parametrize("victims", [EMBEDDED, KAFKA], ids=["embedded", "kafka"])
@pytest.mark.parametrize("number", [0, 1, 2, 7, 60])
def test_it_kills_exactly_as_often_as_it_was_told(number: int, victims: Victims) -> None:
    for seed in range(50):
        assert sum(strike.kills for strike in kills(seed, number, victims)) == number


@pytest.mark.parametrize("seed", range(20))
def test_with_kafka_a_run_has_brokers_ensemble_cluster_orderers_and_connections_in_it(seed: int) -> None:
    found = strikes(seed, 60, KAFKA)
    assert {type(strike) for strike in found} == {Kill, Stop, Restart, FullDisk, Cut, Meddle}
    killed = {strike.victims for strike in found if isinstance(strike, Kill)}
    assert {(*BROKERS, *ENSEMBLE), (ENSEMBLE_LEADER,), *((orderer,) for orderer in ORDERERS)} <= killed
    assert killed & {(broker,) for broker in BROKERS}
    assert killed & {(member,) for member in ENSEMBLE}
    stopped = {strike.victim for strike in found if isinstance(strike, Stop)}
    for each in (BROKERS, ENSEMBLE, ORDERERS):
        assert stopped & set(each)


def test_without_kafka_nobody_is_struck_who_is_not_there() -> None:
    found = strikes(3, 60)
    assert not any(isinstance(strike, Cut | Meddle) for strike in found)
    assert set(chain.from_iterable(strike.victims for strike in found if isinstance(strike, Kill))) == set(NODES)


def test_stops_and_cuts_are_as_long_as_is_asked_for() -> None:
    found = [step.strike for step in schedule(1, 60, KAFKA, (60.0, 60.0))]
    assert {strike.seconds for strike in found if isinstance(strike, Stop | Cut)} == {60.0}


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
