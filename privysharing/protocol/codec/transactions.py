"""Proposals, proposal responses and endorser transactions."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.envelopes import encode_header, parse_header, timestamp, timestamp_ns
from privysharing.protocol.codec.frames import fields, pair
from privysharing.protocol.codec.varint import bytes_field, encode_varint, message_field
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import Header, TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeEvent,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    EndorserTransaction,
    Proposal,
    ProposalResponse,
    Response,
    SignedProposal,
)
from privysharing.wire.common import common_pb2
from privysharing.wire.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from privysharing.wire.privysharing.v1 import outline_pb2

# Ids of chaincodes, and extensions of channel headers that name one, are read once: they are few, of some ten bytes.
CHAINCODES_CACHED_MAX: Final = 256
CHAINCODE_BYTES_CACHED_MAX: Final = 256

# So are the shortest responses: most transactions answer no more than that they did what they were told.
RESPONSES_CACHED_MAX: Final = 256
RESPONSE_BYTES_CACHED_MAX: Final = 32

_OK: Final = b"\x08\xc8\x01"  # how a response of status 200 begins


def proposal_hash(channel_header: bytes, signature_header: bytes, payload_without_transient: bytes) -> bytes:
    """What binds an endorsement to its proposal (protoutil GetProposalHash1 and 2)."""
    return hashlib.sha256(channel_header + signature_header + payload_without_transient).digest()


def parse_signed_proposal(raw: bytes) -> SignedProposal:
    """Read a signed proposal."""
    if parts := pair(raw):
        return SignedProposal(parts[0], parts[1])
    message = decode(proposal_pb2.SignedProposal, raw)
    return SignedProposal(message.proposal_bytes, message.signature)


def encode_signed_proposal(signed: SignedProposal) -> bytes:
    """A signed proposal."""
    return bytes_field(b"\x0a", signed.proposal) + bytes_field(b"\x12", signed.signature)


def parse_proposal(raw: bytes) -> Proposal:
    """Read a proposal down to the chaincode's arguments (endorser UnpackProposal, its errors in its order)."""
    header_bytes, payload_bytes = _split_proposal(raw)
    header = parse_header(header_bytes)
    chaincode = parse_chaincode_header_extension(header.channel.extension)
    if chaincode is None:
        raise MalformedMessage("ChaincodeHeaderExtension.ChaincodeId is nil")
    if not chaincode.name:
        raise MalformedMessage("ChaincodeHeaderExtension.ChaincodeId.Name is empty")
    invocation, transient, canonical = _split_proposal_payload(payload_bytes)
    return Proposal(
        header,
        chaincode,
        parse_invocation(invocation),
        transient,
        # Marshalled again from the input alone: a field that we do not know is not hashed, as in Fabric.
        payload_bytes if canonical else encode_proposal_payload(invocation),
        raw,
    )


def parse_proposal_header(raw: bytes) -> Header:
    """The header of a proposal, whatever else is in it."""
    return parse_header(_split_proposal(raw)[0])


def _split_proposal(raw: bytes) -> Sequence[bytes]:
    """Its header and its payload."""
    if parts := pair(raw):
        return parts
    message = decode(proposal_pb2.Proposal, raw)
    return message.header, message.payload


def encode_proposal(channel_header: bytes, signature_header: bytes, payload: bytes) -> bytes:
    """A proposal from encoded headers and an encoded ChaincodeProposalPayload."""
    return bytes_field(b"\x0a", encode_header(channel_header, signature_header)) + bytes_field(b"\x12", payload)


def encode_proposal_payload(invocation: bytes, transient: Mapping[str, bytes] | None = None) -> bytes:
    """ChaincodeProposalPayload; without transient data it is what a transaction carries."""
    if not transient:
        return bytes_field(b"\x0a", invocation)
    message = proposal_pb2.ChaincodeProposalPayload(input=invocation, TransientMap=transient)
    return message.SerializeToString(deterministic=True)


def parse_proposal_payload(raw: bytes) -> ChaincodeInput:
    """The chaincode's arguments inside a ChaincodeProposalPayload."""
    return parse_invocation(_split_proposal_payload(raw)[0])


