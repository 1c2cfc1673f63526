"""What is framed by hand, because it is large, is to the byte what protobuf writes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.blocks import Block, BlockHeader
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.ordering import RecordClass, Regular
from privysharing.wire.common import common_pb2
from privysharing.wire.orderer import kafka_pb2

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
