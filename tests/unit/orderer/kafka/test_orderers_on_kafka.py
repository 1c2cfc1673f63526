"""Orderers as they are started, on real brokers: they wait for them, find each other, and catch up from each other."""

import asyncio
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from kafka import TopicPartition

from deploy.generate import generate
from deploy.kafka.cluster import Cluster
from deploy.manifest import Network, NodeEntry
from deploy.ordering import ExistingKafka
from deploy.topology import load_topology
from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import OLDEST, SeekInfo, SeekPosition
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.protocol.orderers import LiveOrderer
from privysharing.rpc.broadcast import BroadcastClient
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.deliver import ORDERER_BLOCKS, DeliverClient
from privysharing.rpc.directory import live_orderers
from services.orderer.sealing import position_of
from tests.support import kafka as support
from tests.support.ordering import envelope

ROOT = Path(__file__).resolve().parents[4]
BROKERS = "ORDERER_PRIVYSHARING_KAFKA_BROKERS"


class City:
    """Orderers of several organisations, one channel, and what it takes to call them."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.channel = support.new_topic()
        topology = load_topology("ordering4")
        self.network: Network = generate(
            replace(
                topology,
                orderers=topology.orderers[:2],
                channels=(replace(topology.channels[0], name=self.channel),),
                ordering=ExistingKafka(cluster.bootstrap, cluster.zookeepers),
            ),
            folder,
        )
        self.first, self.second = (node for node in self.network.nodes if node.role == "orderer")
        self.peer = next(node for node in self.network.nodes if node.role == "peer")

    def who(self, msp: str, msp_id: str) -> SigningIdentity:
        folder = self.network.folder / msp
        certificate, key = (next((folder / name).iterdir()).read_bytes() for name in ("signcerts", "keystore"))
        return load_signing_identity(certificate, key, msp_id)

    def envelopes(self, count: int) -> list[bytes]:
        org = next(org for org in self.network.organisations if org.name == "citizens")
        alice = self.who(next(user.msp for user in org.users if user.name == "alice"), org.msp_id)
        return [
            envelope(os.urandom(64), alice, channel_id=self.channel, timestamp_ns=time.time_ns()) for _ in range(count)
        ]

    def tls(self) -> ClientTls:
        folder = self.network.folder
        own = folder / self.peer.tls
        roots = b"".join((folder / org.tls_ca).read_bytes() for org in self.network.organisations)
        return ClientTls(roots, (own / "server.crt").read_bytes(), (own / "server.key").read_bytes())

    @asynccontextmanager
    async def calling(self, node: NodeEntry) -> AsyncIterator[grpc.aio.Channel]:
        channel = open_channel(node.address, self.tls())
        try:
            yield channel
        finally:
            await channel.close()

    async def order(self, node: NodeEntry, envelopes: list[bytes]) -> None:
        async with self.calling(node) as channel:
            client = BroadcastClient(node.name, channel)
            for raw in envelopes:  # one a block
                assert (await client.send(raw, 10)).status is Status.SUCCESS
                await asyncio.sleep(0.1)
            await client.close()

    async def blocks(self, node: NodeEntry, wanted: list[bytes]) -> list[Block]:
        missing, found = set(wanted), []
        peer = self.who(self.peer.msp, self.peer.msp_id)
        async with self.calling(node) as channel, asyncio.timeout(20):
            client = DeliverClient(node.name, channel, peer, self.tls().certificate_hash)
            seek = SeekInfo(OLDEST, SeekPosition.at(2**63))
            async for raw in client.blocks(self.channel, seek, method=ORDERER_BLOCKS):
                found.append(parse_block(raw))
                missing -= set(found[-1].data)
                if not missing:
                    return found
        raise AssertionError("the delivery ended")

    @contextmanager
    def starting(self, node: NodeEntry, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        config = str(self.network.folder / node.config)
        command = [sys.executable, "-m", "services.orderer.main", "--config", config, "--stop-with", str(os.getpid())]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def health(node: NodeEntry) -> tuple[int, str]:
    connection = http.client.HTTPConnection(node.operations_address, timeout=5)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()


async def told(node: NodeEntry, status: int, text: str = "") -> None:
    """Return once the node says so of itself."""
    async with asyncio.timeout(20):
        while True:
            answer = await asyncio.to_thread(health, node)
            if answer[0] == status and text in answer[1]:
                return
            await asyncio.sleep(0.1)


@pytest.fixture
def city(kafka_cluster: Cluster, tmp_path: Path) -> City:
    return City(kafka_cluster, tmp_path / "network")


async def test_an_orderer_whose_log_was_trimmed_takes_blocks_from_another_and_goes_on(
    kafka_cluster: Cluster, city: City
) -> None:
    early, late = city.envelopes(6), city.envelopes(4)
    with city.starting(city.first):
        await told(city.first, 200)
        await city.order(city.first, early)
        shown = await city.blocks(city.first, early)
        assert len(shown) > 3
        with support.admin(kafka_cluster) as admin:
            admin.delete_records({TopicPartition(city.channel, 0): position_of(shown[-2]).last_offset + 1})
        with city.starting(city.second):
            await told(city.second, 200)
            await city.order(city.second, late)
            chains = [await city.blocks(node, [*early, *late]) for node in (city.first, city.second)]
            length = min(map(len, chains))
            for mine, theirs in zip(chains[0][:length], chains[1][:length], strict=True):
                assert (mine.header, mine.data) == (theirs.header, theirs.data)
            assert position_of(chains[0][length - 1]) == position_of(chains[1][length - 1])
            async with city.calling(city.second) as channel:
                live = await live_orderers(city.second.name, channel)
            assert live == tuple(
                sorted(LiveOrderer(*_split(node.address), node.msp_id) for node in (city.first, city.second))
            )


async def test_an_orderer_waits_for_brokers_and_says_so(kafka_cluster: Cluster, city: City) -> None:
    with city.starting(
        city.first, **{BROKERS: "127.0.0.1:1", "ORDERER_PRIVYSHARING_ZOOKEEPER_ADDRESSES": " "}
    ) as first:
        await told(city.first, 503, "no brokers to order with yet")
        first.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(first.wait, 8) == 0
    with city.starting(city.first, **{BROKERS: "127.0.0.1:1"}):  # and ZooKeeper names others
        await told(city.first, 200)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
