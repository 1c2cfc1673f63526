"""Making blocks and configuration envelopes out of what was ordered, and signing them (multichannel BlockWriter)."""

from collections.abc import Sequence

from privysharing.protocol.blocks import Block, BlockHeader, BlockSignature, MetadataIndex, data_hash, header_bytes
from privysharing.protocol.codec.blocks import (
    encode_last_config,
    encode_orderer_metadata,
    encode_orderer_metadata_value,
    parse_orderer_metadata,
    unwrap_metadata,
    wrap_metadata,
)
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codec.ordering import encode_log_position, parse_log_position
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.ordering import START, LogPosition

SECOND_NS = 1_000_000_000


def seal(
    header: BlockHeader,
    envelopes: Sequence[bytes],
    *,
    last_config: int,
    position: LogPosition,
    signer: SigningIdentity,
    nonce: bytes,
) -> Block:
    """A block whose metadata says where it ends in the log, signed over that and its header.

    As Fabric 2.5 has it: the position goes into entry SIGNATURES, and entry ORDERER stays empty.
    """
    value = encode_orderer_metadata_value(last_config, wrap_metadata(encode_log_position(position)))
    signature_header = encode_signature_header(SignatureHeader(signer.serialized, nonce))
    signature = signer.sign(value + signature_header + header_bytes(header))
    metadata = [b""] * len(MetadataIndex)
    metadata[MetadataIndex.SIGNATURES] = encode_orderer_metadata(value, [BlockSignature(signature_header, signature)])
    metadata[MetadataIndex.LAST_CONFIG] = encode_last_config(last_config)
    return Block(header, tuple(envelopes), tuple(metadata))


def next_header(number: int, previous_hash: bytes, envelopes: Sequence[bytes]) -> BlockHeader:
    """The header of a block of these envelopes."""
    return BlockHeader(number, previous_hash, data_hash(envelopes))


def position_of(block: Block) -> LogPosition:
    """Where a block ends in the log; a genesis block ends before the log begins."""
    if block.header.number == 0:
        return START
    return parse_log_position(unwrap_metadata(parse_orderer_metadata(block).consenter_metadata))


def config_envelope(channel_id: str, config: bytes, *, signer: SigningIdentity, now_ns: int, nonce: bytes) -> bytes:
    """A common.ConfigEnvelope as a signed envelope of type CONFIG (protoutil CreateSignedEnvelope: no tx id)."""
    header = ChannelHeader(
        type=HeaderType.CONFIG,
        channel_id=channel_id,
        tx_id=TxId(""),
        timestamp_ns=now_ns // SECOND_NS * SECOND_NS,
    )
    signature_header = encode_signature_header(SignatureHeader(signer.serialized, nonce))
    payload = encode_payload(encode_channel_header(header), signature_header, config)
    return encode_envelope(payload, signer.sign(payload))
