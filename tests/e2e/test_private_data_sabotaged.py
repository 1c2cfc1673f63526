"""A member that was away, frozen or wiped has every private value soon; a stranger gets none, whichever way he asks."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator

import grpc
import pytest

from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.protocol.private_data import (
    Ask,
    MissingAsk,
    PrivateSet,
    Pull,
    Push,
    PushedTransaction,
    Request,
    WantedSet,
)
from privysharing.protocol.private_exchange import NONCE_BYTES, seal_request
from privysharing.rpc.private_data import METHOD
from privysharing.sdk import Call
from privysharing.sdk.errors import ContractRefused, Refused
from tests.canary.network import COLLECTION, topology
from tests.support import foreign_client as foreign
from tests.support.foreign_client import Tls
from tests.support.live import CHANNEL, CONTRACT, DENIED, LiveNetwork

ASSET = "alice@CitizensMSP/wine"
TOLD_LATER = "peer1.medical.city"  # endorses nothing: it has what others tell it
MEMBER, OTHER_MEMBER, STRANGER = "peer0.medical.city", "peer0.police.city", "peer0.citizens.city"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    network = LiveNetwork(topology(), tmp_path_factory.mktemp("sabotaged") / "network")
    asyncio.run(_created(network))
    yield network
    network.stop()


async def _created(network: LiveNetwork) -> None:
    async with network.people("alice") as (alice,):
        await alice.does("CreateAsset", "blood_alcohol", "wine", "private")


async def added(network: LiveNetwork, value: str) -> None:
    """A reading, acknowledged by whoever runs."""
    async with network.people("alice") as (alice,):
        transient = {"readings": alice.contract.salted({"value": value, "unit": "permille"})}
        call = Call(CONTRACT, "AddPrivateReadings", (ASSET,), transient, (COLLECTION,))
        await alice.contract.channel.submit(call)


def shown(network: LiveNetwork, peer: str, label: str) -> bytes:
    """All the private data that a peer delivers to somebody with its blocks."""
    seek = network.seek(network.signer(label), foreign.OLDEST, foreign.NEWEST, connected_as=label)
    with network.dial(network.node(peer), label) as channel:
        *blocks, status = foreign.blocks_with_private_data(channel, seek)
    assert status.status == foreign.common.SUCCESS
    sets = (each for answer in blocks for each in answer.block_and_private_data.private_data_map.values())
    return b"".join(each.SerializeToString() for each in sets)


def everything_is_there(network: LiveNetwork, *values: str) -> None:
    asyncio.run(network.agreement())
    assert asyncio.run(network.completeness()) == {}
    delivered = shown(network, TOLD_LATER, "admin.medical")
    assert [value for value in values if value.encode() not in delivered] == []


def test_a_member_that_was_down_frozen_or_wiped_has_every_value_soon(network: LiveNetwork) -> None:
    with network.stopped([TOLD_LATER]):
        asyncio.run(added(network, "while it was down"))
    everything_is_there(network, "while it was down")
    process = network.processes.process(network.node(TOLD_LATER))
    assert process is not None
    process.suspend()
    try:
        asyncio.run(added(network, "while it was frozen"))
    finally:
        process.resume()
    everything_is_there(network, "while it was down", "while it was frozen")
    with network.stopped([TOLD_LATER]):
        shutil.rmtree(network.network.path(network.node(TOLD_LATER).data))
        asyncio.run(added(network, "while it was wiped"))
    everything_is_there(network, "while it was down", "while it was frozen", "while it was wiped")


def identity(network: LiveNetwork, node: str) -> SigningIdentity:
    msp = network.network.path(network.node(node).msp)
    (certificate,), (key,) = (msp / "signcerts").iterdir(), (msp / "keystore").iterdir()
    return load_signing_identity(certificate.read_bytes(), key.read_bytes(), network.node(node).msp_id)


def tls_of(network: LiveNetwork, node: str) -> Tls:
    tls = network.network.path(network.node(node).tls)
    return Tls(network.tls_roots, (tls / "server.crt").read_bytes(), (tls / "server.key").read_bytes())


def asked(network: LiveNetwork, who: str, ask: Ask, shows: str = "") -> bytes:
    """A signed question of one node to the member, made for connections of `shows`, or its own."""
    request = Request(
        channel_id=CHANNEL,
        requester=identity(network, who).serialized,
        tls_cert_hash=tls_of(network, shows or who).certificate_hash,
        responder=sha256(identity(network, MEMBER).serialized),
        nonce=os.urandom(NONCE_BYTES),
        timestamp_ns=time.time_ns(),
        ask=ask,
    )
    return seal_request(request, identity(network, who))[0]


def refusal(network: LiveNetwork, shows: str, signed: bytes) -> str:
    """Why the member refuses what comes over a connection of this node's; nothing when it answers."""
    with foreign.connected(network.node(MEMBER).address, tls_of(network, shows)) as channel:
        try:
            channel.unary_unary(METHOD)(signed, timeout=10)
        except grpc.RpcError as error:
            return str(error.details()).partition(":")[0]  # type: ignore[attr-defined]
    return ""


def test_a_stranger_is_refused_by_every_path_also_with_a_members_request(network: LiveNetwork) -> None:
    asyncio.run(added(network, "not for strangers"))
    wanted = Pull(CONTRACT, COLLECTION, (WantedSet(TxId("0" * 64), 1, 0, bytes(32)),))
    pushed = Push((PushedTransaction(TxId("0" * 64), 1, (PrivateSet(CONTRACT, COLLECTION, b"\x0a\x00"),)),))
    for ask in (wanted, pushed, MissingAsk(10)):
        assert refusal(network, STRANGER, asked(network, STRANGER, ask)) in ("not_a_member", "forged")
    genuine = asked(network, OTHER_MEMBER, wanted)
    assert refusal(network, STRANGER, genuine) == "other_connection"
    assert refusal(network, OTHER_MEMBER, genuine) == ""
    assert refusal(network, OTHER_MEMBER, genuine) == "replayed"
    assert refusal(network, STRANGER, asked(network, OTHER_MEMBER, wanted, shows=STRANGER)) == ""  # it has the key
    for peer in (MEMBER, STRANGER):
        assert b"not for strangers" not in shown(network, peer, "admin.citizens")
    assert b"not for strangers" in shown(network, MEMBER, "admin.medical")
    asyncio.run(_asked_of_the_contract(network))


async def _asked_of_the_contract(network: LiveNetwork) -> None:
    read = Call(CONTRACT, "ReadAsset", (ASSET,))
    async with network.people("mallory", "alice") as (mallory, alice):
        for node in mallory.contract.channel.nodes.endorsers:
            with pytest.raises(ContractRefused) as refused:
                await mallory.contract.channel.evaluate(read, (node,))
            assert refused.value.refusal.message == DENIED
            if node.name == STRANGER:  # its owner is refused there, too: the peer does not have the value
                with pytest.raises(Refused):
                    await alice.contract.channel.evaluate(read, (node,))
            else:
                assert b"not for strangers" in await alice.contract.channel.evaluate(read, (node,))
