"""Who asks a peer about private data gets an answer if he may, and otherwise a reason: nothing changes."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest

from privysharing.protocol.codec.private_data import encode_signed_request, parse_signed_request
from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.private_data import (
    WANTED_MAX,
    Ask,
    Hello,
    HelloAnswer,
    MissingAnswer,
    MissingAsk,
    MissingCount,
    Pull,
    PullAnswer,
    PurgedAnswer,
    PurgedAsk,
    Push,
    PushAnswer,
    PushedTransaction,
    Request,
    WantedSet,
)
from privysharing.protocol.private_exchange import NONCE_BYTES, open_response, peers_of, seal_request
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.private_data import METHOD
from privysharing.wire.privysharing.v1 import private_data_pb2
from services.peer.private_data import keeping, transient
from services.peer.private_data.metrics import REASON_LOGGED_MAX
from services.peer.private_data.nonces import Nonces
from services.peer.private_data.service import Exchanged, PrivateDataService, ServiceConfig
from services.peer.rpc import PrivateDataRpc
from services.runtime.config import Address
from services.runtime.grpcserver import ServerTls, grpc_server, listen
from services.runtime.metrics import Registry
from tests.support.authorities import root
from tests.support.fellows import (
    HOST,
    OURS,
    PEER1,
    PEER1B,
    PEER2,
    SHARED,
    Peer,
    Purge,
    Secret,
    collection,
    now_ns,
    town,
)
from tests.support.judging import ADMIN1, ADMIN2, CHANNEL, CLIENT1, CLIENT2, CONFIG, ORDERER
from tests.support.tls import TLS_CA, loopback_pair

_numbers = itertools.count(1)


def request(peer: Peer, signer: SigningIdentity, ask: Ask, **changes: object) -> bytes:
    """A SignedRequest, as an honest fellow makes it but for the changes."""
    made = Request(
        channel_id=CHANNEL,
        requester=signer.serialized,
        tls_cert_hash=b"",
        responder=sha256(peer.signer.serialized),
        nonce=next(_numbers).to_bytes(NONCE_BYTES, "big"),
        timestamp_ns=now_ns(),
        ask=ask,
    )
    return seal_request(replace(made, **changes), signer)[0]  # type: ignore[arg-type]


async def sent(peer: Peer, signed: bytes, channel: grpc.aio.Channel | None = None) -> object:
    """The answer to a request; status and reason when it is refused."""
    own = channel or grpc.aio.insecure_channel(f"{HOST}:{peer.port}")
    try:
        raw = await own.unary_unary(METHOD)(signed, timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code(), (error.details() or "").partition(":")[0]
    finally:
        if channel is None:
            await own.close()
    raw_request, _ = parse_signed_request(signed)
    return open_response(raw, sha256(raw_request), peers_of(CONFIG, now_ns()), responder=b"")[1]


def push(secret: Secret) -> Push:
    return Push((PushedTransaction(secret.tx_id, 1, (secret.set,)),))


def pull(secret: Secret, block_num: int = 2) -> Pull:
    wanted = WantedSet(secret.tx_id, block_num, 0, sha256(secret.set.rwset))
    return Pull("cc", secret.of.name, (wanted,))


DENIED = (grpc.StatusCode.PERMISSION_DENIED, "not_a_member")
FORGED = (grpc.StatusCode.UNAUTHENTICATED, "forged")


async def test_a_member_is_served() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        secret = Secret(OURS, "k", b"v")
        assert await sent(one, request(one, PEER1B, Hello(), responder=b"")) == HelloAnswer()
        assert await sent(one, request(one, PEER1B, push(secret))) == PushAnswer(("",))
        assert one.kept(secret)
        await network.commit(secret.envelope)
        answer = await sent(one, request(one, PEER1B, pull(secret)))
        assert isinstance(answer, PullAnswer)
        assert [found.rwset for found in answer.found] == [secret.set.rwset]


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (PEER2, DENIED),
        (CLIENT1, DENIED),
        (ADMIN1, DENIED),
        (CLIENT2, DENIED),
        (ORDERER, DENIED),
        (root("elsewhere").issue("p", "peer").signer("Org1MSP"), FORGED),
    ],
    ids=["another organisation's peer", "a client", "an admin", "another's client", "an orderer", "a stranger"],
)
async def test_who_is_no_member_is_refused_by_every_path(
    who: SigningIdentity, refusal: tuple[grpc.StatusCode, str]
) -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        secret, other = Secret(OURS, "k", b"v"), Secret(OURS, "l", b"w")
        one.keep(secret)
        await network.commit(secret.envelope)
        one.keep(other)
        asks: list[Ask] = [push(Secret(OURS, "m", b"x")), pull(secret), pull(other, 3)]
        if who is not ADMIN1:
            asks.append(MissingAsk(10))
        for ask in asks:
            assert await sent(one, request(one, who, ask)) == refusal
        assert one.refused("pull", refusal[1]) == 2
        assert one.refused("push", refusal[1]) == 1


async def test_a_member_is_one_no_more_once_the_definition_says_so() -> None:
    both = collection("moving", "OR('Org1MSP.member', 'Org2MSP.member')")
    one = Peer(PEER1)
    async with town(one, collections=[both]) as network:
        secret = Secret(both, "k", b"v")
        one.keep(secret)
        await network.commit(secret.envelope)
        assert isinstance(await sent(one, request(one, PEER2, pull(secret))), PullAnswer)
        only = collection("moving", "OR('Org1MSP.member')")
        await network.commit(network.orderer.define("cc", "OR('Org1MSP.peer')", only))
        assert await sent(one, request(one, PEER2, pull(secret))) == DENIED
        assert await sent(one, request(one, PEER2, push(secret))) == DENIED


async def test_a_replayed_request_of_a_member_is_refused_by_whomever_it_comes() -> None:
    one, two = Peer(PEER1), Peer(PEER1B)
    async with town(one, two) as network:
        secret = Secret(OURS, "k", b"v")
        one.keep(secret)
        await network.commit(secret.envelope)
        signed = request(one, PEER1B, pull(secret))
        assert isinstance(await sent(one, signed), PullAnswer)
        for _ in range(2):
            assert await sent(one, signed) == (grpc.StatusCode.PERMISSION_DENIED, "replayed")
        assert await sent(two, signed) == (grpc.StatusCode.FAILED_PRECONDITION, "other_responder")
        await one.stop()
        again = Peer(PEER1, before=one)
        await again.start([two])
        assert await sent(again, signed) == (grpc.StatusCode.FAILED_PRECONDITION, "untimely")  # it remembers no nonce
        await again.stop()


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"responder": b"r" * 32}, grpc.StatusCode.FAILED_PRECONDITION, "other_responder"),
        ({"responder": b""}, grpc.StatusCode.FAILED_PRECONDITION, "other_responder"),
        ({"channel_id": "other"}, grpc.StatusCode.NOT_FOUND, "unknown_channel"),
        ({"timestamp_ns": None}, grpc.StatusCode.FAILED_PRECONDITION, "untimely"),
        ({"timestamp_ns": 1}, grpc.StatusCode.FAILED_PRECONDITION, "untimely"),
        ({"nonce": b""}, grpc.StatusCode.INVALID_ARGUMENT, "malformed"),
        ({"requester": PEER1.serialized}, grpc.StatusCode.UNAUTHENTICATED, "forged"),
        ({"ask": Push(())}, grpc.StatusCode.INVALID_ARGUMENT, "malformed"),
        ({"ask": Pull("cc", "ours", ())}, grpc.StatusCode.INVALID_ARGUMENT, "too_large"),
        ({"ask": Pull("cc", "unknown", (WantedSet(TxId("t"), 1, 1, b""),))}, *DENIED),
    ],
    ids=range(10),
)
async def test_a_request_that_is_not_in_order_is_refused(
    changes: dict[str, object], status: grpc.StatusCode, reason: str
) -> None:
    one = Peer(PEER1)
    async with town(one):
        secret = Secret(OURS, "k", b"v")
        assert await sent(one, request(one, PEER1B, **{"ask": push(secret), **changes})) == (status, reason)  # type: ignore[arg-type]
        assert not one.kept(secret)


async def test_bytes_that_are_no_request_are_refused() -> None:
    one = Peer(PEER1)
    async with town(one):
        for raw in (b"\xff", b"", encode_signed_request(b"\xff", b"")):
            assert await sent(one, raw) == (grpc.StatusCode.INVALID_ARGUMENT, "malformed")
        assert one.refused("unknown", "malformed") == 3


@pytest.mark.parametrize("more", [b"\xff", b"\xfa\x7f\x06hidden"], ids=["garbage", "a field that nobody knows"])
async def test_a_set_that_is_none_or_hides_something_is_not_kept(more: bytes) -> None:
    """Whoever purges keys could not read it, or would not find what it hides."""
    one = Peer(PEER1)
    async with town(one) as network:
        secret = Secret(OURS, "k", b"v")
        bad = replace(secret.set, rwset=secret.set.rwset + more)
        pushed = Push((PushedTransaction(secret.tx_id, 1, (bad,)),))
        assert await sent(one, request(one, PEER1B, pushed)) == (grpc.StatusCode.INVALID_ARGUMENT, "malformed")
        assert not one.kept(secret)
        await network.commit(Purge(OURS, "k").envelope)
        assert await asyncio.to_thread(one.store.erase)


async def test_who_asks_for_something_with_a_long_name_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    one = Peer(PEER1)
    async with town(one):
        asked = request(one, PEER2, Pull("cc", "n" * 100_000, (WantedSet(TxId(""), 0, 0, b""),)))
        assert isinstance(await sent(one, asked), tuple)
        [line] = [each for each in caplog.records if each.message == "refused a request"]
        assert len(line.__dict__["reason"]) == REASON_LOGGED_MAX


async def test_what_is_too_large_is_refused() -> None:
    limits = ServiceConfig(set_bytes_max=1000, sets_max=2)
    one = Peer(PEER1, service=limits)
    async with town(one):
        fits, large = Secret(OURS, "k", b"v" * 900), Secret(OURS, "k", b"v" * 1000)
        assert await sent(one, request(one, PEER1B, push(fits))) == PushAnswer(("",))
        refusal = (grpc.StatusCode.INVALID_ARGUMENT, "too_large")
        assert await sent(one, request(one, PEER1B, push(large))) == refusal
        many = Push((PushedTransaction(fits.tx_id, 1, (fits.set,) * 3),))
        assert await sent(one, request(one, PEER1B, many)) == refusal
        hashes = tuple(number.to_bytes(32, "big") for number in range(WANTED_MAX + 1))
        assert await sent(one, request(one, CLIENT1, PurgedAsk("cc", "ours", hashes))) == refusal
        assert not one.kept(large)


@pytest.mark.parametrize("kind", ["pull", "push", "purged"])
async def test_nobody_is_kept_busy_with_millions_of_parts(kind: str) -> None:
    """Two bytes are one: a message may hold millions, and whoever has a connection may send it."""
    one = Peer(PEER1)
    field = private_data_pb2.Request.DESCRIPTOR.fields_by_name[kind]
    parts = bytes((field.message_type.fields[-1].number << 3 | 2, 0)) * 1_500_000
    ask = encode_varint(field.number << 3 | 2) + encode_varint(len(parts)) + parts
    async with town(one):
        began = time.process_time()
        assert await sent(one, encode_signed_request(ask, b"")) == (grpc.StatusCode.INVALID_ARGUMENT, "too_large")
        assert time.process_time() - began < 1


async def test_whoever_names_many_collections_is_refused_at_the_first_that_he_may_not_hold() -> None:
    looked_for = []

    class Watched(PrivateDataService):
        def _member(self, namespace: str, name: str, who: Identity, channel: Exchanged) -> CollectionConfig:
            looked_for.append(name)
            return super()._member(namespace, name, who, channel)

    one = Peer(PEER1, door=Watched)
    async with town(one):
        secret = Secret(OURS, "k", b"v")
        sets = tuple(replace(secret.set, collection=f"c{number}") for number in range(ServiceConfig().sets_max))
        for named, reason in ((sets, "not_a_member"), ((*sets, secret.set), "too_large")):
            pushed = Push((PushedTransaction(secret.tx_id, 1, named),))
            answer = await sent(one, request(one, CLIENT1, pushed))
            assert isinstance(answer, tuple)
            assert answer[1] == reason
        assert looked_for == ["c0"]


async def test_an_organisation_has_its_share_of_what_can_be_asked_at_a_time() -> None:
    one = Peer(PEER1, service=ServiceConfig(bytes_max=16_000))
    async with town(one):
        small, large = Secret(SHARED, "k", b"v"), Secret(SHARED, "l", b"v" * 3000)
        assert await sent(one, request(one, PEER2, push(small))) == PushAnswer(("",))
        assert await sent(one, request(one, PEER2, push(large))) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota")
        assert not one.kept(large)


async def test_an_organisation_that_floods_a_peer_with_pushes_leaves_room_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transient, "WAITING_BYTES_MAX", 26_000)
    one = Peer(PEER1)
    async with town(one) as network:
        flood = [Secret(SHARED, f"k{number}", b"v" * 1500) for number in range(12)]
        told = [await sent(one, request(one, PEER2, push(each))) for each in flood[:9]]
        assert told.count(PushAnswer(("",))) == 6
        full = "Org2MSP's share of the transient store of this peer is full; try again later"
        assert told[6:] == [PushAnswer((full,))] * 3  # an answer: a call that fails says that nobody is there
        assert one.refused("push", "quota") == 3
        other = Secret(SHARED, "other", b"v" * 1500)
        assert await sent(one, request(one, PEER1B, push(other))) == PushAnswer(("",))
        assert one.kept(other)
        both = Push((*push(flood[10]).transactions, *push(flood[0]).transactions))  # one of them is here already
        assert await sent(one, request(one, PEER2, both)) == PushAnswer((full, ""))
        await one.exchange.keeping.keep(push(flood[10]).transactions, "Org1MSP")  # from now on it is here anyway
        assert await sent(one, request(one, PEER2, push(flood[10]))) == PushAnswer(("",))
        await network.commit(*(each.envelope for each in flood[:3]))
        assert await sent(one, request(one, PEER2, push(flood[9]))) == PushAnswer(("",))


async def test_clients_use_up_nothing_of_their_peers_quota() -> None:
    one = Peer(PEER1)
    one.service._nonces = Nonces(one.outside.monotonic, organisation_max=2)
    async with town(one):
        for who in (CLIENT2, PEER2):
            told = [await sent(one, request(one, who, Hello(), responder=b"")) for _ in range(3)]
            assert told == [HelloAnswer(), HelloAnswer(), (grpc.StatusCode.RESOURCE_EXHAUSTED, "quota")]


async def test_nobody_makes_a_peer_keep_something_for_ever() -> None:
    """What is waited for is forgotten by its height: a push from far ahead counts from here."""
    one = Peer(PEER1)
    async with town(one):
        secret = Secret(OURS, "k", b"v")
        ahead = Push((PushedTransaction(secret.tx_id, 2**62, (secret.set,)),))
        assert await sent(one, request(one, PEER1B, ahead)) == PushAnswer(("",))
        one.store.transient.committed([], 100_000)
        assert not one.kept(secret)


async def test_nobody_makes_a_peer_forget_what_somebody_else_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has the same set, and is first to push it as one that is old, leaves the others' pushes what they are."""
    monkeypatch.setattr(keeping, "ALIKE_BLOCKS", 0)
    one = Peer(PEER1)
    async with town(one):
        secret = Secret(SHARED, "k", b"v")
        for who, height in ((PEER2, 0), (PEER1B, 1)):
            pushed = Push((PushedTransaction(secret.tx_id, height, (secret.set,)),))
            assert await sent(one, request(one, who, pushed)) == PushAnswer(("",))
        one.store.transient.committed([], transient.RETAINED_BLOCKS)
        assert one.kept(secret)


