"""Where the ordering log is: what may be said of it, what is generated then, and what brokers are told."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from deploy.generate import generate
from deploy.kafka import programs
from deploy.kafka.cluster import Cluster, NotACluster
from deploy.kafka.settings import BROKER, ZOOKEEPER, Member, broker_settings, zookeeper_settings
from deploy.manifest import Network
from deploy.ordering import EMBEDDED, KAFKA, ExistingKafka, OwnKafka, Wish, with_ordering
from deploy.packages import Missing
from deploy.topology import TopologyError, load_topology
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.sdk.profile import ConnectionProfile
from services.orderer import config as orderer_config
from tests.unit.deploy.test_topology import altered

THERE = ExistingKafka(("kafka1.city:9092", "kafka2.city:9092"), ("zookeeper.city:2181",))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (EMBEDDED, None),
        (KAFKA, OwnKafka(1, 1)),
        ({"kafka": {"brokers": 4, "zookeepers": 3}}, OwnKafka(4, 3)),
        ({"kafka": {"zookeepers": 0}}, OwnKafka(1, 0)),
        ({"kafka": {"brokers": list(THERE.brokers), "zookeepers": list(THERE.zookeepers)}}, THERE),
        ({"kafka": {"brokers": ["kafka.city:9092"]}}, ExistingKafka(("kafka.city:9092",))),
    ],
)
def test_the_log_is_where_the_topology_says(said: Any, meant: Any, tmp_path: Path) -> None:
    assert load_topology("demo", altered(tmp_path, "topologies", "demo", "ordering", value=said)).ordering == meant


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("raft", "ordering is 'raft'"),
        ({"kafka": {}, "raft": {}}, "ordering is"),
        ({"kafka": 4}, r"ordering.kafka is 4"),
        ({"kafka": {"brokers": 0}}, r"kafka.brokers is 0"),
        ({"kafka": {"brokers": []}}, r"kafka.brokers is \(\)"),
        ({"kafka": {"brokers": ["kafka.city"]}}, r"kafka is 'kafka.city'; needed: host:port"),
        ({"kafka": {"topics": 1}}, r"only the keys brokers, zookeepers"),
    ],
)
def test_what_makes_no_sense_of_a_log_is_refused_by_its_place(said: Any, place: str, tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=place):
        load_topology("demo", altered(tmp_path, "topologies", "demo", "ordering", value=said))


@pytest.mark.parametrize(
    ("wish", "described", "meant"),
    [
        (Wish(), OwnKafka(4, 3), OwnKafka(4, 3)),
        (Wish(), None, None),
        (Wish(KAFKA), None, OwnKafka(1, 1)),
        (Wish(KAFKA), OwnKafka(4, 3), OwnKafka(4, 3)),
        (Wish(KAFKA), THERE, THERE),
        (Wish(brokers=3), OwnKafka(1, 0), OwnKafka(3, 0)),
        (Wish(KAFKA, zookeepers=3), THERE, OwnKafka(1, 3)),
        (Wish(EMBEDDED), OwnKafka(4, 3), None),
    ],
)
def test_what_a_command_line_asks_for_goes_over_what_is_described(wish: Wish, described: Any, meant: Any) -> None:
    assert wish.over(described) == meant


def test_an_embedded_log_has_no_brokers() -> None:
    @click.command()
    @with_ordering
    def command(ordering: Wish) -> None:
        raise AssertionError(ordering)

    refused = CliRunner().invoke(command, ["--ordering", "embedded", "--brokers", "1"])
    assert refused.exit_code == 2
    assert "--brokers and --zookeepers are for --ordering kafka" in refused.output


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return generate(load_topology("ordering4"), tmp_path_factory.mktemp("four") / "network")


def test_with_kafka_channels_name_brokers_and_orderers_know_the_ensemble(four: Network) -> None:
    cluster = Cluster.load(four.path(four.ordering.cluster))
    assert (len(cluster.brokers), len(cluster.ensemble)) == (4, 3)
    assert four.ordering.brokers == cluster.bootstrap
    for channel in four.channels:
        config = ChannelConfig.from_block(parse_block(four.path(channel.genesis).read_bytes())).orderer
        assert config.consensus_type == "kafka"
        assert config.kafka_brokers == cluster.bootstrap
    orderers = [node for node in four.nodes if node.role == "orderer"]
    assert [node.msp_id for node in orderers] == ["MinistryMSP", "MedicalMSP", "PoliceMSP", "CitizensMSP"]
    for node in orderers:
        settings = orderer_config.load(four.path(node.config), environment={})
        assert settings.reporting.unused_keys == ()
        assert settings.kafka.replication_factor == 3
        assert settings.kafka.zookeeper.addresses == cluster.zookeepers


def test_each_organisation_uses_its_own_orderer_first_and_knows_all(four: Network) -> None:
    for org in four.organisations:
        orderers = ConnectionProfile.load(four.path(org.profile)).channel("health").orderers
        assert orderers[0].name.endswith(org.domain)
        assert len({orderer.name for orderer in orderers}) == 4


def test_a_channel_that_fabrics_peers_may_join_says_nothing_of_kafka_and_its_orderer_all(tmp_path: Path) -> None:
    made = generate(replace(load_topology("interop"), ordering=THERE), tmp_path)
    assert made.ordering.cluster == ""
    config = ChannelConfig.from_block(parse_block(made.path(made.channel("health").genesis).read_bytes())).orderer
    assert (config.consensus_type, config.kafka_brokers) == ("etcdraft", ())
    settings = orderer_config.load(made.path(made.nodes[0].config), environment={})
    assert settings.reporting.unused_keys == ()
    assert settings.kafka.brokers == THERE.brokers
    assert settings.kafka.always


def test_several_orderers_without_a_log_that_they_share_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="which is for one orderer; needed: kafka"):
        generate(load_topology("ordering4").ordered(Wish(EMBEDDED)), tmp_path)


def members(kind: str, number: int) -> list[Member]:
    return [Member(kind, place, 9000 + place, 9100 + place, 9200 + place) for place in range(number)]


@pytest.mark.parametrize(("number", "copies", "in_sync"), [(1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 3, 2)])
def test_what_is_acknowledged_is_kept_by_more_than_one_broker_where_there_are_more(
    number: int, copies: int, in_sync: int
) -> None:
    brokers = members(BROKER, number)
    settings = broker_settings(brokers[0], brokers, members(ZOOKEEPER, 1), kraft=False)
    assert settings["default.replication.factor"] == copies
    assert settings["min.insync.replicas"] == in_sync
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["log.retention.ms"] == -1
    assert ("log.flush.interval.messages" in settings) == (number == 1)


def test_without_an_ensemble_the_first_three_brokers_keep_the_clusters_metadata() -> None:
    brokers = members(BROKER, 4)
    told = [broker_settings(broker, brokers, [], kraft=True) for broker in brokers]
    assert [each["process.roles"] for each in told] == ["broker,controller"] * 3 + ["broker"]
    assert {each["controller.quorum.voters"] for each in told} == {"0@127.0.0.1:9100,1@127.0.0.1:9101,2@127.0.0.1:9102"}
    assert not any("zookeeper.connect" in each for each in told)


def test_a_single_ensemble_node_has_no_fellows_and_three_know_each_other() -> None:
    (alone,) = members(ZOOKEEPER, 1)
    assert not any(key.startswith("server.") for key in zookeeper_settings(alone, [alone]))
    three = members(ZOOKEEPER, 3)
    assert zookeeper_settings(three[0], three)["server.3"] == "127.0.0.1:9102:9202"


@pytest.mark.parametrize(("brokers", "zookeepers"), [(0, 1), (17, 1), (1, 8)])
def test_a_cluster_of_too_many_or_none_is_refused(brokers: int, zookeepers: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needed: 1 to 16, and at most 7"):
        Cluster.make(tmp_path, brokers, zookeepers)


def test_a_folder_without_a_cluster_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotACluster, match=f"no cluster in {tmp_path}"):
        Cluster.load(tmp_path)
    (tmp_path / "cluster.json").write_text('{"format": 1}')
    with pytest.raises(NotACluster, match="is damaged"):
        Cluster.load(tmp_path)


def test_without_java_or_the_means_to_install_it_the_line_to_type_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match="needed: java, for Kafka; install it with: apt-get install default-jre-headless"):
        programs.program("java")


def test_what_maven_cannot_fetch_is_told_and_nothing_is_taken_for_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    monkeypatch.setattr(programs, "POM", tmp_path / "pom.xml")
    monkeypatch.setattr(programs, "ARCHIVES", tmp_path / "kafka" / "lib")
    with pytest.raises(Missing, match=r"Maven cannot fetch what .*pom\.xml names"):
        programs.archives()
    assert not (tmp_path / "kafka" / "lib" / "pom.sha256").exists()


def test_the_way_in_from_a_shell_teaches_by_help() -> None:
    for arguments in ([], ["up"], ["down"], ["fetch"]):
        done = subprocess.run(
            [sys.executable, "-m", "deploy.kafka", *arguments, "--help"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
