"""From a call to a committed transaction, over mutual TLS, on small peers and orderers that a test scripts."""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import grpc
import pytest

from deploy.certificates import Authority, Credential
from privysharing.protocol.build import endorse, endorsement_message
from privysharing.protocol.codec.deliver import encode_deliver_filtered, parse_deliver_response, parse_seek_info
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_proposal_response,
    encode_proposal_response_payload,
    parse_endorser_transaction,
    parse_proposal,
    parse_signed_proposal,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType, Status, TxCode
from privysharing.protocol.crypto import SigningIdentity, verify
from privysharing.protocol.deliver import FilteredBlock, FilteredTransaction, SeekKind
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeId, ProposalResponse, Response
from privysharing.sdk import Call, Channel, ConnectionProfile, Pending, Timeouts, connect
from privysharing.sdk.errors import (
    CommitRefused,
    CommitUnknown,
    EndorsementMismatch,
    OrderingRefused,
    PrivateDataRefused,
    Refused,
    Unavailable,
)
from privysharing.sdk.profile import ChannelNodes, Collection, Node
from tests.support.liars import LyingEndorser
from tests.support.nodes import SUCCESS, broadcast_answer, endorser, serving, streams

Context = grpc.aio.ServicerContext[bytes, bytes]
CALL = Call("kv", "put", ("key", b"value"), {"secret": b"for endorsers alone"})
SEED = 20264
FOUND_BY_THE_SIGNATURE = ("signs other bytes", "flipped signature")
FOUND_BY_COMPARING = ("forged result", "guessed versions", "forged response", "of a wrong version")
PATIENCE = Timeouts(evaluate=2, endorse=2, broadcast=2, commit=5)


@functools.cache
def authority() -> Authority:
    return Authority.root("ca", "org", datetime.now(UTC))


@functools.cache
def signer(name: str, unit: str) -> SigningIdentity:
    credential = authority().identity(name, unit)
    return load_signing_identity(credential.certificate_pem, credential.key_pem, "OrgMSP")


@functools.cache
def tls(name: str) -> Credential:
    return authority().tls(name, (name,))


