"""What a real ZooKeeper tells orderers, and that they do without it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss

from deploy.kafka.cluster import Cluster
from privysharing.protocol.orderers import LiveOrderer
from services.orderer.kafka.config import ZooKeeperConfig
from services.orderer.kafka.ensemble import Ensemble
from tests.support.kafka import new_topic


def wait_until(fact: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.02)


class City:
    """Orderers, and below which folder of the ensemble they meet."""

    def __init__(self, cluster: Cluster) -> None:
        self.config = ZooKeeperConfig(addresses=cluster.zookeepers, root=f"/{new_topic()}", session_s=4.0)

    def orderer(self, number: int) -> LiveOrderer:
        return LiveOrderer("127.0.0.1", 7050 + number, f"Org{number}MSP")

    @contextmanager
    def running(self, number: int) -> Iterator[Ensemble]:
        ensemble = Ensemble(self.config, self.orderer(number), "PLAINTEXT")
        ensemble.contend("health")
        ensemble.start()
        try:
            yield ensemble
        finally:
            ensemble.stop()


@pytest.fixture
def city(kafka_cluster: Cluster) -> City:
    return City(kafka_cluster)


def test_brokers_are_found_where_they_register(kafka_cluster: Cluster, city: City) -> None:
    with city.running(0) as ensemble:
        wait_until(lambda: ensemble.brokers() == kafka_cluster.bootstrap)


def test_entries_that_nobody_can_have_meant_are_passed_over(kafka_cluster: Cluster, city: City) -> None:
    """A client of the brokers' library fails over one bad address, whatever good ones there are."""
    city.config = replace(city.config, brokers=f"{city.config.root}/kafka")
    brokers = [b"[]", b'{"endpoints": 5}', b'{"endpoints": [5, "PLAINTEXT://h:p", "PLAINTEXT://h:0"]}', b"[" * 100_000]
    orderers = [
        b"7",
        b'{"host": "h", "port": 99999999999, "msp_id": "m"}',
        b'{"host": "\\ud800", "port": 1, "msp_id": "m"}',
        b'{"host": "h", "port": 1e999, "msp_id": "m"}',
    ]
    stranger = KazooClient(hosts=",".join(city.config.addresses))
    stranger.start()
    try:
        for number, entry in enumerate([*brokers, b'{"endpoints": ["PLAINTEXT://[::1]:9092"]}']):
            stranger.create(f"{city.config.brokers}/brokers/ids/{number}", entry, makepath=True)
        for number, entry in enumerate(orderers):
            stranger.create(f"{city.config.root}/orderers/{number}", entry, makepath=True)
        with city.running(0) as first, city.running(1) as second:
            wait_until(lambda: first.brokers() == second.brokers() == ("[::1]:9092",))
            wait_until(lambda: first.live() == second.live() == (city.orderer(0), city.orderer(1)))
    finally:
        stranger.stop()
        stranger.close()


def test_orderers_know_who_lives_and_one_of_them_leads_until_it_is_gone(city: City) -> None:
    with ExitStack() as running:
        all_of_them = [running.enter_context(city.running(number)) for number in (0, 1)]
        with city.running(2) as third:
            wait_until(lambda: len(third.live()) == 3)
            wait_until(lambda: sum(each.leads("health") for each in (*all_of_them, third)) == 1)
        wait_until(lambda: all(each.live() == (city.orderer(0), city.orderer(1)) for each in all_of_them))
        wait_until(lambda: sum(each.leads("health") for each in all_of_them) == 1)
        leader = next(each for each in all_of_them if each.leads("health"))
        other = next(each for each in all_of_them if each is not leader)
        leader.stop()
        wait_until(lambda: other.leads("health"))


def test_a_session_that_is_lost_is_made_up_for(city: City) -> None:
    with city.running(0) as first, city.running(1) as second:
        wait_until(lambda: len(first.live()) == len(second.live()) == 2)
        leader = first if first.leads("health") else second
        before = leader._client.client_id
        thief = KazooClient(hosts=",".join(city.config.addresses), client_id=before)
        thief.start()
        thief.stop()  # which ends the session that both have
        thief.close()
        wait_until(lambda: leader._client.client_id not in (None, before) and leader._client.connected)
        wait_until(lambda: len(first.live()) == len(second.live()) == 2)
        wait_until(lambda: first.leads("health") + second.leads("health") == 1)


def test_one_orderer_at_a_time_makes_a_topic(city: City) -> None:
    with city.running(0) as first, city.running(1) as second:
        wait_until(lambda: len(first.live()) == len(second.live()) == 2)
        order: list[str] = []

        def other() -> None:
            with second.alone("health"):
                order.append("second")

        waiting = threading.Thread(target=other)
        with first.alone("health"):
            waiting.start()
            time.sleep(0.2)
            order.append("first")
        waiting.join()
    assert order == ["first", "second"]


def test_without_an_ensemble_everybody_goes_first_and_nobody_waits() -> None:
    config = ZooKeeperConfig(addresses=("127.0.0.1:1",))
    me = LiveOrderer("127.0.0.1", 7050, "OrgMSP")
    ensemble = Ensemble(config, me, "PLAINTEXT")
    ensemble.contend("health")
    ensemble.start()
    with ensemble.alone("health"):
        assert ensemble.leads("health")
        assert ensemble.live() == (me,)
        assert ensemble.brokers() == ()
    ensemble.stop()


def test_a_channel_is_opened_while_the_ensemble_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(_client: KazooClient, _path: str) -> None:
        asked.set()
        answer.wait(10)
        raise ConnectionLoss

    monkeypatch.setattr(KazooClient, "ensure_path", slow)
    ensemble = Ensemble(ZooKeeperConfig(addresses=("127.0.0.1:1",)), LiveOrderer("127.0.0.1", 7050, "OrgMSP"), "SSL")
    beginning = threading.Thread(target=ensemble._begin)
    beginning.start()
    assert asked.wait(5)
    started = time.monotonic()
    ensemble.contend("health")
    assert time.monotonic() - started < 1
    answer.set()
    beginning.join()
    ensemble.stop()
