"""Private data between real peers: who should hold it gets it, however he lost it; nobody else sees any of it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from deploy.wallets import network_wallet
from privysharing.contract.critical import CRITICAL
from privysharing.contract.private_readings import TRANSIENT
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.collections import implicit_collection
from privysharing.protocol.deliver import NEWEST, OLDEST, SeekInfo
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.private_data import Answer, Ask, Pull, WantedSet
from privysharing.protocol.private_exchange import peers_of
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.deliver import DeliverClient
from privysharing.rpc.errors import NodeRefused
from privysharing.rpc.private_data import PrivateDataClient
from privysharing.sdk import Call
from privysharing.sdk.errors import Refused
from services.client.network.identities import profile_of
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy

MEMBER, LOSER = "peer0.medical.city", "peer0.police.city"
CITIZENS = ("peer0.citizens.city", "peer1.citizens.city")
ASSET = "alice@CitizensMSP/{}"


@dataclass(frozen=True)
class Caller:
    """Somebody at one peer's doors."""

    deliveries: DeliverClient
    private: PrivateDataClient
    config: ChannelConfig

    async def asks(self, ask: Ask) -> Answer:
        return await self.private.ask(CHANNEL, ask, peers_of(self.config, 0), timeout_s=5)

    async def sets(self) -> dict[tuple[str, str], list[bytes]]:
        """All private sets that he is shown, by namespace and collection."""
        found: dict[tuple[str, str], list[bytes]] = {}
        async for block in self.deliveries.blocks_with_private_data(CHANNEL, SeekInfo(OLDEST, NEWEST)):
            for sets in block.private.values():
                for name, rwset in sets.items():
                    found.setdefault(name, []).append(rwset)
        return found


@asynccontextmanager
async def calling(network: LiveNetwork, label: str, node_name: str) -> AsyncIterator[Caller]:
    entry = network_wallet(network.network).get(label)
    profile, node = profile_of(network.network, entry.msp_id), network.node(node_name)
    tls = ClientTls(network.tls_roots, profile.tls_certificate, profile.tls_key)
    channel = open_channel(node.address, tls)
    try:
        who, shown = entry.signing_identity(), tls.certificate_hash
        config = ChannelConfig.from_block(parse_block(network.genesis.read_bytes()))
        yield Caller(
            DeliverClient(node_name, channel, who, shown), PrivateDataClient(node_name, channel, who, shown), config
        )
    finally:
        await channel.close()


async def write_private(network: LiveNetwork, name: str, value: str) -> None:
    async with network.people("alice") as (alice,):
        await alice.does("CreateAsset", "blood_alcohol", name, "private")
        transient = {TRANSIENT: alice.contract.salted({"value": value, "unit": "per mille"})}
        call = Call(CONTRACT, "AddPrivateReadings", (ASSET.format(name),), transient, (CRITICAL,))
        await alice.contract.channel.submit(call)
    await network.agreement()


async def read_at(network: LiveNetwork, name: str, peer: str) -> list[str]:
    """What a peer has of an asset, as soon as it has it."""
    async with network.people("alice") as (alice,):
        channel = alice.contract.channel
        node = next(node for node in channel.nodes.endorsers if node.name == peer)
        for _ in range(100):
            try:
                answer = json.loads(await channel.evaluate(Call(CONTRACT, "ReadAsset", (ASSET.format(name),)), [node]))
            except Refused:
                await asyncio.sleep(0.1)
            else:
                return [reading["value"] for reading in answer["readings"]]
    raise AssertionError(f"{peer} never had the value")


def lacking(network: LiveNetwork, label: str) -> list[tuple[str, str, str]]:
    """Peers of an organisation, and the collections of which they lack something."""
    done = privy("peer", "missing", "--as", label, "--json", "--network", network.network.folder)
    assert done.returncode == 0, done.stderr
    return [(row["peer"], row["chaincode"], row["collection"]) for row in json.loads(done.stdout)]


def test_a_member_that_lost_everything_has_the_values_soon_after_it_is_back(demo: LiveNetwork, tmp_path: Path) -> None:
    """But for its organisation's approval: of that there is no second peer, and it says that it lacks it."""
    data = demo.network.path(demo.node(LOSER).data)
    asyncio.run(write_private(demo, "lost", "canary 0.9"))
    with demo.stopped([LOSER]):
        data.rename(tmp_path / "data")
    try:
        asyncio.run(demo.agreement())
        assert asyncio.run(read_at(demo, "lost", LOSER)) == ["canary 0.9"]
        assert lacking(demo, "admin.police") == [(LOSER, LIFECYCLE, implicit_collection("PoliceMSP"))]
    finally:
        with demo.stopped([LOSER]):
            shutil.rmtree(data)
            (tmp_path / "data").rename(data)


async def test_blocks_with_private_data_show_each_reader_his_own(demo: LiveNetwork) -> None:
    await write_private(demo, "shown", "canary 1.1")
    async with calling(demo, "admin.medical", MEMBER) as member, calling(demo, "admin.citizens", MEMBER) as other:
        shown = await member.sets()
        assert any(b"canary 1.1" in rwset for rwset in shown[CONTRACT, CRITICAL])
        assert not await other.sets()


async def test_approvals_reach_every_peer_of_their_organisation_and_no_other(demo: LiveNetwork) -> None:
    approvals = LIFECYCLE, implicit_collection("CitizensMSP")
    found = []
    for name in CITIZENS:
        async with calling(demo, "admin.citizens", name) as admin:
            found.append((await admin.sets())[approvals])
    assert found[0] == found[1] != []
    assert lacking(demo, "admin.citizens") == []
    async with calling(demo, "admin.citizens", MEMBER) as elsewhere:
        assert approvals not in await elsewhere.sets()


def test_a_peer_that_does_not_tell_what_it_lacks_hides_nothing_of_the_others(demo: LiveNetwork) -> None:
    with demo.stopped([CITIZENS[1]]):
        done = privy("peer", "missing", "--as", "admin.citizens", "--json", "--network", demo.network.folder)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)
    assert (row["peer"], bool(row["error"])) == (CITIZENS[1], True)


@pytest.mark.parametrize("label", ["alice", "admin.citizens", "admin.medical"])
async def test_nobody_but_a_members_peer_pulls(demo: LiveNetwork, label: str) -> None:
    wanted = (WantedSet(TxId("0" * 64), 1, 0, bytes(32)),)
    async with calling(demo, label, MEMBER) as caller:
        with pytest.raises(NodeRefused, match="not_a_member") as refused:
            await caller.asks(Pull(CONTRACT, CRITICAL, wanted))
        assert refused.value.code is grpc.StatusCode.PERMISSION_DENIED
