"""The only orderer of a network signs two histories, one for each half of it: real peers tell each other."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from random import Random
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest

from deploy.manifest import NodeEntry
from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.deliver import encode_deliver_block, parse_seek_info
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekKind
from privysharing.protocol.msp.signing import load_signing_identity
from services.client.network.processes import Processes
from tests.support.following import OrderedChain
from tests.support.liars import LyingOrderer
from tests.support.live import CHANNEL, GeneratedNetwork
from tests.support.nodes import Handlers, serving, until
from tests.support.ordering import envelope

HALVES = ("MedicalMSP", "PoliceMSP")  # the citizens' peers are told the other story
PEERS = ("peer0.medical.city", "peer0.police.city", "peer0.citizens.city")
Context = grpc.aio.ServicerContext[bytes, bytes]


class TwoStories:
    """An orderer's Deliver service: who asks decides which chain he is shown."""

    def __init__(self, genesis: Block, signer: SigningIdentity) -> None:
        self.chains = {True: OrderedChain(genesis, signer), False: OrderedChain(genesis, signer)}
        self._liar = LyingOrderer(signer, Random(20263))
        self._grown = asyncio.Condition()

    async def order(self, *envelopes: bytes, twice: bool = False) -> None:
        """A block for everybody, or of one height, two."""
        one, other = self.chains[True], self.chains[False]
        block = one.cut(*envelopes)
        other.blocks.append(self._liar.twin(block) if twice else block)
        async with self._grown:
            self._grown.notify_all()

    async def deliver(self, requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        asked = parse_payload(parse_envelope(await anext(aiter(requests))).payload)
        msp_id, _ = parse_serialized_identity(asked.header.signature.creator)
        blocks = self.chains[msp_id in HALVES].blocks
        start = parse_seek_info(asked.data).start
        assert start is not None
        assert start.kind is SeekKind.SPECIFIED
        number = start.number
        while True:
            async with self._grown:
                while number >= len(blocks):
                    await self._grown.wait()
            yield encode_deliver_block(encode_block(blocks[number]))
            number += 1


def has_committed(log: Path) -> bool:
    return b"committed block" in log.read_bytes()


def holds_two(evidence: Path) -> bool:
    return len(list(evidence.glob("*.block"))) == 2


@pytest.fixture
def generated(tmp_path: Path) -> Iterator[tuple[GeneratedNetwork, Processes]]:
    network = GeneratedNetwork("demo", tmp_path / "network")
    processes = Processes(network.network, stop_with=os.getpid())
    yield network, processes
    processes.stop()


def told(node: NodeEntry, path: str) -> str:
    """What a node tells its operator."""
    try:
        with urlopen(f"http://{node.operations_address}{path}", timeout=10) as answer:
            text: bytes = answer.read()
    except HTTPError as error:
        text = error.read()
    return text.decode()


async def test_a_single_orderer_that_tells_two_stories_is_noticed_before_its_second_block(
    generated: tuple[GeneratedNetwork, Processes],
) -> None:
    network, processes = generated
    node = next(each for each in network.network.nodes if each.role == "orderer")
    keys = network.signer(node.name)
    (key,) = (network.network.path(node.msp) / "keystore").iterdir()
    signer = load_signing_identity(keys.certificate, key.read_bytes(), node.msp_id)
    stories = TwoStories(parse_block(network.genesis.read_bytes()), signer)
    tls = network.network.path(node.tls)
    pair = ((tls / "server.key").read_bytes(), (tls / "server.crt").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], network.tls_roots, require_client_auth=True)
    handler: Handlers = {"/orderer.AtomicBroadcast/Deliver": grpc.stream_stream_rpc_method_handler(stories.deliver)}
    async with serving(handler, credentials, int(node.address.rpartition(":")[2])):
        await asyncio.to_thread(processes.start, PEERS)
        await stories.order(envelope(channel_id=CHANNEL))
        evidence = {
            peer: network.network.path(network.node(peer).data) / "ledgersData" / CHANNEL / "evidence" for peer in PEERS
        }
        for peer in PEERS:
            await until(partial(has_committed, processes.log(network.node(peer))))
        await asyncio.sleep(1)  # whoever came first finds the others
        began = time.monotonic()
        await stories.order(envelope(channel_id=CHANNEL), twice=True)
        for peer in PEERS:
            await until(partial(holds_two, evidence[peer]))
        print(f"noticed by all within {time.monotonic() - began:.2f} s")  # noqa: T201 - a figure for whoever looks
    for peer in PEERS:
        ours, theirs = (parse_block((evidence[peer] / f"2-{whose}.block").read_bytes()) for whose in ("ours", "theirs"))
        mine = stories.chains[network.node(peer).msp_id in HALVES].blocks[2]
        other = stories.chains[network.node(peer).msp_id not in HALVES].blocks[2]
        assert (ours.data, theirs.data) == (mine.data, other.data)
        health = await asyncio.to_thread(told, network.node(peer), "/healthz")  # it goes on, to be asked
        assert "block 2 is" in health
        assert "both are kept" in health
        metrics = await asyncio.to_thread(told, network.node(peer), "/metrics")
        assert f'privysharing_channel_stopped{{channel="{CHANNEL}"}} 1' in metrics
