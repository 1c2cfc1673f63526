"""What is read by hand, level by level, says what protobuf finds in the same bytes, spoilt anywhere."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from privysharing.protocol.codec.envelopes import (
    parse_and_marshal_envelope,
    parse_envelope,
    parse_signature_header,
    split_header,
    split_payload,
)
from privysharing.protocol.codec.frames import FIELDS_MAX
from privysharing.protocol.codec.rwsets import parse_tx_rwset
from privysharing.protocol.codec.transactions import (
    parse_action,
    parse_chaincode_action,
    parse_invocation,
    parse_only_action,
    parse_proposal_payload,
    parse_proposal_response_payload,
    parse_response,
    parse_signed_proposal,
)
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import SignatureHeader
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.rwsets import NamespaceRwSet, Read, Version, Write
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    EndorserTransaction,
    Response,
    SignedProposal,
)
from privysharing.wire.common import common_pb2
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2
from privysharing.wire.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from privysharing.wire.privysharing.v1 import outline_pb2
from tests.fuzz.messages import some_call, transaction
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.wire import BYTES, encode, parse
from tests.support.judging import PEER1, Tx

HONEST = Tx(namespaces=(NamespaceRwSet("cc", reads=(Read("r", Version(0, 0)),), writes=(Write("k", b"v"),)),))


def protobuf(kind: Any, raw: bytes) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise MalformedMessage("") from None


def payload(raw: bytes) -> Any:
    found = protobuf(common_pb2.Payload, raw)
    header = found.header
    return (header.channel_header, header.signature_header, found.data) if found.HasField("header") else None


def marshalled(raw: bytes) -> Any:
    found = protobuf(common_pb2.Envelope, raw)
    return found.payload, found.signature, found.SerializeToString()


def signature_header(raw: bytes) -> SignatureHeader:
    found = protobuf(common_pb2.SignatureHeader, raw)
    return SignatureHeader(found.creator, found.nonce)


def only_action(raw: bytes) -> Any:
    actions = protobuf(transaction_pb2.Transaction, raw).actions
    if len(actions) != 1:
        raise MalformedMessage("")
    return actions[0].header, actions[0].payload


def action(raw: bytes) -> EndorserTransaction:
    found = protobuf(outline_pb2.ActionPayload, raw)
    if not found.HasField("action"):
        raise MalformedMessage("")
    endorsed = found.action
    signed = [protobuf(proposal_response_pb2.Endorsement, each) for each in dict.fromkeys(endorsed.endorsements)]
    return EndorserTransaction(
        b"",
        found.chaincode_proposal_payload,
        endorsed.proposal_response_payload,
        *response_payload(endorsed.proposal_response_payload),
        tuple(Endorsement(each.endorser, each.signature) for each in signed),
    )


def response_payload(raw: bytes) -> tuple[bytes, bytes]:
    found = protobuf(proposal_response_pb2.ProposalResponsePayload, raw)
    return found.proposal_hash, found.extension


def chaincode_action(raw: bytes) -> ChaincodeAction:
    found = protobuf(proposal_pb2.ChaincodeAction, raw)
    chaincode = found.chaincode_id
    return ChaincodeAction(
        found.results,
        found.events,
        response(found.response.SerializeToString()) if found.HasField("response") else None,
        ChaincodeId(chaincode.name, chaincode.version, chaincode.path) if found.HasField("chaincode_id") else None,
    )


def response(raw: bytes) -> Response:
    found = protobuf(proposal_response_pb2.Response, raw)
    return Response(found.status, found.message, found.payload)


def signed_proposal(raw: bytes) -> SignedProposal:
    found = protobuf(proposal_pb2.SignedProposal, raw)
    return SignedProposal(found.proposal_bytes, found.signature)


def proposal_payload(raw: bytes) -> ChaincodeInput:
    return parse_invocation(protobuf(proposal_pb2.ChaincodeProposalPayload, raw).input)


def namespaces(raw: bytes) -> Any:
    """Of each, its name and what is written to its public keys."""
    found = [protobuf(outline_pb2.Namespace, each) for each in protobuf(outline_pb2.Namespaces, raw).ns_rwset]
    for each in found:
        for entry in each.collection_hashed_rwset:
            collection = protobuf(rwset_pb2.CollectionHashedReadWriteSet, entry)
            protobuf(kv_rwset_pb2.HashedRWSet, collection.hashed_rwset)
    public = [protobuf(kv_rwset_pb2.KVRWSet, each.rwset).writes for each in found]
    return [(each.namespace, [write.key for write in writes]) for each, writes in zip(found, public, strict=True)]


def namespaces_by_hand(raw: bytes) -> Any:
    return [(each.namespace, [write.key for write in each.writes]) for each in parse_tx_rwset(raw).namespaces]


LEVELS: dict[str, tuple[Callable[[bytes], Any], Callable[[bytes], Any]]] = {
    "envelope": (parse_and_marshal_envelope, marshalled),
    "payload": (split_payload, payload),
    "payload's header": (split_header, lambda raw: (parts := payload(raw)) and parts[:2]),
    "signature header": (parse_signature_header, signature_header),
    "transaction": (parse_only_action, only_action),
    "action": (lambda raw: parse_action(b"", raw), action),
    "response payload": (parse_proposal_response_payload, response_payload),
    "chaincode action": (parse_chaincode_action, chaincode_action),
    "response": (parse_response, response),
    "signed proposal": (parse_signed_proposal, signed_proposal),
    "proposal payload": (parse_proposal_payload, proposal_payload),
    "read/write set": (namespaces_by_hand, namespaces),
}


def outcome(read: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return read(raw)
    except MalformedMessage:
        return "malformed"


def within(raw: bytes) -> Iterator[bytes]:
    """Bytes, and all those that are fields of theirs, at any depth."""
    yield raw
    for found in parse(raw) or ():
        if found.kind == BYTES and isinstance(found.value, bytes):
            yield from within(found.value)


@pytest.mark.parametrize("seed", range(3))
def test_every_level_of_whatever_is_spoilt_says_what_protobuf_reads(seed: int) -> None:
    chance = random.Random(seed)
    mutator = Mutator(chance, [HONEST.raw, transaction(Hand(), some_call(chance, bytes(24)))])
    for number in range(40):
        call = some_call(chance, number.to_bytes(24, "big"))
        whole = spoilt(chance, mutator, lambda hand, call=call: transaction(hand, call))  # type: ignore[misc]
        for raw in dict.fromkeys(within(whole)):
            for name, (by_hand, by_protobuf) in LEVELS.items():
                assert outcome(by_hand, raw) == outcome(by_protobuf, raw), (name, raw.hex())


def test_nothing_is_wrong_with_an_honest_transaction() -> None:
    read = read_transaction(HONEST.raw)
    assert read.endorsed is not None
    assert (read.fault_before_signature, read.fault_after_signature, read.endorsed.fault) == (TxCode.VALID,) * 3


@pytest.mark.parametrize("levels", range(5))
def test_of_a_field_that_stands_there_twice_the_last_one_counts_and_nothing_is_merged(levels: int) -> None:
    """Of the payload, its data, the action, the action's payload, what was endorsed."""
    one, other = (parse_envelope(replace(HONEST, nonce=bytes((number,)) * 24).raw).payload for number in (1, 2))
    twice = merged(one, other, (2, 1, 2, 2)[:levels])
    assert split_payload(twice) == payload(twice)
    data = payload(twice)[2]
    assert outcome(parse_only_action, data) == outcome(only_action, data)
    if levels > 1:
        raw = only_action(data)[1]
        assert parse_action(b"", raw) == action(raw)


def merged(one: bytes, other: bytes, path: tuple[int, ...]) -> bytes:
    """The fields of another message put behind the first one's, below this path of field numbers."""
    if not path:
        return one + other
    fields, others = parse(one), parse(other)
    assert fields is not None
    assert others is not None
    (field,) = [field for field in fields if field.number == path[0]]
    (twin,) = [field for field in others if field.number == path[0]]
    assert isinstance(field.value, bytes)
    assert isinstance(twin.value, bytes)
    field.value = merged(field.value, twin.value, path[1:])
    return encode(fields)


@pytest.mark.parametrize(
    "endorsements",
    [
        (Endorsement(PEER1.serialized, b"s"),) * 2,
        tuple(Endorsement(b"", bytes((number,))) for number in range(FIELDS_MAX + 1)),
    ],
    ids=["repeated", "many"],
)
def test_endorsements_that_repeat_are_read_once_however_many_there_are(endorsements: tuple[Endorsement, ...]) -> None:
    endorsed = read_transaction(replace(HONEST, endorsements=endorsements).raw).endorsed
    assert endorsed is not None
    assert endorsed.transaction.endorsements == tuple(dict.fromkeys(endorsements))
