"""What is framed by hand, because it is large or frequent, is to the byte what protobuf writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.batches import BatchItem, CallFailed
from privysharing.protocol.blocks import Block, BlockHeader
from privysharing.protocol.codec.batches import encode_batch_answer, encode_batch_request
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
    parse_channel_header,
    timestamp,
)
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.codec.rwsets import (
    encode_private_writes,
    encode_query_reads,
    encode_tx_rwset,
    parse_tx_rwset,
)
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_chaincode_header_extension,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
    encode_proposal_response,
    encode_proposal_response_payload,
    encode_response,
    encode_signed_proposal,
    parse_chaincode_header_extension,
)
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.ordering import RecordClass, Regular
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from privysharing.protocol.transactions import (
    ChaincodeAction,
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    ProposalResponse,
    Response,
    SignedProposal,
)
from privysharing.wire.common import common_pb2
from privysharing.wire.google.rpc import status_pb2
from privysharing.wire.ledger.rwset import rwset_pb2
from privysharing.wire.ledger.rwset.kvrwset import kv_rwset_pb2
from privysharing.wire.orderer import kafka_pb2
from privysharing.wire.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2
from privysharing.wire.privysharing.v1 import batch_pb2

INT32 = st.integers(-(2**31), 2**31 - 1)
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


@given(st.lists(st.tuples(UINT64, st.integers(0, 2**32 - 1), CONTENTS), max_size=4))
def test_calls_of_a_batch(calls: list[tuple[int, int, bytes]]) -> None:
    written = batch_pb2.BatchRequest(
        items=[batch_pb2.BatchItem(id=number, deadline_ms=ms, payload=payload) for number, ms, payload in calls]
    ).SerializeToString()
    assert encode_batch_request([BatchItem(*call) for call in calls]) == written


@given(UINT64, CONTENTS, st.integers(0, 16), st.text())
def test_an_answer_of_a_batch(number: int, result: bytes, code: int, message: str) -> None:
    good = batch_pb2.BatchAnswer(id=number, result=result)
    assert encode_batch_answer(number, result) == batch_pb2.BatchResponse(answers=[good]).SerializeToString()
    bad = batch_pb2.BatchAnswer(id=number, status=status_pb2.Status(code=code, message=message))
    failed = encode_batch_answer(number, CallFailed(code, message))
    assert failed == batch_pb2.BatchResponse(answers=[bad]).SerializeToString()


@given(INT32, INT32, UINT64, st.none() | st.integers(-(10**18), 10**19), st.text(), CONTENTS)
def test_a_channel_header(
    kind: int, version: int, epoch: int, timestamp_ns: int | None, name: str, content: bytes
) -> None:
    header = ChannelHeader(kind, name, TxId(name), version, timestamp_ns, epoch, content, content)
    written = common_pb2.ChannelHeader(
        type=kind,
        version=version,
        timestamp=None if timestamp_ns is None else timestamp(timestamp_ns),
        channel_id=name,
        tx_id=name,
        epoch=epoch,
        extension=content,
        tls_cert_hash=content,
    ).SerializeToString()
    assert encode_channel_header(header) == written
    assert parse_channel_header(written) == header


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


RESPONSES = st.builds(Response, INT32 | st.sampled_from((0, 200, 500, 999, 1000)), st.text(max_size=9), CONTENTS)


def response_message(response: Response) -> proposal_response_pb2.Response:
    return proposal_response_pb2.Response(status=response.status, message=response.message, payload=response.payload)


@given(RESPONSES)
def test_a_response_of_any_status(response: Response) -> None:
    assert encode_response(response) == response_message(response).SerializeToString()


@pytest.mark.parametrize("status", [2**31, -(2**31) - 1, 2**63])
def test_a_status_that_is_no_int32_is_refused_as_protobuf_refuses_it(status: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        encode_response(Response(status))


@given(CONTENTS, CONTENTS, CONTENTS, st.none() | RESPONSES, st.none() | st.just(ChaincodeId("kv", "1", "path")))
def test_what_a_simulation_came_to(
    hashed: bytes, results: bytes, events: bytes, response: Response | None, chaincode: ChaincodeId | None
) -> None:
    action = proposal_pb2.ChaincodeAction(
        results=results,
        events=events,
        response=None if response is None else response_message(response),
        chaincode_id=None if chaincode is None else chaincode_pb2.ChaincodeID(name="kv", version="1", path="path"),
    ).SerializeToString()
    assert encode_chaincode_action(ChaincodeAction(results, events, response, chaincode)) == action
    payload = proposal_response_pb2.ProposalResponsePayload(proposal_hash=hashed, extension=action)
    assert encode_proposal_response_payload(hashed, action) == payload.SerializeToString()


@given(RESPONSES, CONTENTS, st.booleans(), st.integers(0, 2), st.none() | st.integers(0, 2**60), st.booleans())
def test_an_endorsers_answer(
    response: Response, content: bytes, endorsed: bool, version: int, at_ns: int | None, interested: bool
) -> None:
    interest = proposal_response_pb2.ChaincodeInterest(
        chaincodes=[proposal_response_pb2.ChaincodeCall(name="kv")] if interested else []
    )
    message = proposal_response_pb2.ProposalResponse(
        version=version, response=response_message(response), payload=content
    )
    if at_ns is not None:
        message.timestamp.seconds, message.timestamp.nanos = divmod(at_ns, 10**9)
    if endorsed:
        message.endorsement.endorser, message.endorsement.signature = content, b"signature"
        message.endorsement.SetInParent()
    if interested:
        message.interest.CopyFrom(interest)
    endorsement = Endorsement(content, b"signature") if endorsed else None
    answer = ProposalResponse(response, content, endorsement, version, at_ns, interest.SerializeToString())
    assert encode_proposal_response(answer) == message.SerializeToString()


@pytest.mark.parametrize("path", ["", "p" * 300], ids=["kept", "too large to be kept"])
def test_an_extension_is_known_by_all_of_its_bytes(path: str) -> None:
    for version in ("1", "2", "1"):
        named = ChaincodeId("kv", version, path)
        assert parse_chaincode_header_extension(encode_chaincode_header_extension(named)) == named


READS = st.lists(st.builds(Read, st.text(max_size=9), st.none() | st.builds(Version, UINT64, UINT64)), max_size=3)
WRITES = st.lists(st.builds(Write, st.text(max_size=9), CONTENTS, st.booleans()), max_size=3)


@given(READS, WRITES)
def test_reads_and_writes(reads: list[Read], writes: list[Write]) -> None:
    sets = kv_rwset_pb2.KVRWSet()
    for read in reads:
        message = sets.reads.add(key=read.key)
        if read.version is not None:
            message.version.SetInParent()
            message.version.block_num, message.version.tx_num = read.version.block_num, read.version.tx_num
    assert encode_query_reads(reads) == sets.SerializeToString()
    for write in writes:
        sets.writes.add(key=write.key, is_delete=write.is_delete, value=write.value)
    ns = rwset_pb2.NsReadWriteSet(namespace="ns", rwset=sets.SerializeToString())
    whole = rwset_pb2.TxReadWriteSet(ns_rwset=[ns]).SerializeToString()
    assert encode_tx_rwset(TxRwSet((NamespaceRwSet("ns", tuple(reads), (), tuple(writes)),))) == whole
    sets.ClearField("reads")
    assert encode_private_writes(writes) == sets.SerializeToString()


@given(READS, WRITES)
def test_a_read_write_set_of_every_kind_is_read_as_it_was(reads: list[Read], writes: list[Write]) -> None:
    ranges = (RangeQuery("a", "b", True, tuple(reads)), RangeQuery("b", "", False))
    metadata = (MetadataWrite("k", (("name", b"value"),)),)
    collections = (CollectionHashedRwSet("c", private_rwset_hash=b"hash"),)
    namespace = NamespaceRwSet("ns", tuple(reads), ranges, tuple(writes), metadata, collections)
    rwset = TxRwSet((NamespaceRwSet("empty"), namespace))
    raw = encode_tx_rwset(rwset)
    assert parse_tx_rwset(raw) == rwset
    message = rwset_pb2.TxReadWriteSet.FromString(raw)
    assert message.SerializeToString() == raw
    sets = [kv_rwset_pb2.KVRWSet.FromString(ns.rwset).SerializeToString() for ns in message.ns_rwset]
    assert sets == [ns.rwset for ns in message.ns_rwset]  # fields in protobuf's order