async def test_an_answer_holds_no_more_than_it_may() -> None:
    one = Peer(PEER1, service=ServiceConfig(answer_bytes_max=2500))
    async with town(one) as network:
        secrets = [Secret(OURS, f"k{number}", b"v" * 1000) for number in range(4)]
        for secret in secrets:
            one.keep(secret)
        await network.commit(*(secret.envelope for secret in secrets))
        wanted = tuple(
            WantedSet(secret.tx_id, 2, number, sha256(secret.set.rwset)) for number, secret in enumerate(secrets)
        )
        answer = await sent(one, request(one, PEER1B, Pull("cc", "ours", wanted)))
        assert isinstance(answer, PullAnswer)
        assert [found.wanted for found in answer.found] == [0, 1]


async def test_a_peers_own_admin_learns_what_it_lacks_and_nobody_else_does() -> None:
    one = Peer(PEER1)
    async with town(one) as network:
        await network.commit(Secret(OURS, "k", b"v").envelope, Secret(SHARED, "l", b"w").envelope)
        answer = await sent(one, request(one, ADMIN1, MissingAsk(1)))
        assert isinstance(answer, MissingAnswer)
        assert answer.counts == (MissingCount("cc", "ours", 1), MissingCount("cc", "shared", 1))
        assert len(answer.sets) == 1
        for who in (ADMIN2, CLIENT1, PEER1B, PEER2):
            assert await sent(one, request(one, who, MissingAsk(1))) == DENIED


