"""A client's channel on small peers and orderers that a test scripts, over mutual TLS."""

import asyncio
import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import grpc

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
from privysharing.protocol.crypto import SigningIdentity, VerifyingKey
from privysharing.protocol.deliver import FilteredBlock, FilteredTransaction, SeekKind
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.signing import load_signing_identity
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeId, ProposalResponse, Response
from privysharing.sdk import Call, Channel, ConnectionProfile, Timeouts, connect
from privysharing.sdk.profile import ChannelNodes, Collection, Node
from tests.support.liars import LyingEndorser
from tests.support.nodes import SUCCESS, broadcast_answer, endorser, serving, streams

Context = grpc.aio.ServicerContext[bytes, bytes]
CALL = Call("kv", "put", ("key", b"value"), {"secret": b"for endorsers alone"})
SEED = 20264
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
        if VerifyingKey(parse_certificate(certificate).public_key()).verify(message, each.signature):
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


def codes(world: World) -> list[TxCode]:
    return [transaction.code for block in world.blocks for transaction in block.transactions]
