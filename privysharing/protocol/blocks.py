"""Blocks: the chained header, the envelopes, and the metadata that orderer and peer add."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from enum import IntEnum

from privysharing.protocol.values import value


class MetadataIndex(IntEnum):
    """common.BlockMetadataIndex: the place of each entry in a block's metadata."""

    SIGNATURES = 0
    LAST_CONFIG = 1
    TRANSACTIONS_FILTER = 2
    ORDERER = 3
    COMMIT_HASH = 4


@value
class BlockHeader:
    """common.BlockHeader. The genesis block has an empty previous hash."""

    number: int
    previous_hash: bytes
    data_hash: bytes


@value
class Block:
    """common.Block: `data` holds raw envelopes, `metadata` five entries in `MetadataIndex` order (Fabric's)."""

    header: BlockHeader
    data: tuple[bytes, ...]
    metadata: tuple[bytes, ...]

    def with_metadata(self, index: MetadataIndex, value: bytes) -> "Block":
        """The same block with one metadata entry replaced."""
        entries = list(self.metadata) + [b""] * (len(MetadataIndex) - len(self.metadata))
        entries[index] = value
        return replace(self, metadata=tuple(entries))


@value
class BlockSignature:
    """common.MetadataSignature. BFT orderers leave `signature_header` empty and fill `identifier_header`."""

    signature_header: bytes
    signature: bytes
    identifier_header: bytes = b""


@value
class OrdererMetadata:
    """Metadata entry SIGNATURES: the bytes signed (OrdererBlockMetadata), what they say, and the signatures."""

    value: bytes
    last_config: int
    consenter_metadata: bytes
    signatures: tuple[BlockSignature, ...]


def header_bytes(header: BlockHeader) -> bytes:
    """The header's DER form, which block hashes and signatures cover (protoutil BlockHeaderBytes)."""
    body = _der_integer(header.number) + _der(0x04, header.previous_hash) + _der(0x04, header.data_hash)
    return _der(0x30, body)


def header_hash(header: BlockHeader) -> bytes:
    """The hash by which the next block names this one."""
    return hashlib.sha256(header_bytes(header)).digest()


def data_hash(envelopes: Sequence[bytes]) -> bytes:
    """SHA-256 of the raw envelopes, one after the other (protoutil ComputeBlockDataHash)."""
    return hashlib.sha256(b"".join(envelopes)).digest()


def _der_integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