def _split_proposal_payload(raw: bytes) -> tuple[bytes, dict[str, bytes], bool]:
    """Its input, its transient fields, and whether these bytes are what its input alone is marshalled to."""
    tags, found = fields(raw)
    if tags == b"\x0a":
        return found[0], {}, True
    message = decode(proposal_pb2.ChaincodeProposalPayload, raw)
    return message.input, dict(message.TransientMap), False


def parse_invocation(raw: bytes) -> ChaincodeInput:
    """Read the input of a ChaincodeInvocationSpec."""
    invocation = decode(chaincode_pb2.ChaincodeInvocationSpec, raw)
    if not invocation.HasField("chaincode_spec"):
        raise MalformedMessage("chaincode invocation spec did not contain chaincode spec")
    spec = invocation.chaincode_spec
    if not spec.HasField("input"):
        raise MalformedMessage("chaincode input did not contain any input")
    return _chaincode_input(spec.input)


def encode_invocation(chaincode: ChaincodeId, chaincode_input: ChaincodeInput) -> bytes:
    """A ChaincodeInvocationSpec; its type is GOLANG as Fabric's clients write it, and means nothing to a peer."""
    chaincode_id = message_field(b"\x12", _encode_chaincode_id(chaincode))
    return message_field(
        b"\x0a", b"\x08\x01" + chaincode_id + message_field(b"\x1a", encode_chaincode_input(chaincode_input))
    )


def encode_chaincode_input(chaincode_input: ChaincodeInput) -> bytes:
    """A bare ChaincodeInput."""
    args = b"".join([message_field(b"\x0a", arg) for arg in chaincode_input.args])
    if not chaincode_input.decorations and not chaincode_input.is_init:
        return args
    rest = chaincode_pb2.ChaincodeInput(decorations=chaincode_input.decorations, is_init=chaincode_input.is_init)
    return args + rest.SerializeToString(deterministic=True)


def parse_chaincode_header_extension(raw: bytes) -> ChaincodeId | None:
    """The chaincode that a channel header names; None when it names none."""
    return _known_extension(raw) if len(raw) <= CHAINCODE_BYTES_CACHED_MAX else _parse_extension(raw)


def _parse_extension(raw: bytes) -> ChaincodeId | None:
    message = decode(proposal_pb2.ChaincodeHeaderExtension, raw)
    return _chaincode_id(message.chaincode_id) if message.HasField("chaincode_id") else None


_known_extension = lru_cache(CHAINCODES_CACHED_MAX)(_parse_extension)


def encode_chaincode_header_extension(chaincode: ChaincodeId) -> bytes:
    """ChaincodeHeaderExtension."""
    return message_field(b"\x12", _encode_chaincode_id(chaincode))


def parse_proposal_response(raw: bytes) -> ProposalResponse:
    """Read what an endorser answered."""
    message = decode(proposal_response_pb2.ProposalResponse, raw)
    endorsement = message.endorsement if message.HasField("endorsement") else None
    return ProposalResponse(
        response=_response(message.response),
        payload=message.payload,
        endorsement=Endorsement(endorsement.endorser, endorsement.signature) if endorsement else None,
        version=message.version,
        timestamp_ns=timestamp_ns(message.timestamp) if message.HasField("timestamp") else None,
        interest=message.interest.SerializeToString() if message.HasField("interest") else b"",
    )


def encode_proposal_response(answer: ProposalResponse) -> bytes:
    """An endorser's answer."""
    parts = [b"\x08" + encode_varint(answer.version) if answer.version else b""]
    if answer.timestamp_ns is not None:
        parts.append(message_field(b"\x12", timestamp(answer.timestamp_ns).SerializeToString()))
    parts.append(message_field(b"\x22", encode_response(answer.response)))
    parts.append(bytes_field(b"\x2a", answer.payload))
    if answer.endorsement is not None:
        parts.append(message_field(b"\x32", _encode_endorsement(answer.endorsement)))
    parts.append(bytes_field(b"\x3a", answer.interest))
    return b"".join(parts)


def parse_proposal_response_payload(raw: bytes) -> tuple[bytes, bytes]:
    """The proposal hash and the ChaincodeAction bytes that endorsers signed."""
    if parts := pair(raw):
        return parts[0], parts[1]
    message = decode(proposal_response_pb2.ProposalResponsePayload, raw)
    return message.proposal_hash, message.extension