@dataclass
class World:
    """What all nodes of a test share: a chain of filtered blocks that the orderers lengthen."""

    code: TxCode = TxCode.VALID
    signatures: int | None = None  # good ones of different endorsers that a transaction needs; None: nobody looks
    loses: bool = False  # what was acknowledged comes into no block
    envelopes: list[bytes] = field(default_factory=list)
    blocks: list[FilteredBlock] = field(default_factory=lambda: [FilteredBlock("health", 0, ())])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def order(self, envelope: bytes) -> None:
        self.envelopes.append(envelope)
        if self.loses:
            return
        tx_id = parse_payload(parse_envelope(envelope).payload).header.channel.tx_id
        known = any(tx_id == transaction.tx_id for block in self.blocks for transaction in block.transactions)
        spoilt = self.signatures is not None and good_signatures(envelope) < self.signatures
        code = TxCode.DUPLICATE_TXID if known else TxCode.ENDORSEMENT_POLICY_FAILURE if spoilt else self.code
        transaction = FilteredTransaction(tx_id, HeaderType.ENDORSER_TRANSACTION, code)
        self.blocks.append(FilteredBlock("health", len(self.blocks), (transaction,)))
        async with self.changed:
            self.changed.notify_all()

    async def filtered(self, requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        start = parse_seek_info(parse_payload(parse_envelope(await anext(aiter(requests))).payload).data).start
        assert start is not None
        number = len(self.blocks) - 1 if start.kind is SeekKind.NEWEST else start.number
        while True:
            async with self.changed:
                while number >= len(self.blocks):
                    await self.changed.wait()
            yield encode_deliver_filtered(self.blocks[number])
            number += 1


def good_signatures(envelope: bytes) -> int:
    transaction = parse_endorser_transaction(parse_payload(parse_envelope(envelope).payload).data)
    good = set()
    for each in transaction.endorsements:
        _, certificate = parse_serialized_identity(each.endorser)
        message = endorsement_message(transaction.response_payload, each.endorser)
        if verify(parse_certificate(certificate).public_key(), each.signature, message):
            good.add(each.endorser)
    return len(good)


def hash_of(request: bytes) -> bytes:
    proposal = parse_proposal(parse_signed_proposal(request).proposal)
    header = proposal.header
    return proposal_hash(header.channel_bytes, header.signature_bytes, proposal.payload_without_transient)


async def silence(_requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


@dataclass
class Peer:
    """Endorses with `result`, or as a test says instead, or lies.

    A silent one delivers no blocks, a hanging one no answer. `tells`: what it says became of every transaction.
    """

    world: World
    name: str
    result: bytes = b"done"
    instead: ProposalResponse | None = None
    silent: bool = False
    hangs: bool = False
    lie: str = ""
    tells: TxCode | None = None
    msp_id: str = "OrgMSP"
    proposals: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._liar = LyingEndorser(signer(self.name, "peer"), Random(SEED))

    async def process(self, request: bytes, _context: Context) -> bytes:
        self.proposals.append(request)
        if self.hangs:
            await asyncio.Event().wait()
        if self.instead is not None:
            return encode_proposal_response(self.instead)
        action = ChaincodeAction(b"", b"", Response(200, payload=self.result), ChaincodeId("kv", "1"))
        payload = encode_proposal_response_payload(hash_of(request), encode_chaincode_action(action))
        response = Response(200, payload=self.result)
        honest = ProposalResponse(response, payload, endorse(payload, signer(self.name, "peer")))
        return encode_proposal_response(self._liar.answer(honest, self.lie) if self.lie else honest)

    @property
    def handlers(self) -> Mapping[str, "grpc.RpcMethodHandler[bytes, bytes]"]:
        return {**endorser(self.process), **streams(filtered=silence if self.silent else self.filtered)}

    async def filtered(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        async for raw in self.world.filtered(requests, context):
            if self.tells is None:
                yield raw
            else:
                block = parse_deliver_response(raw).filtered_block
                assert block is not None
                told = tuple(replace(each, code=self.tells) for each in block.transactions)
                yield encode_deliver_filtered(replace(block, transactions=told))


@dataclass
class Orderer:
    """Orders everything, or answers a status instead. A mute one orders, and does not say so; a liar says so only."""

    world: World
    name: str
    status: int = Status.SUCCESS
    mute: bool = False
    lies: bool = False

    async def broadcast(self, requests: AsyncIterator[bytes], _context: Context) -> AsyncIterator[bytes]:
        async for envelope in requests:
            if self.status != Status.SUCCESS:
                yield broadcast_answer(self.status, "no")
                return
            if not self.lies:
                await self.world.order(envelope)
            if not self.mute:
                yield SUCCESS

    @property
    def handlers(self) -> Mapping[str, "grpc.RpcMethodHandler[bytes, bytes]"]:
        return streams(broadcast=self.broadcast)


@asynccontextmanager
async def channel_of(*nodes: Peer | Orderer, needed: int | None = None, ca: bytes = b"") -> AsyncIterator[Channel]:
    """A client's channel on these nodes, in this order of preference. A node named `gone` has stopped already.

    TheirsMSP holds the collection `theirs`.
    """
    root = authority().credential.certificate_pem
    async with AsyncExitStack() as stack:
        known: dict[type, list[Node]] = {Peer: [], Orderer: []}
        for node in nodes:
            own = tls(node.name)
            pairs = [(own.key_pem, own.certificate_pem)]
            credentials = grpc.ssl_server_credentials(pairs, root, require_client_auth=True)
            if node.name == "gone":
                async with serving(node.handlers, credentials) as port:
                    pass
            else:
                port = await stack.enter_async_context(serving(node.handlers, credentials))
            msp_id = node.msp_id if isinstance(node, Peer) else "OrgMSP"
            known[type(node)].append(Node(node.name, msp_id, f"127.0.0.1:{port}", ca or root, node.name, root))
        collections = {"kv": {"theirs": Collection(frozenset(("TheirsMSP",)))}}
        served = ChannelNodes(tuple(known[Peer]), tuple(known[Peer]), tuple(known[Orderer]), needed, collections)
        client = tls("client")
        profile = ConnectionProfile("org", "OrgMSP", {"health": served}, client.certificate_pem, client.key_pem)
        async with connect(profile, signer("alice", "client"), PATIENCE) as network:
            yield network.channel("health")


async def test_a_submitted_call_is_endorsed_ordered_and_seen_committed() -> None:
    world = World()
    peers = [Peer(world, "peer0"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        receipt = await channel.submit(CALL)
    assert (receipt.block_num, receipt.payload, receipt.peer) == (1, b"done", "peer0")
    assert [len(peer.proposals) for peer in peers] == [1, 1, 0]
    proposal = parse_proposal(parse_signed_proposal(peers[0].proposals[0]).proposal)
    assert proposal.input.args == (b"put", b"key", b"value")
    assert proposal.transient == {"secret": b"for endorsers alone"}
    (envelope,) = world.envelopes
    payload = parse_payload(parse_envelope(envelope).payload)
    assert payload.header.channel.tx_id == receipt.tx_id == proposal.header.channel.tx_id
    assert len(parse_endorser_transaction(payload.data).endorsements) == 2
    assert b"for endorsers alone" not in envelope


async def test_many_calls_share_the_connections_and_get_their_own_receipts() -> None:
    world = World()
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        receipts = await asyncio.gather(*(channel.submit(CALL) for _ in range(50)))
    assert len({receipt.tx_id for receipt in receipts}) == 50
    assert {receipt.block_num for receipt in receipts} == set(range(1, 51))


async def test_a_transaction_that_the_peers_find_invalid_is_refused_with_their_verdict() -> None:
    world = World(code=TxCode.MVCC_READ_CONFLICT)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match="MVCC_READ_CONFLICT in block 1") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable
    assert caught.value.peer == "peer0"
    assert not CommitRefused(caught.value.tx_id, TxCode.ENDORSEMENT_POLICY_FAILURE, 1).retryable


async def lost(world: World) -> Pending:
    """A transaction that was acknowledged, and came into no block while its client waited."""
    world.loses = True
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown, match="may still be committed") as caught:
            await channel.submit(CALL)
    world.loses = False
    pending = caught.value.pending
    assert pending is not None
    assert [pending.endorsed.envelope] == world.envelopes
    assert (pending.endorsed.tx_id, pending.since) == (caught.value.tx_id, len(world.blocks) - 1)
    return pending


def codes(world: World) -> list[TxCode]:
    return [transaction.code for block in world.blocks for transaction in block.transactions]


async def test_a_lost_transaction_is_ordered_again_and_committed() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        receipt = await channel.resubmit(pending)
    assert (receipt.tx_id, receipt.block_num, receipt.payload) == (pending.endorsed.tx_id, 1, b"done")
    assert codes(world) == [TxCode.VALID]


async def test_what_an_orderer_only_claims_to_have_ordered_is_given_to_another_one() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", lies=True), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.3)
        with pytest.raises(CommitUnknown) as caught:
            await channel.submit(CALL)
        assert caught.value.pending is not None
        assert caught.value.pending.orderer == "orderer0"
        assert (await channel.resubmit(caught.value.pending)).block_num == 1


async def test_a_copy_that_is_a_duplicate_does_not_hide_that_the_first_is_valid() -> None:
    world = World()
    pending = await lost(world)
    await world.order(pending.endorsed.envelope)  # late, and while no client of ours listened
    peers = [Peer(world, "gone"), Peer(world, "silent", silent=True), Peer(world, "peer0")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5)
        assert (await channel.resubmit(pending)).block_num == 1
    assert codes(world) in ([TxCode.VALID], [TxCode.VALID, TxCode.DUPLICATE_TXID])


async def test_a_copy_does_not_revive_what_the_peers_found_invalid() -> None:
    world = World()
    pending = await lost(world)
    world.code = TxCode.MVCC_READ_CONFLICT
    await world.order(pending.endorsed.envelope)
    world.code = TxCode.VALID
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match="MVCC_READ_CONFLICT in block 1"):
            await channel.resubmit(pending)


async def test_a_copy_that_is_not_taken_says_nothing_about_the_first() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer", Status.FORBIDDEN)) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown, match=r"its copy was not taken: .*FORBIDDEN") as caught:
            await channel.resubmit(pending)
        assert caught.value.pending == pending
        await world.order(pending.endorsed.envelope)
        assert (await channel.resubmit(pending)).block_num == 1


async def test_nothing_is_ordered_again_where_no_peer_would_tell_the_verdict() -> None:
    world = World()
    pending = await lost(world)
    async with channel_of(Peer(world, "gone"), Orderer(world, "orderer")) as channel:
        with pytest.raises(Unavailable, match="no peer delivers the events of health: gone: "):
            await channel.resubmit(pending)
    assert world.envelopes == [pending.endorsed.envelope]


async def test_an_endorser_that_hangs_holds_up_the_first_call_alone() -> None:
    world = World()
    hung, peer, orderer = Peer(world, "peer0", hangs=True), Peer(world, "peer1"), Orderer(world, "orderer")
    async with channel_of(hung, peer, orderer, needed=1) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5, endorse=0.5)
        assert await channel.evaluate(CALL) == b"done"
        assert await channel.evaluate(CALL) == b"done"
        assert (await channel.submit(CALL)).payload == b"done"
        assert (len(hung.proposals), len(peer.proposals)) == (1, 3)
        with pytest.raises(Unavailable, match="peer0"):
            await channel.evaluate(CALL, [channel.nodes.endorsers[0]])  # who has no other is asked all the same


async def test_a_refusal_is_the_word_of_one_orderer_and_the_others_are_asked() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", Status.FORBIDDEN), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        assert (await channel.submit(CALL)).block_num == 1


async def test_what_every_orderer_refuses_is_not_ordered() -> None:
    world = World()
    orderers = [Orderer(world, "orderer0", Status.FORBIDDEN), Orderer(world, "orderer1", Status.BAD_REQUEST)]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        with pytest.raises(OrderingRefused, match="FORBIDDEN: no") as caught:
            await channel.submit(CALL)
    assert not caught.value.retryable
    assert world.envelopes == []


@pytest.mark.parametrize("name", ["gone", "busy"])
async def test_another_orderer_takes_what_the_first_cannot(name: str) -> None:
    world = World()
    orderers = [Orderer(world, name, Status.SERVICE_UNAVAILABLE), Orderer(world, "orderer1")]
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        assert (await channel.submit(CALL)).block_num == 1


async def test_without_an_orderer_that_can_be_reached_nothing_is_ordered() -> None:
    world = World()
    async with channel_of(Peer(world, "peer0"), Orderer(world, "gone")) as channel:
        with pytest.raises(Unavailable, match="no orderer of health acknowledged the transaction: gone: ") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable


async def ordered_perhaps(*orderers: Orderer) -> Pending:
    """A transaction that the first of the orderers may have ordered and none acknowledged."""
    world = orderers[0].world
    async with channel_of(Peer(world, "peer0"), *orderers) as channel:
        channel.timeouts = replace(PATIENCE, broadcast=0.3)
        with pytest.raises(CommitUnknown, match="no orderer of health acknowledged the transaction") as caught:
            await channel.submit(CALL)
    assert not caught.value.retryable
    assert caught.value.pending is not None
    return caught.value.pending


async def test_an_envelope_without_an_answer_may_be_ordered_and_the_same_again_finds_its_verdict() -> None:
    world = World()
    pending = await ordered_perhaps(Orderer(world, "mute", mute=True))
    assert codes(world) == [TxCode.VALID]
    async with channel_of(Peer(world, "peer0"), Orderer(world, "orderer")) as channel:
        assert (await channel.resubmit(pending)).block_num == 1
    assert codes(world)[0] is TxCode.VALID


@pytest.mark.parametrize("second", [Status.FORBIDDEN, Status.SERVICE_UNAVAILABLE])
async def test_no_answer_of_another_orderer_undoes_what_one_may_have_ordered(second: Status) -> None:
    world = World()
    await ordered_perhaps(Orderer(world, "mute", mute=True), Orderer(world, "orderer1", second))


async def test_an_orderer_whose_disk_has_failed_may_have_stored_the_envelope() -> None:
    world = World()
    await ordered_perhaps(Orderer(world, "orderer", Status.SERVICE_UNAVAILABLE), Orderer(world, "gone"))


async def test_another_peer_endorses_and_tells_of_commits_where_the_first_is_gone() -> None:
    world = World()
    peers = [Peer(world, "gone"), Peer(world, "peer1")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=1) as channel:
        assert (await channel.submit(CALL)).payload == b"done"
        assert await channel.evaluate(CALL) == b"done"


async def test_a_peer_that_hangs_holds_up_the_first_call_alone() -> None:
    world = World()
    async with channel_of(
        Peer(world, "peer0", silent=True), Peer(world, "peer1"), Orderer(world, "orderer")
    ) as channel:
        channel.timeouts = Timeouts(evaluate=0.5)
        await channel.submit(CALL)
        start = asyncio.get_running_loop().time()
        await channel.submit(CALL)
        assert asyncio.get_running_loop().time() - start < 0.5


LACKING = ProposalResponse(Response(500, "private data matching public hash version is not available"))
SECRET = Call("kv", "get", ("key",), {"secret": b"for members alone"}, ("theirs",))


async def test_private_data_is_asked_of_members_until_one_has_it() -> None:
    world = World()
    own, lacking = Peer(world, "own"), Peer(world, "lacking", instead=LACKING, msp_id="TheirsMSP")
    has, last = Peer(world, "has", msp_id="TheirsMSP"), Peer(world, "last", msp_id="TheirsMSP")
    async with channel_of(own, lacking, has, last) as channel:
        assert await channel.evaluate(SECRET) == b"done"
    assert [len(peer.proposals) for peer in (own, lacking, has, last)] == [0, 1, 1, 0]
    async with channel_of(own, lacking) as channel:
        with pytest.raises(Refused, match="is not available"):
            await channel.evaluate(SECRET)


async def test_a_members_contract_that_says_no_is_not_gone_round() -> None:
    world = World()
    no = Response(403, '{"code": "ACCESS_DENIED", "message": "no"}')
    denying = Peer(world, "denying", instead=ProposalResponse(no), msp_id="TheirsMSP")
    async with channel_of(denying, Peer(world, "other", msp_id="TheirsMSP")) as channel:
        with pytest.raises(Refused, match="no"):
            await channel.evaluate(SECRET)


async def test_private_data_without_a_member_to_take_it_goes_nowhere() -> None:
    world = World()
    own, theirs = Peer(world, "own"), Peer(world, "theirs", msp_id="TheirsMSP")
    async with channel_of(own, Orderer(world, "orderer")) as channel:
        for ask in (channel.evaluate, channel.submit):
            with pytest.raises(
                PrivateDataRefused, match="of theirs in kv on health is for peers of TheirsMSP; found own"
            ):
                await ask(SECRET)
    async with channel_of(theirs, Orderer(world, "orderer")) as channel:
        with pytest.raises(PrivateDataRefused, match="names no collection"):
            await channel.submit(CALL)
    assert own.proposals == theirs.proposals == []


async def test_a_question_goes_to_one_peer_and_its_refusal_stands() -> None:
    world = World()
    peers = [Peer(world, "peer0", instead=ProposalResponse(Response(404, "no such key"))), Peer(world, "peer1")]
    async with channel_of(*peers) as channel:
        with pytest.raises(Refused, match=r"peer0 refused \(404\): no such key"):
            await channel.evaluate(CALL)
        assert await channel.evaluate(CALL, [channel.nodes.endorsers[1]]) == b"done"
    assert [len(peer.proposals) for peer in peers] == [1, 1]


async def test_a_question_that_no_peer_can_be_asked_is_unavailable() -> None:
    async with channel_of(Peer(World(), "gone")) as channel:
        with pytest.raises(Unavailable, match="no endorsing peer of health answered: gone: "):
            await channel.evaluate(CALL)
        with pytest.raises(Unavailable, match="no peer delivers the events of health: gone: "):
            await channel.submit(CALL)


async def test_peers_that_compute_different_results_make_no_transaction() -> None:
    world = World()
    peers = [Peer(world, "peer0", b"this"), Peer(world, "peer1", b"that")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        with pytest.raises(EndorsementMismatch, match=r"\(peer0 \| peer1\)") as caught:
            await channel.submit(CALL)
    assert caught.value.retryable
    assert world.envelopes == []


@pytest.mark.parametrize("lie", LyingEndorser.LIES)
async def test_one_lying_endorser_is_named_and_the_truth_is_committed_without_it(
    lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(signatures=2)
    peers = [Peer(world, "liar", lie=lie), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        for _ in range(2):  # one that replays has nothing to replay at first
            receipt = await channel.submit(CALL)
            assert receipt.payload == b"done"
    spoilt = [TxCode.ENDORSEMENT_POLICY_FAILURE] if lie in FOUND_BY_THE_SIGNATURE else []
    assert codes(world) == [*spoilt, TxCode.VALID, TxCode.VALID]
    data = parse_payload(parse_envelope(world.envelopes[-1]).payload).data
    endorsers = {endorsement.endorser for endorsement in parse_endorser_transaction(data).endorsements}
    assert endorsers == {signer("peer1", "peer").serialized, signer("peer2", "peer").serialized}
    assert any("liar" in str(vars(record)) for record in caplog.records if record.levelname == "WARNING")
    # Who is found out alone is asked last next time; who differs may be right, and the others wrong.
    assert len(peers[0].proposals) == 1 + (lie in (*FOUND_BY_COMPARING, "replayed"))


async def test_a_liar_that_was_found_out_is_verified_from_then_on(caplog: pytest.LogCaptureFixture) -> None:
    world = World(signatures=2)
    liar = Peer(world, "liar", lie="flipped signature")
    async with channel_of(liar, Peer(world, "peer1"), Peer(world, "peer2"), Orderer(world, "orderer")) as channel:
        mistaken = channel.nodes.endorsers[:2]
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):  # in the second try
            await channel.submit(CALL, mistaken)
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):
            await channel.endorse(CALL, mistaken)
        assert codes(world) == [TxCode.ENDORSEMENT_POLICY_FAILURE]
        liar.lie = ""
        assert (await channel.submit(CALL, mistaken)).payload == b"done"
    assert {vars(record)["peer"] for record in caplog.records if record.levelname == "WARNING"} == {"liar"}


async def test_whoever_drives_the_steps_asks_who_has_spoilt_a_transaction() -> None:
    world = World(signatures=2)
    peers = [Peer(world, "liar", lie="signs other bytes"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        with pytest.raises(Unavailable, match="liar: gave an endorsement that it did not sign"):
            await channel.endorse(CALL, channel.nodes.endorsers[:1], believing=False)
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        spoilt = await channel.endorse(CALL)
        assert channel.blame(spoilt) == ("liar",)
        honest = await channel.endorse(CALL)
        assert channel.blame(honest) == ()
        assert [node.name for node, _ in honest.answers] == ["peer1", "peer2"]


@pytest.mark.parametrize("code", [TxCode.ENDORSEMENT_POLICY_FAILURE, TxCode.MVCC_READ_CONFLICT])
async def test_a_call_that_nobody_spoilt_is_not_run_again(code: TxCode) -> None:
    world = World(code=code)
    peers = [Peer(world, "peer0"), Peer(world, "peer1")]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        with pytest.raises(CommitRefused, match=code.name) as caught:
            await channel.submit(CALL)
    assert caught.value.liars == ()
    assert len(world.envelopes) == 1


async def test_a_call_is_run_again_once_and_never_twice() -> None:
    world = World(code=TxCode.ENDORSEMENT_POLICY_FAILURE)
    peers = [Peer(world, "liar", lie="flipped signature"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        with pytest.raises(CommitRefused) as caught:
            await channel.submit(CALL)
    assert (caught.value.block_num, caught.value.liars) == (2, ())
    assert len(world.envelopes) == 2


async def test_what_was_spoilt_while_nobody_knew_names_the_liars_and_may_be_called_again() -> None:
    world = World(signatures=2, loses=True)
    peers = [Peer(world, "liar", lie="flipped signature"), Peer(world, "peer1"), Peer(world, "peer2")]
    async with channel_of(*peers, Orderer(world, "orderer"), needed=2) as channel:
        channel.timeouts = replace(PATIENCE, commit=0.05)
        with pytest.raises(CommitUnknown) as unknown:
            await channel.submit(CALL)
        world.loses, channel.timeouts = False, PATIENCE
        assert unknown.value.pending is not None
        with pytest.raises(CommitRefused) as caught:
            await channel.resubmit(unknown.value.pending)
        assert (caught.value.liars, caught.value.retryable) == (("liar",), True)
        assert (await channel.submit(CALL)).block_num == 2


async def test_a_valid_transaction_is_not_made_again_on_the_word_of_the_liar_who_endorsed_it_badly() -> None:
    world = World(signatures=2)
    liar = Peer(world, "liar", lie="flipped signature", tells=TxCode.ENDORSEMENT_POLICY_FAILURE)
    async with channel_of(liar, Peer(world, "peer1"), Peer(world, "peer2"), Orderer(world, "orderer")) as channel:
        receipt = await channel.submit(CALL)
    assert (receipt.block_num, receipt.peer) == (1, "peer1")
    assert codes(world) == [TxCode.VALID]


async def test_a_verdict_that_a_liar_alone_tells_is_unknown() -> None:
    world = World(signatures=1)
    liar = Peer(world, "liar", lie="flipped signature", tells=TxCode.ENDORSEMENT_POLICY_FAILURE)
    peers = [liar, Peer(world, "peer1", silent=True)]
    async with channel_of(*peers, Orderer(world, "orderer")) as channel:
        channel.timeouts = replace(PATIENCE, evaluate=0.5)
        with pytest.raises(CommitUnknown, match="on the word of a liar alone: no peer delivers the events") as caught:
            await channel.submit(CALL)
    assert caught.value.pending is not None
    assert codes(world) == [TxCode.VALID]


async def test_an_endorsed_payload_that_is_nonsense_makes_no_transaction() -> None:
    world = World()
    nonsense = ProposalResponse(Response(200), b"\xff\xff", endorse(b"\xff\xff", signer("peer0", "peer")))
    async with channel_of(Peer(world, "peer0", instead=nonsense), Orderer(world, "orderer")) as channel:
        with pytest.raises(Unavailable, match="peer0: gave what is no endorsement"):
            await channel.submit(CALL)
    assert world.envelopes == []


async def test_a_peer_whose_certificate_comes_from_elsewhere_is_not_talked_to() -> None:
    peer = Peer(World(), "peer0")
    elsewhere = Authority.root("ca", "org", datetime.now(UTC)).credential.certificate_pem
    async with channel_of(peer, ca=elsewhere) as channel:
        with pytest.raises(Unavailable):
            await channel.evaluate(CALL)
    assert peer.proposals == []
