"""common.Block and its five metadata entries."""

from collections.abc import Sequence

from privysharing.protocol.blocks import Block, BlockHeader, BlockSignature, MetadataIndex, OrdererMetadata
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.codes import TxCode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.common import common_pb2

_BLOCK_DATA_TAG = b"\x12"  # Block.data, field 2, length-delimited
_DATA_TAG = b"\x0a"  # BlockData.data, field 1, likewise


def parse_block(raw: bytes) -> Block:
    """Read a block; entries of its data stay bytes."""
    message = decode(common_pb2.Block, raw)
    if not message.HasField("header"):
        raise MalformedMessage("block has no header")
    header = message.header
    return Block(
        BlockHeader(header.number, header.previous_hash, header.data_hash),
        tuple(message.data.data),
        tuple(message.metadata.metadata),
    )


def encode_block(block: Block) -> bytes:
    """A block with all three parts present, even when empty. Its envelopes are framed where they are."""
    data: list[bytes] = []
    for envelope in block.data:
        data += (_DATA_TAG, encode_varint(len(envelope)), envelope)
    header = block.header
    head = common_pb2.Block(
        header=common_pb2.BlockHeader(
            number=header.number, previous_hash=header.previous_hash, data_hash=header.data_hash
        )
    )
    tail = common_pb2.Block(metadata=common_pb2.BlockMetadata(metadata=block.metadata))
    size = encode_varint(sum(map(len, data)))
    return b"".join((head.SerializeToString(), _BLOCK_DATA_TAG, size, *data, tail.SerializeToString()))


def encode_block_without_data(block: Block) -> bytes:
    """A block as whoever asks for headers and signatures gets it: the field of its data is not there at all."""
    header = block.header
    return common_pb2.Block(
        header=common_pb2.BlockHeader(
            number=header.number, previous_hash=header.previous_hash, data_hash=header.data_hash
        ),
        metadata=common_pb2.BlockMetadata(metadata=block.metadata),
    ).SerializeToString()


def metadata_entry(block: Block, index: MetadataIndex) -> bytes:
    """One metadata entry, empty when the block has none at that place."""
    return block.metadata[index] if index < len(block.metadata) else b""


def parse_orderer_metadata(block: Block) -> OrdererMetadata:
    """Read entry SIGNATURES: what the orderers signed beside the header, and their signatures."""
    entry = decode(common_pb2.Metadata, metadata_entry(block, MetadataIndex.SIGNATURES))
    value = decode(common_pb2.OrdererBlockMetadata, entry.value)
    signatures = tuple(BlockSignature(s.signature_header, s.signature, s.identifier_header) for s in entry.signatures)
    return OrdererMetadata(entry.value, value.last_config.index, value.consenter_metadata, signatures)


def encode_orderer_metadata_value(last_config: int, consenter_metadata: bytes) -> bytes:
    """common.OrdererBlockMetadata: what an orderer signs beside the header."""
    return common_pb2.OrdererBlockMetadata(
        last_config=common_pb2.LastConfig(index=last_config), consenter_metadata=consenter_metadata
    ).SerializeToString()


def encode_orderer_metadata(value: bytes, signatures: Sequence[BlockSignature] = ()) -> bytes:
    """Entry SIGNATURES from the signed value and the signatures."""
    return common_pb2.Metadata(
        value=value,
        signatures=[
            common_pb2.MetadataSignature(
                signature_header=s.signature_header, signature=s.signature, identifier_header=s.identifier_header
            )
            for s in signatures
        ],
    ).SerializeToString()


def last_config_index(block: Block) -> int:
    """The number of the last configuration block, this one included (protoutil GetLastConfigIndexFromBlock).

    Entry SIGNATURES says it; blocks from before Fabric 1.4.1 say it in entry LAST_CONFIG.
    """
    metadata = parse_orderer_metadata(block)
    if metadata.value:
        return metadata.last_config
    return parse_last_config(metadata_entry(block, MetadataIndex.LAST_CONFIG))


def parse_last_config(entry: bytes) -> int:
    """Entry LAST_CONFIG: the number of the last configuration block; 0 for an empty entry."""
    return decode(common_pb2.LastConfig, unwrap_metadata(entry)).index


def encode_last_config(index: int) -> bytes:
    """Entry LAST_CONFIG, which Fabric's orderers still write."""
    return common_pb2.Metadata(value=common_pb2.LastConfig(index=index).SerializeToString()).SerializeToString()


def wrap_metadata(value: bytes) -> bytes:
    """common.Metadata around a value, as ordering services store their consenter metadata."""
    return common_pb2.Metadata(value=value).SerializeToString()


def unwrap_metadata(raw: bytes) -> bytes:
    """The value inside a common.Metadata."""
    return decode(common_pb2.Metadata, raw).value


def parse_filter(entry: bytes) -> tuple[TxCode, ...]:
    """Entry TRANSACTIONS_FILTER: one verdict per transaction."""
    try:
        return tuple(TxCode(code) for code in entry)
    except ValueError as error:
        raise MalformedMessage(f"transaction filter: {error}") from None


def encode_filter(codes: Sequence[TxCode]) -> bytes:
    """Entry TRANSACTIONS_FILTER of these verdicts."""
    return bytes(codes)


def parse_commit_hash(entry: bytes) -> bytes:
    """Entry COMMIT_HASH: the hash, empty when the block has none."""
    return unwrap_metadata(entry)


def encode_commit_hash(commit_hash: bytes) -> bytes:
    """Entry COMMIT_HASH of this hash; nothing for an empty one."""
    return wrap_metadata(commit_hash)


def parse_identifier_header(raw: bytes) -> tuple[int, bytes]:
    """common.IdentifierHeader of a BFT block signature: the consenter's number, and a nonce."""
    message = decode(common_pb2.IdentifierHeader, raw)
    return message.identifier, message.nonce
