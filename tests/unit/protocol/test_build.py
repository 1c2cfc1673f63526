"""Proposals and transactions made of parts, and read again."""

from dataclasses import replace

import pytest

from privysharing.protocol.build import (
    UnusableResponses,
    endorse,
    make_proposal,
    make_transaction,
    sign_proposal,
    signed,
)
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_proposal_response,
    encode_proposal_response_payload,
    parse_proposal,
    parse_proposal_payload,
    parse_proposal_response,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.crypto import VerifyingKey
from privysharing.protocol.envelopes import compute_tx_id
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    ProposalResponse,
    Response,
)
from privysharing.wire.common import common_pb2
from privysharing.wire.peer import chaincode_pb2, proposal_pb2
from tests.support.judging import CLIENT1, PEER1, PEER2

INPUT = ChaincodeInput((b"share", b"asset1"))
PROPOSAL = make_proposal(
    "city", "cc", INPUT, CLIENT1.serialized, nonce=b"nonce", timestamp_ns=1_500_000_001, transient={"secret": b"s"}
)
HASH = proposal_hash(PROPOSAL.header.channel_bytes, PROPOSAL.header.signature_bytes, PROPOSAL.payload_without_transient)
RESPONSE_PAYLOAD = encode_proposal_response_payload(
    HASH, encode_chaincode_action(ChaincodeAction(b"", b"", Response(200), ChaincodeId("cc", "1")))
)
ANSWERS = [
    ProposalResponse(Response(200, payload=b"ok"), RESPONSE_PAYLOAD, endorse(RESPONSE_PAYLOAD, peer))
    for peer in (PEER1, PEER2)
]


def test_a_proposal_is_read_as_it_was_made() -> None:
    assert parse_proposal(PROPOSAL.raw) == PROPOSAL
    assert PROPOSAL.header.channel.tx_id == compute_tx_id(b"nonce", CLIENT1.serialized)
    assert PROPOSAL.header.channel.type == HeaderType.ENDORSER_TRANSACTION


def test_transient_data_is_in_the_proposal_and_in_nothing_else() -> None:
    plain = make_proposal("city", "cc", INPUT, CLIENT1.serialized, nonce=b"nonce", timestamp_ns=1_500_000_001)
    assert plain.payload_without_transient == PROPOSAL.payload_without_transient
    assert b"secret" in PROPOSAL.raw
    assert b"secret" not in make_transaction(PROPOSAL, ANSWERS)
    assert "secret" not in repr(PROPOSAL)


def test_a_proposal_is_signed_as_a_whole() -> None:
    request = sign_proposal(PROPOSAL, CLIENT1)
    assert request.proposal == PROPOSAL.raw
    assert VerifyingKey(CLIENT1.private_key.public_key()).verify(request.proposal, request.signature)


def test_a_transaction_carries_the_proposal_and_its_endorsements() -> None:
    envelope = signed(make_transaction(PROPOSAL, ANSWERS), CLIENT1)
    tx = read_transaction(envelope.raw)
    assert (tx.fault_before_signature, tx.fault_after_signature) == (TxCode.VALID, TxCode.VALID)
    assert tx.header == PROPOSAL.header
    assert tx.endorsed is not None
    assert tx.endorsed.transaction.endorsements == tuple(answer.endorsement for answer in ANSWERS)
    assert parse_proposal_payload(tx.endorsed.transaction.proposal_payload) == INPUT


def test_an_endorser_counts_once() -> None:
    tx = read_transaction(signed(make_transaction(PROPOSAL, [*ANSWERS, ANSWERS[0]]), CLIENT1).raw)
    assert tx.endorsed is not None
    assert len(tx.endorsed.transaction.endorsements) == 2


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([], "at least one"),
        ([replace(ANSWERS[0], response=Response(500, "no"))], "error code 500, msg no"),
        ([replace(ANSWERS[0], response=Response(0))], "error code 0"),
        ([ANSWERS[0], replace(ANSWERS[1], payload=b"other")], "do not match"),
        ([replace(ANSWERS[0], endorsement=None)], "no endorsements"),
    ],
)
def test_answers_of_which_no_transaction_can_be_made(answers: list[ProposalResponse], reason: str) -> None:
    with pytest.raises(UnusableResponses, match=reason):
        make_transaction(PROPOSAL, answers)


def test_an_answer_is_read_as_it_was_written() -> None:
    for answer in (
        ANSWERS[0],
        ProposalResponse(Response(500, "no")),
        replace(ANSWERS[0], timestamp_ns=5, interest=b"\x0a\x04\x0a\x02cc", endorsement=Endorsement(b"", b"")),
    ):
        assert parse_proposal_response(encode_proposal_response(answer)) == answer


def test_a_field_that_we_do_not_know_is_not_hashed() -> None:
    message = proposal_pb2.Proposal.FromString(PROPOSAL.raw)
    message.payload += b"\x7a\x00"
    assert parse_proposal(message.SerializeToString()).payload_without_transient == PROPOSAL.payload_without_transient


def proposal_with(extension: bytes | None = None, invocation: bytes | None = None) -> bytes:
    made = make_proposal("city", "cc", INPUT, CLIENT1.serialized, nonce=b"n", timestamp_ns=1)
    message = proposal_pb2.Proposal.FromString(made.raw)
    if extension is not None:
        header = common_pb2.Header.FromString(message.header)
        channel = common_pb2.ChannelHeader.FromString(header.channel_header)
        channel.extension = extension
        header.channel_header = channel.SerializeToString()
        message.header = header.SerializeToString()
    if invocation is not None:
        message.payload = proposal_pb2.ChaincodeProposalPayload(input=invocation).SerializeToString()
    return message.SerializeToString()


SPEC = chaincode_pb2.ChaincodeSpec(chaincode_id=chaincode_pb2.ChaincodeID(name="cc"))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xff", "not a protos.Proposal"),
        (proposal_with(extension=b""), "ChaincodeHeaderExtension.ChaincodeId is nil"),
        (proposal_with(extension=b"\x12\x00"), "ChaincodeHeaderExtension.ChaincodeId.Name is empty"),
        (proposal_with(invocation=b""), "did not contain chaincode spec"),
        (
            proposal_with(invocation=chaincode_pb2.ChaincodeInvocationSpec(chaincode_spec=SPEC).SerializeToString()),
            "did not contain any input",
        ),
        (proposal_with(invocation=b"\xff"), "not a protos.ChaincodeInvocationSpec"),
    ],
)
def test_a_proposal_that_lacks_something_is_refused_in_fabrics_words(raw: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        parse_proposal(raw)