async def test_a_client_of_the_channel_may_ask_about_purges_and_an_orderer_may_not() -> None:
    one = Peer(PEER1)
    async with town(one):
        ask = PurgedAsk("cc", "ours", (sha256(b"k"),))
        for who in (CLIENT1, CLIENT2, PEER2):
            assert await sent(one, request(one, who, Hello(), responder=b"")) == HelloAnswer()
            assert await sent(one, request(one, who, ask)) == PurgedAnswer(())
        for question in (ask, Hello()):
            assert await sent(one, request(one, ORDERER, question)) == DENIED


@asynccontextmanager
async def tls_door(peer: Peer) -> AsyncIterator[Callable[[str], tuple[grpc.aio.Channel, bytes]]]:
    """The peer's door behind mutual TLS; opens connections for clients by name, whose certificates it tells apart."""
    server = grpc_server(Registry())
    rpc = PrivateDataRpc(peer.service, binds_to_certificate=True, on_fault=lambda _: None)
    server.add_generic_rpc_handlers((rpc.handler(),))
    own = loopback_pair("peer")
    port = listen(server, Address(HOST, 0), ServerTls(own.pem, own.key_pem, TLS_CA.pem))
    await server.start()
    opened: list[grpc.aio.Channel] = []

    def connect(name: str) -> tuple[grpc.aio.Channel, bytes]:
        client = loopback_pair(name)
        tls = ClientTls(TLS_CA.pem, client.pem, client.key_pem)
        opened.append(open_channel(f"{HOST}:{port}", tls))
        return opened[-1], tls.certificate_hash

    try:
        yield connect
    finally:
        for channel in opened:
            await channel.close()
        await server.stop(None)


async def test_a_request_is_good_over_the_connection_of_one_certificate_only() -> None:
    one = Peer(PEER1)
    async with town(one), tls_door(one) as connect:
        secret = Secret(OURS, "k", b"v")
        (mine, mine_hash), (other, _) = connect("mine"), connect("other")
        signed = request(one, PEER1B, push(secret), tls_cert_hash=mine_hash)
        refusal = (grpc.StatusCode.UNAUTHENTICATED, "other_connection")
        assert await sent(one, signed, other) == refusal
        assert await sent(one, request(one, PEER1B, push(secret)), mine) == refusal  # names no certificate
        assert not one.kept(secret)
        assert await sent(one, signed, mine) == PushAnswer(("",))
        assert await sent(one, signed, mine) == (grpc.StatusCode.PERMISSION_DENIED, "replayed")
