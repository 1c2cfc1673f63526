"""Real brokers and ZooKeeper nodes: one that ends is told, none outlives whom it is for, and orderers use any kind."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from kafka import KafkaAdminClient
from kafka.admin import UserScramCredentialUpsertion

from deploy.kafka.cluster import Cluster, MemberEnded
from deploy.manifest import NodeEntry
from deploy.ports import PortTaken, choose_ports
from tests.support.live import CHANNEL, LiveNetwork, privy
from tests.support.orderers_on_kafka import BROKERS, City, on_existing, told
from tests.support.topics import contradictions, read_topic

ROOT = Path(__file__).parents[2]
ENDING_SECONDS_MAX = 20.0
OWNER = """
import os, sys, time
from pathlib import Path
from deploy.kafka.cluster import Cluster
cluster = Cluster.load(Path(sys.argv[1]))
cluster.start(stop_with=os.getpid())
cluster.ready()
print(*cluster.pids().values(), flush=True)
time.sleep(300)
"""
# A broker's second door: TLS from both sides, and a name and a password, by PLAIN or SCRAM.
GUARDED = """
listeners=PLAINTEXT://{plain},CONTROLLER://{controller},GUARDED://{guarded}
advertised.listeners=PLAINTEXT://{plain},GUARDED://{guarded}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_SSL
inter.broker.listener.name=PLAINTEXT
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={keys}
ssl.truststore.type=PEM
ssl.truststore.location={roots}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.guarded.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required user_orderer="{password}";
listener.name.guarded.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
"""
MODULES = "org.apache.kafka.common.security"
PLAIN_PASSWORD, SCRAM_PASSWORD = "plain-to-read", "salted-and-hashed"


def test_a_member_that_ended_is_told_with_its_last_words_and_starts_again(kafka_cluster: Cluster) -> None:
    kafka_cluster.kill(["broker0"])
    with pytest.raises(MemberEnded, match=r"broker0 ended; its log \S+/broker0/log ends with:\n"):
        kafka_cluster.ready()
    kafka_cluster.start()
    kafka_cluster.ready()
    assert set(kafka_cluster.pids()) == {"zookeeper0", "broker0"}


def test_another_cluster_does_not_start_in_its_place(kafka_cluster: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path, kafka_cluster.brokers, kafka_cluster.ensemble)
    with pytest.raises(PortTaken, match=r"port \d+ of zookeeper0 is taken by process"):
        other.start()
    assert other.pids() == {}


def test_a_network_orders_through_a_cluster_that_its_description_names(kafka_cluster: Cluster, tmp_path: Path) -> None:
    topology = on_existing("bench-1ch", kafka_cluster.bootstrap, kafka_cluster.zookeepers, tmp_path)
    network = LiveNetwork(topology, tmp_path / "network")
    try:
        assert network.processes.kafka is None
        blocks = network.blocks(network.orderer)
        assert len(blocks) > 1  # the contract is defined by transactions
        assert contradictions(read_topic(kafka_cluster.bootstrap, CHANNEL), blocks) == []
        asked = privy("orderer", "live", "--as", "alice", "--network", tmp_path / "network", "--json")
        told_by, msp_id = network.orderer.name, network.orderer.msp_id
        (live,) = json.loads(asked.stdout)
        assert live == {"address": network.orderer.address, "msp_id": msp_id, "told_by": told_by}
    finally:
        network.stop()


class Guarded:
    """A broker without ZooKeeper, which ends with its owner; a city whose orderers may use its second door."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster.make(folder / "cluster", zookeepers=0)
        (self.plain,) = self.cluster.bootstrap
        topology = on_existing("ordering4", (self.plain,), (), folder)
        self.city = City(topology, folder / "network", "guarded", "unused")
        self._guard(self.city.peer)
        command = [sys.executable, "-c", OWNER, str(self.cluster.folder)]
        self.owner = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def serves(self) -> None:
        """Return once the broker serves, and knows whose name is whose."""
        assert self.owner.stdout is not None
        (self.broker,) = [psutil.Process(int(pid)) for pid in self.owner.stdout.readline().split()]
        with closing(KafkaAdminClient(bootstrap_servers=self.plain)) as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion("orderer", "SCRAM-SHA-512", SCRAM_PASSWORD)]
            )

    def keys(self, password: str, mechanism: str) -> dict[str, str]:
        """What an orderer is told of the second door."""
        own = self.city.network.path(self.city.first.tls)
        return {
            BROKERS: self.guarded,
            "ORDERER_KAFKA_TLS_ENABLED": "true",
            "ORDERER_KAFKA_TLS_ROOTCAS_FILE": str(self.roots),
            "ORDERER_KAFKA_TLS_CERTIFICATE_FILE": str(own / "server.crt"),
            "ORDERER_KAFKA_TLS_PRIVATEKEY_FILE": str(own / "server.key"),
            "ORDERER_KAFKA_SASLPLAIN_ENABLED": "true",
            "ORDERER_KAFKA_SASLPLAIN_USER": "orderer",
            "ORDERER_KAFKA_SASLPLAIN_PASSWORD": password,
            "ORDERER_PRIVYSHARING_KAFKA_SASLMECHANISM": mechanism,
        }

    def _guard(self, node: NodeEntry) -> None:
        """The broker shows the certificate of a node of this machine."""
        network, home = self.city.network, self.cluster.home(self.cluster.brokers[0])
        own = network.path(node.tls)
        keys, self.roots = home / "keys.pem", home / "roots.pem"
        keys.write_bytes((own / "server.key").read_bytes() + (own / "server.crt").read_bytes())
        self.roots.write_bytes(b"".join(network.path(org.tls_ca).read_bytes() for org in network.organisations))
        self.guarded = f"127.0.0.1:{choose_ports(['guarded'])['guarded']}"
        with (home / "server.properties").open("a") as settings:
            settings.write(
                GUARDED.format(
                    plain=self.plain,
                    controller=f"127.0.0.1:{self.cluster.brokers[0].quorum}",
                    guarded=self.guarded,
                    keys=keys.absolute(),
                    roots=self.roots.absolute(),
                    modules=MODULES,
                    password=PLAIN_PASSWORD,
                )
            )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"))
    with made.owner:
        try:
            made.serves()
            yield made
        finally:
            made.owner.kill()


async def test_orderers_on_brokers_without_zookeeper_show_them_who_they_are(guarded: Guarded) -> None:
    city = guarded.city
    raws = city.envelopes(4)
    with city.starting(city.first, **guarded.keys("a guess", "PLAIN")):
        await told(city.first, 503, "Authentication failed")
    with (
        city.starting(city.first, **guarded.keys(PLAIN_PASSWORD, "PLAIN")),
        city.starting(city.second, **guarded.keys(SCRAM_PASSWORD, "SCRAM-SHA-512")),
    ):
        await asyncio.gather(*(told(node, 200) for node in (city.first, city.second)))
        await city.order(city.first, raws[:2])
        await city.order(city.second, raws[2:])
        first, second = [await city.blocks(node, raws) for node in (city.first, city.second)]
        for mine, theirs in zip(first, second, strict=False):
            assert (mine.header, mine.data) == (theirs.header, theirs.data)


def test_brokers_end_with_their_owner_however_that_ends(guarded: Guarded) -> None:
    assert guarded.broker.is_running()
    guarded.owner.send_signal(signal.SIGKILL)  # and nobody buries it
    deadline = time.monotonic() + ENDING_SECONDS_MAX
    while guarded.broker.is_running() and guarded.broker.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert psutil.Process(guarded.owner.pid).status() == psutil.STATUS_ZOMBIE
    guarded.owner.wait()
