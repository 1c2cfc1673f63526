"""The orderer as it is started: a process that serves AtomicBroadcast over mutual TLS, and comes back after a crash."""

import asyncio
import hashlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from deploy.generate import generate
from deploy.manifest import Network, NodeEntry
from deploy.topology import load_topology
from privysharing.protocol.block_checks import check_data, check_signatures
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import OLDEST, SeekInfo, SeekPosition
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.rpc.batch import BatchBroadcastClient
from privysharing.rpc.broadcast import BroadcastClient
from privysharing.rpc.deliver import ORDERER_BLOCKS, DeliverClient, DeliverRefused
from privysharing.rpc.errors import NodeUnavailable
from tests.support.nodes import until
from tests.support.ordering import envelope

ROOT = Path(__file__).resolve().parents[3]
CHANNEL = "health"
STARTING_SECONDS_MAX = 15.0


@dataclass
class City:
    """A generated network of which only the orderer runs."""

    network: Network

    @property
    def orderer(self) -> NodeEntry:
        return next(node for node in self.network.nodes if node.role == "orderer")

    @property
    def peer(self) -> NodeEntry:
        return next(node for node in self.network.nodes if node.role == "peer")

    def identity(self, msp: str, msp_id: str) -> SigningIdentity:
        folder = self.network.folder / msp
        certificate, key = (next((folder / name).iterdir()).read_bytes() for name in ("signcerts", "keystore"))
        return load_signing_identity(certificate, key, msp_id)

    def alice(self) -> SigningIdentity:
        citizens = next(org for org in self.network.organisations if org.name == "citizens")
        return self.identity(next(user.msp for user in citizens.users if user.name == "alice"), citizens.msp_id)

    def credentials(self, *, with_certificate: bool = True) -> grpc.ChannelCredentials:
        folder = self.network.folder
        roots = b"".join((folder / org.tls_ca).read_bytes() for org in self.network.organisations)
        if not with_certificate:
            return grpc.ssl_channel_credentials(roots)
        tls = folder / self.peer.tls
        return grpc.ssl_channel_credentials(roots, (tls / "server.key").read_bytes(), (tls / "server.crt").read_bytes())

    def certificate_hash(self) -> bytes:
        pem = (self.network.folder / self.peer.tls / "server.crt").read_text()
        first = pem[: pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return City(generate(load_topology("demo"), tmp_path_factory.mktemp("network")))


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.orderer.main", *arguments]


@contextmanager
def running(city: City) -> Iterator[subprocess.Popen[bytes]]:
    """The orderer, ready; killed at the end if it is still there."""
    config = str(city.network.folder / city.orderer.config)
    process = subprocess.Popen(command("--config", config, "--stop-with", str(os.getpid())), cwd=ROOT)
    try:
        wait_until_healthy(city, process)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until_healthy(city: City, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTING_SECONDS_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, "the orderer has ended"
        try:
            if ask_operations(city, "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the orderer did not get ready")


def ask_operations(city: City, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(city.orderer.operations_address, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@asynccontextmanager
async def connection(city: City, *, with_certificate: bool = True) -> AsyncIterator[grpc.aio.Channel]:
    credentials = city.credentials(with_certificate=with_certificate)
    async with grpc.aio.secure_channel(city.orderer.address, credentials) as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
        yield channel


def fresh(city: City, who: SigningIdentity | None = None) -> bytes:
    return envelope(os.urandom(64), who or city.alice(), channel_id=CHANNEL, timestamp_ns=time.time_ns())


async def submit(city: City, *envelopes: bytes) -> list[Status]:
    async with connection(city) as channel:
        client = BroadcastClient("orderer0", channel)
        answers = await asyncio.gather(*(client.send(raw, 10) for raw in envelopes))
        await client.close()
        return [answer.status for answer in answers]


async def fetch(city: City, who: SigningIdentity, wanted: int, certificate_hash: bytes | None = None) -> list[Block]:
    """Blocks from the first on, until they hold so many transactions."""
    hashed = city.certificate_hash() if certificate_hash is None else certificate_hash
    blocks: list[Block] = []
    async with connection(city) as channel, asyncio.timeout(10):
        client = DeliverClient("orderer0", channel, who, hashed)
        seek = SeekInfo(OLDEST, SeekPosition.at(2**63))
        async for raw in client.blocks(CHANNEL, seek, method=ORDERER_BLOCKS):
            blocks.append(parse_block(raw))
            if sum(len(block.data) for block in blocks[1:]) >= wanted:
                break
    return blocks


async def find(city: City, missing: set[bytes]) -> None:
    """Return once all of these have been seen in blocks, in blocks that hang together."""
    blocks: list[Block] = []
    async with connection(city) as channel, asyncio.timeout(20):
        client = DeliverClient("orderer0", channel, peer_identity(city), city.certificate_hash())
        async for raw in client.blocks(CHANNEL, SeekInfo(OLDEST, SeekPosition.at(2**63)), method=ORDERER_BLOCKS):
            blocks.append(parse_block(raw))
            missing -= set(blocks[-1].data)
            if not missing:
                break
    check_chain(blocks)


def peer_identity(city: City) -> SigningIdentity:
    return city.identity(city.peer.msp, city.peer.msp_id)


def check_chain(blocks: list[Block]) -> None:
    config = ChannelConfig.from_block(blocks[0])
    for place, block in enumerate(blocks):
        assert block.header.number == place
        if place:
            assert block.header.previous_hash == header_hash(blocks[place - 1].header)
            check_data(block)
            check_signatures(block, config)


async def test_envelopes_become_signed_blocks_and_stay_so_over_a_stop_and_a_kill(city: City) -> None:
    ordered: list[bytes] = []
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        with running(city) as process:
            batch = [fresh(city) for _ in range(30)]
            assert await submit(city, *batch) == [Status.SUCCESS] * 30
            ordered += batch
            blocks = await fetch(city, peer_identity(city), len(ordered))
            check_chain(blocks)
            assert [raw for block in blocks[1:] for raw in block.data] == ordered
            process.send_signal(end)
            stopped = time.monotonic()
            assert process.wait(10) == (0 if end is signal.SIGTERM else -signal.SIGKILL)
            assert time.monotonic() - stopped < 8


async def test_the_doors_are_where_the_configuration_has_them(city: City) -> None:
    with running(city):
        assert await submit(city, fresh(city)) == [Status.SUCCESS]
        assert await submit(city, envelope(channel_id=CHANNEL, timestamp_ns=time.time_ns())) == [Status.FORBIDDEN]
        with pytest.raises(DeliverRefused) as refused:
            await fetch(city, city.alice(), 1)  # a client is a Writer and no Reader
        assert refused.value.status is Status.FORBIDDEN
        with pytest.raises(DeliverRefused) as refused:
            await fetch(city, peer_identity(city), 1, b"x" * 32)
        assert refused.value.status is Status.BAD_REQUEST
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(1), connection(city, with_certificate=False):
                pass


async def test_operators_see_health_version_and_fabric_s_metrics(city: City) -> None:
    with running(city):
        await submit(city, fresh(city))
        await fetch(city, peer_identity(city), 1)
        assert json.loads(ask_operations(city, "/version")[1])["Version"]
        page = ask_operations(city, "/metrics")[1].decode()
        for sample in (
            'broadcast_processed_count{channel="health",type="ENDORSER_TRANSACTION",status="SUCCESS"}',
            'ledger_blockchain_height{channel="health"}',
            'grpc_server_stream_requests_received{service="orderer_AtomicBroadcast",method="Broadcast"}',
            'deliver_blocks_sent{channel="health",filtered="false",data_type="block"}',
            'blockcutter_block_fill_duration_count{channel="health"}',
        ):
            assert sample in page, sample


def test_help_says_what_it_is_and_how_it_is_told() -> None:
    shown = subprocess.run(command("--help"), cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert "--config" in shown.stdout
    assert "ordering node" in shown.stdout


def test_a_bad_configuration_ends_the_process_with_a_line_that_names_it(city: City) -> None:
    config = str(city.network.folder / city.orderer.config)
    environment = {**os.environ, "ORDERER_GENERAL_LISTENPORT": "x"}
    ended = subprocess.run(
        command("--config", config), cwd=ROOT, capture_output=True, text=True, env=environment, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "configuration: General.ListenPort: x is not a whole number from 0 to 65535\n"


async def test_a_second_orderer_on_the_same_folder_ends_and_the_first_goes_on(city: City) -> None:
    config = city.network.folder / city.orderer.config
    environment = {
        **os.environ,
        "ORDERER_GENERAL_LISTENPORT": "0",
        "ORDERER_OPERATIONS_LISTENADDRESS": "127.0.0.1:0",
    }
    with running(city):
        ended = await asyncio.to_thread(
            subprocess.run,
            command("--config", str(config)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 2
        assert ended.stderr.endswith(f"{config.parent / 'data'} is in use by another orderer\n")
        assert await submit(city, fresh(city)) == [Status.SUCCESS]


async def test_a_kill_under_load_loses_nothing_acknowledged_and_hangs_nobody(city: City) -> None:
    acknowledged: list[bytes] = []
    over = asyncio.Event()

    async def caller(client: BatchBroadcastClient) -> None:
        while not over.is_set():
            raw = fresh(city)
            try:
                if (await client.send(raw, 5)).status is Status.SUCCESS:
                    acknowledged.append(raw)
            except NodeUnavailable:
                await asyncio.sleep(0.1)

    async def grow(by: int) -> None:
        goal = len(acknowledged) + by
        await until(lambda: len(acknowledged) >= goal)

    channel = grpc.aio.secure_channel(city.orderer.address, city.credentials())
    client = BatchBroadcastClient(channel, BroadcastClient("orderer0", channel))
    callers: list[asyncio.Task[None]] = []
    try:
        for _ in range(2):
            with running(city):  # killed at the end
                callers = callers or [asyncio.create_task(caller(client)) for _ in range(40)]
                await grow(by=300)
        with running(city):
            await grow(by=300)
            over.set()
            async with asyncio.timeout(15):
                await asyncio.gather(*callers)
            await find(city, set(acknowledged))
    finally:
        over.set()
        await client.close()
        await channel.close()