def encode_proposal_response_payload(hashed_proposal: bytes, action: bytes) -> bytes:
    """ProposalResponsePayload from a proposal hash and an encoded ChaincodeAction."""
    return bytes_field(b"\x0a", hashed_proposal) + bytes_field(b"\x12", action)


def parse_chaincode_action(raw: bytes) -> ChaincodeAction:
    """Read what a simulation came to."""
    tags, found = fields(raw)
    if tags == b"\x0a\x1a\x22" and len(found[2]) <= CHAINCODE_BYTES_CACHED_MAX:
        results, response, chaincode = found
        return ChaincodeAction(results, b"", parse_response(response), _known_chaincode(chaincode))
    message = decode(proposal_pb2.ChaincodeAction, raw)
    return ChaincodeAction(
        results=message.results,
        events=message.events,
        response=_response(message.response) if message.HasField("response") else None,
        chaincode=_chaincode_id(message.chaincode_id) if message.HasField("chaincode_id") else None,
    )


def encode_chaincode_action(action: ChaincodeAction) -> bytes:
    """A ChaincodeAction."""
    encoded = bytes_field(b"\x0a", action.results) + bytes_field(b"\x12", action.events)
    if action.response is not None:
        encoded += message_field(b"\x1a", encode_response(action.response))
    if action.chaincode is not None:
        encoded += message_field(b"\x22", _encode_chaincode_id(action.chaincode))
    return encoded


def parse_chaincode_event(raw: bytes) -> ChaincodeEvent:
    """Read a chaincode event."""
    message = decode(chaincode_event_pb2.ChaincodeEvent, raw)
    return ChaincodeEvent(message.chaincode_id, TxId(message.tx_id), message.event_name, message.payload)


def encode_chaincode_event(event: ChaincodeEvent) -> bytes:
    """A chaincode event."""
    return chaincode_event_pb2.ChaincodeEvent(
        chaincode_id=event.chaincode_id, tx_id=event.tx_id, event_name=event.name, payload=event.payload
    ).SerializeToString()


def parse_response(raw: bytes) -> Response:
    """Read a bare protos.Response."""
    return _known_response(raw) if len(raw) <= RESPONSE_BYTES_CACHED_MAX else _parse_response(raw)


def _parse_response(raw: bytes) -> Response:
    if raw.startswith(_OK):
        tags, found = fields(raw[len(_OK) :])
        if tags == b"\x1a":
            return Response(200, payload=found[0])
    return _response(decode(proposal_response_pb2.Response, raw))


_known_response = lru_cache(RESPONSES_CACHED_MAX)(_parse_response)


def encode_response(response: Response) -> bytes:
    """A bare protos.Response."""
    status, text, payload = response.status, response.message, response.payload
    if not 0 < status < 1000:  # none of HTTP's: for protobuf to write, or to refuse
        return proposal_response_pb2.Response(status=status, message=text, payload=payload).SerializeToString()
    return b"\x08" + encode_varint(status) + bytes_field(b"\x12", text.encode()) + bytes_field(b"\x1a", payload)


