"""What is framed by hand, because it is large or frequent, is to the byte what protobuf writes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.blocks import Block, BlockHeader
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.envelopes import encode_envelope, encode_payload, encode_signature_header
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.codec.transactions import (
    encode_chaincode_header_extension,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
    encode_signed_proposal,
)
from privysharing.protocol.envelopes import SignatureHeader
from privysharing.protocol.ordering import RecordClass, Regular
from privysharing.protocol.transactions import ChaincodeId, ChaincodeInput, Endorsement, SignedProposal
from privysharing.wire.common import common_pb2
from privysharing.wire.orderer import kafka_pb2
from privysharing.wire.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2

UINT64 = st.integers(0, 2**64 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
SIZES = st.sampled_from((0, 1, 127, 128, 300, 16_383, 16_384))
CONTENTS = st.builds(lambda size, byte: bytes((byte,)) * size, SIZES, st.integers(0, 255))


@given(CONTENTS, UINT64, st.sampled_from(RecordClass), INT64)
def test_a_record(envelope: bytes, sequence: int, kind: RecordClass, original: int) -> None:
    fields: dict[str, Any] = {"payload": envelope, "config_seq": sequence, "class": kind, "original_offset": original}
    written = kafka_pb2.KafkaMessage(regular=kafka_pb2.KafkaMessageRegular(**fields)).SerializeToString()
    record = Regular(envelope, sequence, kind, original)
    assert encode_record(record) == written
    assert parse_record(written) == record


@given(UINT64, st.lists(CONTENTS, max_size=4), st.lists(CONTENTS, max_size=5))
def test_a_block(number: int, data: list[bytes], metadata: list[bytes]) -> None:
    block = Block(BlockHeader(number, b"before", b"hash"), tuple(data), tuple(metadata))
    written = common_pb2.Block(
        header=common_pb2.BlockHeader(number=number, previous_hash=b"before", data_hash=b"hash"),
        data=common_pb2.BlockData(data=data),
        metadata=common_pb2.BlockMetadata(metadata=metadata),
    ).SerializeToString()
    assert encode_block(block) == written
    assert parse_block(written) == block


@given(CONTENTS, CONTENTS, CONTENTS, CONTENTS)
def test_an_envelope_with_its_payload_and_header(channel: bytes, creator: bytes, nonce: bytes, data: bytes) -> None:
    header = common_pb2.SignatureHeader(creator=creator, nonce=nonce).SerializeToString()
    payload = common_pb2.Payload(
        header=common_pb2.Header(channel_header=channel, signature_header=header), data=data
    ).SerializeToString()
    assert encode_signature_header(SignatureHeader(creator, nonce)) == header
    assert encode_payload(channel, header, data) == payload
    written = common_pb2.Envelope(payload=payload, signature=nonce).SerializeToString()
    assert encode_envelope(payload, nonce) == written


@given(CONTENTS, CONTENTS, CONTENTS, CONTENTS)
def test_a_signed_proposal(channel: bytes, header: bytes, invocation: bytes, signature: bytes) -> None:
    payload = proposal_pb2.ChaincodeProposalPayload(input=invocation).SerializeToString()
    proposal = proposal_pb2.Proposal(
        header=common_pb2.Header(channel_header=channel, signature_header=header).SerializeToString(), payload=payload
    ).SerializeToString()
    assert encode_proposal_payload(invocation) == payload
    assert encode_proposal(channel, header, payload) == proposal
    written = proposal_pb2.SignedProposal(proposal_bytes=proposal, signature=signature).SerializeToString()
    assert encode_signed_proposal(SignedProposal(proposal, signature)) == written


@given(
    st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)),
    st.lists(CONTENTS, max_size=3),
    st.dictionaries(st.text(max_size=3), CONTENTS, max_size=3),
    st.booleans(),
)
def test_a_call_of_a_chaincode(
    names: tuple[str, str, str], args: list[bytes], decorations: dict[str, bytes], is_init: bool
) -> None:
    name, version, path = names
    chaincode = chaincode_pb2.ChaincodeID(name=name, version=version, path=path)
    written = chaincode_pb2.ChaincodeInvocationSpec(
        chaincode_spec=chaincode_pb2.ChaincodeSpec(
            type=chaincode_pb2.ChaincodeSpec.GOLANG,
            chaincode_id=chaincode,
            input=chaincode_pb2.ChaincodeInput(args=args, decorations=decorations, is_init=is_init),
        )
    ).SerializeToString(deterministic=True)
    found = encode_invocation(ChaincodeId(name, version, path), ChaincodeInput(tuple(args), decorations, is_init))
    assert found == written
    extension = proposal_pb2.ChaincodeHeaderExtension(chaincode_id=chaincode).SerializeToString()
    assert encode_chaincode_header_extension(ChaincodeId(name, version, path)) == extension


@given(CONTENTS, CONTENTS, CONTENTS, st.lists(st.tuples(CONTENTS, CONTENTS), max_size=3))
def test_an_endorser_transaction(
    header: bytes, proposal: bytes, response: bytes, endorsements: list[tuple[bytes, bytes]]
) -> None:
    payload = transaction_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=proposal,
        action=transaction_pb2.ChaincodeEndorsedAction(
            proposal_response_payload=response,
            endorsements=[proposal_response_pb2.Endorsement(endorser=e, signature=s) for e, s in endorsements],
        ),
    ).SerializeToString()
    written = transaction_pb2.Transaction(
        actions=[transaction_pb2.TransactionAction(header=header, payload=payload)]
    ).SerializeToString()
    assert (
        encode_endorser_transaction(header, proposal, response, [Endorsement(*each) for each in endorsements])
        == written
    )
