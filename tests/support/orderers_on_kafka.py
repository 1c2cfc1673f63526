"""Orderers of several organisations as they are started, their channels on a cluster that network.yaml names."""

import asyncio
import http.client
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import yaml

from deploy.generate import generate
from deploy.manifest import Network, NodeEntry
from deploy.topology import NETWORK_YAML, Topology, load_topology
from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import OLDEST, SeekInfo, SeekPosition
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.rpc.broadcast import BroadcastAnswer, BroadcastClient
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.deliver import ORDERER_BLOCKS, DeliverClient
from tests.support.ordering import envelope

ROOT = Path(__file__).resolve().parents[2]
BROKERS = "ORDERER_PRIVYSHARING_KAFKA_BROKERS"
ORDERERS = 2


def on_existing(name: str, brokers: tuple[str, ...], zookeepers: tuple[str, ...], folder: Path) -> Topology:
    """A topology whose ordering network.yaml says to be on these."""
    document = yaml.safe_load(NETWORK_YAML.read_text())
    addresses = {"brokers": list(brokers), "zookeepers": list(zookeepers)}
    document["topologies"][name]["ordering"] = {"kafka": addresses}
    file = folder / "network.yaml"
    file.write_text(yaml.safe_dump(document))
    return load_topology(name, file)


class City:
    """Some orderers, their channels, and what it takes to call them."""

    def __init__(self, topology: Topology, folder: Path, *channels: str) -> None:
        """`topology`: one like ordering4."""
        first = topology.channels[0]
        self.channel = channels[0]
        self.network: Network = generate(
            replace(
                topology,
                orderers=topology.orderers[:ORDERERS],
                channels=tuple(replace(first, name=channel) for channel in channels),
            ),
            folder,
        )
        self.first, self.second = (node for node in self.network.nodes if node.role == "orderer")
        self.peer = next(node for node in self.network.nodes if node.role == "peer")

    def who(self, msp: str, msp_id: str) -> SigningIdentity:
        folder = self.network.folder / msp
        certificate, key = (next((folder / name).iterdir()).read_bytes() for name in ("signcerts", "keystore"))
        return load_signing_identity(certificate, key, msp_id)

    def envelopes(self, count: int, channel: str = "") -> list[bytes]:
        org = next(org for org in self.network.organisations if org.name == "citizens")
        alice = self.who(next(user.msp for user in org.users if user.name == "alice"), org.msp_id)
        channel = channel or self.channel
        return [envelope(os.urandom(64), alice, channel_id=channel, timestamp_ns=time.time_ns()) for _ in range(count)]

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

    async def answers(self, node: NodeEntry, envelopes: list[bytes]) -> list[BroadcastAnswer]:
        """To each by itself, one after the other."""
        found = []
        async with self.calling(node) as channel:
            client = BroadcastClient(node.name, channel)
            for raw in envelopes:  # one a block
                found.append(await client.send(raw, 10))
                await asyncio.sleep(0.1)
            await client.close()
        return found

    async def order(self, node: NodeEntry, envelopes: list[bytes]) -> None:
        assert {answer.status for answer in await self.answers(node, envelopes)} == {Status.SUCCESS}

    async def blocks(self, node: NodeEntry, wanted: list[bytes], channel_id: str = "") -> list[Block]:
        """From the first on, until all that is wanted has come."""
        missing, found = set(wanted), []
        peer = self.who(self.peer.msp, self.peer.msp_id)
        async with self.calling(node) as channel, asyncio.timeout(20):
            client = DeliverClient(node.name, channel, peer, self.tls().certificate_hash)
            seek = SeekInfo(OLDEST, SeekPosition.at(2**63))
            async for raw in client.blocks(channel_id or self.channel, seek, method=ORDERER_BLOCKS):
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


def asked(node: NodeEntry, path: str) -> tuple[int, str]:
    """What a node answers on its operations port."""
    connection = http.client.HTTPConnection(node.operations_address, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()


async def told(node: NodeEntry, status: int, text: str = "", seconds_max: float = 20.0) -> None:
    """Return once the node says so of itself."""
    answer = (0, "nothing")
    try:
        async with asyncio.timeout(seconds_max):
            while not (answer[0] == status and text in answer[1]):
                await asyncio.sleep(0.1)
                answer = await asyncio.to_thread(asked, node, "/healthz")
    except TimeoutError:
        raise AssertionError(f"{node.name} says {answer}") from None