def parse_actions(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The actions of a protos.Transaction, each as its header bytes and ChaincodeActionPayload bytes."""
    return ((action.header, action.payload) for action in decode(transaction_pb2.Transaction, raw).actions)


def parse_only_action(raw: bytes) -> tuple[bytes, bytes]:
    """The one action of a protos.Transaction: its header bytes and ChaincodeActionPayload bytes."""
    tags, found = fields(raw)
    if tags == b"\x0a" and (parts := pair(found[0])):
        return parts[0], parts[1]
    actions = decode(transaction_pb2.Transaction, raw).actions
    if len(actions) != 1:
        raise MalformedMessage(f"only one action per transaction is supported, tx contains {len(actions)}")
    return actions[0].header, actions[0].payload


def parse_action(action_header: bytes, action_payload: bytes) -> EndorserTransaction:
    """Read one action of a transaction, down to the endorsements: each once, since they can be millions of nothing."""
    proposal_payload, response_payload, endorsements = _split_action(action_payload)
    hashed_proposal, action_bytes = parse_proposal_response_payload(response_payload)
    return EndorserTransaction(
        action_header=action_header,
        proposal_payload=proposal_payload,
        response_payload=response_payload,
        proposal_hash=hashed_proposal,
        action_bytes=action_bytes,
        endorsements=tuple([_endorsement(raw) for raw in dict.fromkeys(endorsements)]),
    )


def _split_action(raw: bytes) -> tuple[bytes, bytes, Sequence[bytes]]:
    """Of a ChaincodeActionPayload, the proposal payload, the response payload and the endorsements."""
    if parts := pair(raw):
        tags, found = fields(parts[1])
        if tags[:1] == b"\x0a" and tags.count(b"\x12") == len(found) - 1:
            return parts[0], found[0], found[1:]
    message = decode(outline_pb2.ActionPayload, raw)
    if not message.HasField("action"):
        raise MalformedMessage("nil action payload")
    return message.chaincode_proposal_payload, message.action.proposal_response_payload, message.action.endorsements


def parse_endorser_transaction(raw: bytes) -> EndorserTransaction:
    """Read a protos.Transaction, which must hold exactly one action."""
    return parse_action(*parse_only_action(raw))


def encode_endorser_transaction(
    action_header: bytes, proposal_payload: bytes, response_payload: bytes, endorsements: Sequence[Endorsement]
) -> bytes:
    """A protos.Transaction of one action."""
    endorsed = [bytes_field(b"\x0a", response_payload)]
    endorsed += [message_field(b"\x12", _encode_endorsement(endorsement)) for endorsement in endorsements]
    payload = bytes_field(b"\x0a", proposal_payload) + message_field(b"\x12", b"".join(endorsed))
    return message_field(b"\x0a", bytes_field(b"\x0a", action_header) + bytes_field(b"\x12", payload))


def parse_processed_transaction(raw: bytes) -> tuple[bytes, TxCode]:
    """The envelope bytes and the verdict inside a protos.ProcessedTransaction (qscc GetTransactionByID)."""
    message = decode(transaction_pb2.ProcessedTransaction, raw)
    if message.validationCode not in TxCode._value2member_map_:
        raise MalformedMessage(f"a transaction of validation code {message.validationCode}")
    return message.transactionEnvelope.SerializeToString(), TxCode(message.validationCode)


def encode_processed_transaction(envelope: bytes, code: TxCode) -> bytes:
    """A protos.ProcessedTransaction."""
    return transaction_pb2.ProcessedTransaction(
        transactionEnvelope=decode(common_pb2.Envelope, envelope), validationCode=code
    ).SerializeToString()


def _endorsement(raw: bytes) -> Endorsement:
    if parts := pair(raw):
        return Endorsement(parts[0], parts[1])
    message = decode(proposal_response_pb2.Endorsement, raw)
    return Endorsement(message.endorser, message.signature)


def _encode_endorsement(endorsement: Endorsement) -> bytes:
    return bytes_field(b"\x0a", endorsement.endorser) + bytes_field(b"\x12", endorsement.signature)


def _chaincode_id(message: chaincode_pb2.ChaincodeID) -> ChaincodeId:
    return ChaincodeId(message.name, message.version, message.path)


@lru_cache(CHAINCODES_CACHED_MAX)
def _known_chaincode(raw: bytes) -> ChaincodeId:
    return _chaincode_id(decode(chaincode_pb2.ChaincodeID, raw))


def _encode_chaincode_id(chaincode: ChaincodeId) -> bytes:
    return _named(chaincode.path, chaincode.name, chaincode.version)


@lru_cache(CHAINCODES_CACHED_MAX)
def _named(path: str, name: str, version: str) -> bytes:
    return (
        bytes_field(b"\x0a", path.encode())
        + bytes_field(b"\x12", name.encode())
        + bytes_field(b"\x1a", version.encode())
    )


def _chaincode_input(message: chaincode_pb2.ChaincodeInput) -> ChaincodeInput:
    decorations = message.decorations
    return ChaincodeInput(tuple(message.args[:]), dict(decorations) if decorations else {}, message.is_init)


def _response(message: proposal_response_pb2.Response) -> Response:
    return Response(message.status, message.message, message.payload)
