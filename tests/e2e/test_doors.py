"""Rules 1 to 5, 7, 8, 9 and 10 at every door of topology `demo`: the contract, blocks, queries of them, and events."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.certificates import Authority, Credential
from privysharing.sdk.errors import ContractRefused
from tests.support import foreign_client as foreign
from tests.support.foreign_client import Signer, Tls
from tests.support.live import CHANNEL, CONTRACT, DENIED, GeneratedNetwork, LiveNetwork

SECRET_READING = "61.803398875"  # what everybody is after
CLIENTS = ("alice", "doctor", "officer", "mint", "admin.ministry")
OPERATORS = ("admin.citizens", "admin.medical", "admin.police", "peer0.medical.city", "peer1.citizens.city")


@dataclass(frozen=True)
class Scene:
    """Alice's asset with one reading, granted to the doctor."""

    live: LiveNetwork
    asset: str
    share_tx: str
    share_block: int


@pytest.fixture(scope="module")
def scene(demo: LiveNetwork) -> Scene:
    async def play() -> Scene:
        async with demo.people("alice", "doctor", "mint") as (alice, doctor, mint):
            name = f"pulse-{secrets.token_hex(4)}"
            asset = f"{alice.party}/{name}"
            await alice.does("CreateAsset", "heart_rate", name)
            await alice.does("AddReading", asset, float(SECRET_READING), "bpm")
            await mint.does("MintCoins", doctor.party, 3, f"invoice-{name}")
            coins = [coin["id"] for coin in (await doctor.asks("MyCoins"))["coins"]]
            await doctor.does("FileRequest", asset, 2, "treatment", coins)
            sharing = json.dumps([doctor.party])
            receipt = await alice.contract.submit("ShareAsset", "heart_rate", asset, "2", sharing)
            await demo.agreement()
            return Scene(demo, asset, receipt.tx_id, receipt.block_num)

    return asyncio.run(play())


def intruder(network: GeneratedNetwork, org: str, name: str) -> Signer:
    """Somebody whom a corrupt admin gets a certificate of the organisation's own CA."""
    entry = network.network.organisation(org)
    folder = network.network.path(entry.folder) / "ca"
    certificate = x509.load_pem_x509_certificate((folder / f"ca.{entry.domain}-cert.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "priv_sk").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    authority = Authority(Credential(certificate, key), entry.domain, datetime.now(UTC))
    return signer(authority, entry.msp_id, name)


def signer(authority: Authority, msp_id: str, name: str) -> Signer:
    credential = authority.identity(name, "client", {"hf.EnrollmentID": name})
    return Signer(msp_id, credential.certificate_pem, credential.key)


# The contract.


async def test_owner_and_grantee_read_and_nobody_else(scene: Scene) -> None:
    """Rules 1 and 7."""
    others = ("bob", "nurse", "officer", "insurer", "mint", "admin.medical", "admin.citizens", "admin.ministry")
    async with scene.live.people("alice", "doctor", *others) as (alice, doctor, *strangers):
        for reader in (alice, doctor):
            (reading,) = (await reader.asks("ReadAsset", scene.asset))["readings"]
            assert reading["value"] == float(SECRET_READING)
        for stranger in strangers:
            await stranger.is_denied("ReadAsset", scene.asset)
            await stranger.is_denied("UpdateAsset", scene.asset, {"status": "retired"})
            await stranger.is_denied("AddReading", scene.asset, 1, "bpm")
        assert scene.asset in [item["id"] for item in (await doctor.asks("ListSharedWithMe"))["items"]]
        assert (await strangers[0].asks("ListSharedWithMe"))["items"] == []


async def test_only_the_owner_shares_revokes_and_deletes(scene: Scene) -> None:
    """Rules 2 and 3; the history of a deleted asset stays (rule 4)."""
    async with scene.live.people("bob", "nurse", "mint", "doctor", "admin.citizens") as (bob, nurse, mint, *others):
        name = f"pulse-{secrets.token_hex(4)}"
        asset = f"{bob.party}/{name}"
        await bob.does("CreateAsset", "heart_rate", name)
        await mint.does("MintCoins", nurse.party, 1, f"invoice-{name}")
        await nurse.does(
            "FileRequest", asset, 1, "care", [coin["id"] for coin in (await nurse.asks("MyCoins"))["coins"]]
        )
        for stranger in (nurse, *others):
            await stranger.is_denied("ShareAsset", "heart_rate", asset, 1, [nurse.party])
        await bob.does("ShareAsset", "heart_rate", asset, 1, [nurse.party])
        assert (await nurse.asks("ReadAsset", asset))["asset"]["id"] == asset
        for stranger in (nurse, *others):
            await stranger.is_denied("RevokeGrant", asset, nurse.party)
            await stranger.is_denied("DeleteAsset", asset)
            await stranger.is_denied("AssetHistory", asset)
        await bob.does("RevokeGrant", asset, nurse.party)
        await nurse.is_denied("ReadAsset", asset)
        await bob.does("DeleteAsset", asset)
        assert (await bob.asks("ListMyAssets"))["items"] == []
        acts = [entry["act"] for entry in (await bob.asks("AssetHistory", asset))["items"]]
        assert acts == ["deleted", "revoked", "shared", "requested", "created"]
        await nurse.is_denied("AssetHistory", asset)


async def test_an_admin_lists_transactions_and_no_values_and_a_client_does_not(scene: Scene) -> None:
    """Rule 4."""
    async with scene.live.people("admin.medical", "alice", "doctor", "mint") as (admin, *clients):
        listed = await admin.asks("ListTransactions")
        assert {"act", "asset", "by", "time", "tx_id"} == set(listed["items"][0])
        assert SECRET_READING not in json.dumps(listed)
        for client in clients:
            await client.is_denied("ListTransactions")


async def test_a_profile_is_its_own_persons(scene: Scene) -> None:
    """Rule 5."""
    async with scene.live.people("alice", "bob", "admin.citizens") as (alice, *others):
        await alice.does("SetProfile", {"city": "Sydney"})
        assert (await alice.asks("GetProfile"))["fields"] == {"city": "Sydney"}
        for other in others:
            await other.is_denied("GetProfile", alice.party)
            await other.is_denied("SetProfile", {"city": "Perth"}, alice.party)
            assert (await other.asks("GetProfile"))["fields"] == {}


async def test_coins_come_from_the_ministry_and_are_seen_by_their_holder(scene: Scene) -> None:
    """Rule 8."""
    async with scene.live.people("mint", "insurer", "carol", "admin.medical") as (mint, insurer, carol, admin):
        payment = f"invoice-{secrets.token_hex(4)}"
        for other in (insurer, carol, admin):
            await other.is_denied("MintCoins", other.party, 5, payment)
        before = (await insurer.asks("MyCoins"))["total"]
        await mint.does("MintCoins", insurer.party, 5, payment)
        mine = await insurer.asks("MyCoins")
        assert mine["total"] == before + 5
        ids = [coin["id"] for coin in mine["coins"]]
        assert not {coin["id"] for coin in (await carol.asks("MyCoins"))["coins"]} & set(ids)
        with pytest.raises(ContractRefused):
            await carol.does("TransferCoins", carol.party, 1, ids)
        await insurer.does("TransferCoins", carol.party, 2, ids)
        assert (await insurer.asks("MyCoins"))["total"] == before + 3
        audit = await mint.asks("AuditCoins")
        assert audit["balanced"]
        await carol.is_denied("AuditCoins")


async def test_a_grant_lapses_when_the_paid_day_is_over(scene: Scene) -> None:
    """Rule 7."""
    async with scene.live.people("admin.ministry", "mint", "alice", "officer") as (ministry, mint, alice, officer):
        await ministry.does("ConfigureChannel", {"day_seconds": 2})
        await mint.does("MintCoins", officer.party, 1, f"invoice-{secrets.token_hex(4)}")
        coins = [coin["id"] for coin in (await officer.asks("MyCoins"))["coins"]]
        await officer.does("FileRequest", scene.asset, 1, "a missing person", coins)
        await ministry.does("ConfigureChannel", {"day_seconds": 86400})
        await alice.does("ShareAsset", "heart_rate", scene.asset, 1, [officer.party])
        assert (await officer.asks("ReadAsset", scene.asset))["readings"]
        grants = (await alice.asks("ListGrants", scene.asset))["items"]
        (ends,) = (grant["not_after"] for grant in grants if grant["grantee"] == officer.party)
        await asyncio.sleep(max(0.0, (datetime.fromisoformat(ends) - datetime.now(UTC)).total_seconds()) + 0.1)
        await officer.is_denied("ReadAsset", scene.asset)


def test_an_intruder_with_a_real_certificate_reads_nothing(scene: Scene) -> None:
    """Rule 10: neither a new client nor one that is called Alice somewhere else."""
    live = scene.live
    for who in (intruder(live, "citizens", "eve"), intruder(live, "medical", "alice")):
        for peer in live.endorsers:
            with live.dial(peer) as channel:
                answer = call(channel, who, CONTRACT, "ReadAsset", scene.asset)
                assert answer.response.status >= 400
                assert DENIED in answer.response.message
                assert not answer.endorsement.endorser
                assert call(channel, who, CONTRACT, "ListMyAssets").response.status == 200
    for door in DOORS:
        assert door.open(scene, intruder(live, "citizens", "eve")) == door.refusal, door.name


# Every other door.


def call(channel: grpc.Channel, who: Signer, name: str, *args: str | bytes) -> Any:
    return foreign.ask(channel, foreign.signed_proposal(foreign.propose(who, CHANNEL, name, *args), who))


@dataclass(frozen=True)
class Door:
    """A way to whole blocks. `open` tells how it went, by the answer's first line."""

    name: str
    open: Callable[[Scene, Signer], str]
    refusal: str


def peer_blocks(scene: Scene, who: Signer) -> str:
    with scene.live.dial(scene.live.peers[-1]) as channel:
        return _status(foreign.stored_blocks(channel, scene.live.seek(who, foreign.OLDEST, foreign.NEWEST)))


def orderer_blocks(scene: Scene, who: Signer) -> str:
    with scene.live.dial(scene.live.orderer) as channel:
        return _status(foreign.ordered_blocks(channel, scene.live.seek(who, foreign.OLDEST, foreign.NEWEST)))


def _status(answers: Iterator[Any]) -> str:
    received = list(answers)
    assert all(answer.block.data.data for answer in received[:-1])
    assert (len(received) > 1) == (received[-1].status == foreign.common.SUCCESS)
    return str(foreign.common.Status.Name(received[-1].status))


def query(chaincode: str, function: str, argument: Callable[[Scene], str | bytes] | None = None) -> Door:
    def ask(scene: Scene, who: Signer) -> str:
        args = () if argument is None else (argument(scene),)
        with scene.live.dial(scene.live.peers[0]) as channel:
            response = call(channel, who, chaincode, function, CHANNEL, *args).response
        assert (response.status == 200) == bool(response.payload)
        return "SUCCESS" if response.status == 200 else str(response.message).split(": ", 1)[0]

    return Door(f"{chaincode}.{function}", ask, f"access denied for [{function}][{CHANNEL}]")


DOORS = (
    Door("Deliver of a peer", peer_blocks, "FORBIDDEN"),
    Door("Deliver of the orderer", orderer_blocks, "FORBIDDEN"),
    query("qscc", "GetChainInfo"),
    query("qscc", "GetBlockByNumber", lambda scene: str(scene.share_block)),
    query("qscc", "GetBlockByHash", lambda scene: hash_of(scene)),
    query("qscc", "GetTransactionByID", lambda scene: scene.share_tx),
    query("qscc", "GetBlockByTxID", lambda scene: scene.share_tx),
    query("cscc", "GetConfigBlock"),
    query("cscc", "GetChannelConfig"),
)


def hash_of(scene: Scene) -> bytes:
    """The hash of the block before the newest, as the newest one states it."""
    newest = foreign.common.Block.FromString(scene.live.blocks(scene.live.peers[0])[-1])
    return bytes(newest.header.previous_hash)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_blocks_are_for_operators(scene: Scene, door: Door) -> None:
    for label in CLIENTS:
        assert door.open(scene, scene.live.signer(label)) == door.refusal, label
    for label in OPERATORS:
        assert door.open(scene, scene.live.signer(label)) == "SUCCESS", label


def test_what_operators_read_is_what_clients_are_after(scene: Scene) -> None:
    """The doors are worth closing: a plain value is in the blocks."""
    assert any(SECRET_READING.encode() in block for block in scene.live.blocks(scene.live.peers[-1]))


def test_filtered_events_reach_clients_without_what_was_said(scene: Scene) -> None:
    """Names and verdicts of everything; payloads, arguments and values of nothing."""
    for label in ("alice", "doctor", "mint"):
        with scene.live.dial(scene.live.peers[0]) as channel:
            request = scene.live.seek(scene.live.signer(label), foreign.OLDEST, foreign.NEWEST)
            *blocks, end = foreign.filtered_blocks(channel, request)
        assert end.status == foreign.common.SUCCESS
        found = {tx.txid: tx for answer in blocks for tx in answer.filtered_block.filtered_transactions}
        shared = found[scene.share_tx]
        (action,) = shared.transaction_actions.chaincode_actions
        assert shared.tx_validation_code == foreign.transactions.VALID
        assert action.chaincode_event.event_name
        for answer in blocks:
            raw = answer.SerializeToString()
            assert SECRET_READING.encode() not in raw
            assert scene.asset.encode() not in raw
        events = [
            action.chaincode_event for tx in found.values() for action in tx.transaction_actions.chaincode_actions
        ]
        assert len(events) >= 2
        assert not any(event.payload for event in events)


def test_a_request_for_blocks_counts_on_its_own_connection_only(scene: Scene) -> None:
    admin = scene.live.signer("admin.citizens")
    for node, fetch in ((scene.live.orderer, foreign.ordered_blocks), (scene.live.peers[0], foreign.stored_blocks)):
        stolen = scene.live.seek(admin, foreign.OLDEST, foreign.NEWEST, connected_as="admin.citizens")
        with scene.live.dial(node, "mallory") as channel:
            assert _status(fetch(channel, stolen)) == "BAD_REQUEST"
        again = scene.live.seek(admin, foreign.OLDEST, foreign.NEWEST, connected_as="admin.citizens")
        with scene.live.dial(node, "admin.citizens") as channel:
            assert _status(fetch(channel, again)) == "SUCCESS"


def test_a_committing_peer_endorses_nothing(scene: Scene) -> None:
    alice = scene.live.signer("alice")
    for peer in scene.live.peers:
        with scene.live.dial(peer) as channel:
            answer = call(channel, alice, CONTRACT, "ListMyAssets")
        assert (answer.response.status == 200) == peer.endorses
        assert bool(answer.endorsement.signature) == peer.endorses


# Outsiders.


@pytest.fixture(scope="module")
def outsiders(elsewhere: GeneratedNetwork) -> list[Signer]:
    """Alice and an admin of another network with equal names, and an organisation that is on no channel (rule 9)."""
    energy = Authority.root("ca.energy.city", "energy.city", datetime.now(UTC))
    return [elsewhere.signer("alice"), elsewhere.signer("admin.citizens"), signer(energy, "EnergyMSP", "seller")]


def test_an_outsider_does_not_get_a_connection(scene: Scene, elsewhere: GeneratedNetwork) -> None:
    theirs, ours = elsewhere.tls("alice"), scene.live.tls("alice")
    strangers = (
        Tls(ours.roots, theirs.certificate, theirs.key),
        Tls(ours.roots),  # nothing shown
    )
    for node in scene.live.network.nodes:
        for stranger in strangers:
            assert not connects(node.address, stranger), node.name
        assert not connects(node.address, Tls(theirs.roots, ours.certificate, ours.key)), "a server they do not know"
        assert connects(node.address, ours)


def connects(address: str, tls: Tls) -> bool:
    """Whether a call gets as far as being answered; with TLS 1.3 a client learns only then that it was refused."""
    with foreign.connected(address, tls) as channel:
        nothing: Any = channel.unary_unary("/no.Such/Method")
        with contextlib.suppress(grpc.RpcError):
            nothing(b"", timeout=10)
        try:
            nothing(b"", timeout=10)
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
    raise AssertionError("a method that does not exist has answered")


def test_an_outsider_on_a_good_connection_is_refused_at_each_door(scene: Scene, outsiders: list[Signer]) -> None:
    live = scene.live
    for who in outsiders:
        for peer in live.peers:
            with live.dial(peer) as channel:
                for name, *args in ((CONTRACT, "ListMyAssets"), ("qscc", "GetChainInfo", CHANNEL)):
                    with pytest.raises(grpc.RpcError) as refused:
                        call(channel, who, name, *args)
                    assert refused.value.code() is grpc.StatusCode.UNKNOWN
                    assert f"access denied: channel [{CHANNEL}] creator org" in str(refused.value.details())
                for fetch in (foreign.stored_blocks, foreign.filtered_blocks):
                    answers = list(fetch(channel, live.seek(who, foreign.OLDEST, foreign.NEWEST)))
                    assert [answer.status for answer in answers] == [foreign.common.FORBIDDEN]
        with live.dial(live.orderer) as channel:
            assert orderer_blocks(scene, who) == "FORBIDDEN"
            (answer,) = foreign.broadcast(channel, foreign.envelope(some_transaction(who), who))
            assert answer.status == foreign.common.FORBIDDEN


def some_transaction(who: Signer) -> bytes:
    return foreign.transaction(foreign.propose(who, CHANNEL, CONTRACT, "SetProfile", "{}"), b"", [])


def test_join_is_for_the_peers_own_admins(scene: Scene, elsewhere: GeneratedNetwork) -> None:
    """And a channel that is there cannot be replaced by another network's of the same name."""
    live = scene.live
    peer = live.node("peer0.citizens.city")
    for label, expected in (
        ("alice", "access denied for [JoinChain]"),
        ("admin.medical", "access denied"),
        ("admin.citizens", "already exists with state [ACTIVE]"),
    ):
        who = live.signer(label)
        join = foreign.propose(who, "", "cscc", "JoinChain", elsewhere.genesis.read_bytes())
        with live.dial(peer) as channel:
            try:
                message = foreign.ask(channel, foreign.signed_proposal(join, who)).response.message
            except grpc.RpcError as error:
                message = error.details()
        assert expected in message, label
