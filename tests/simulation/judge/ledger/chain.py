"""Whether a block is the next of its channel, whole, and signed by those who may (protoutil, deliverclient)."""

import hashlib
from dataclasses import dataclass
from typing import Any

from tests.simulation.judge.ledger.channel import ChannelConfig, Signed
from tests.simulation.judge.ledger.codes import BadBlock, Wrong
from tests.simulation.judge.ledger.messages import Unreadable, common, read

SIGNATURES, LAST_CONFIG, TRANSACTIONS_FILTER, ORDERER, COMMIT_HASH = range(5)
_BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"
_IN_A_LOG = ("solo", "kafka")  # consensus types whose blocks say where in a log they end


@dataclass(frozen=True, slots=True)
class Link:
    """What the next block must follow."""

    number: int
    header_hash: bytes
    last_config: int
    position: int  # where the last block ends in the log of orderers that have one


def read_block(raw: bytes) -> Any:
    """A common.Block. Raises BadBlock."""
    try:
        return read(common.Block, raw)
    except Unreadable as error:
        raise BadBlock(Wrong.UNREADABLE_BLOCK, detail=str(error)) from error


def header_bytes(header: Any) -> bytes:
    """DER of SEQUENCE {number, previous hash, data hash}: what is hashed and signed."""
    number = header.number.to_bytes(header.number.bit_length() // 8 + 1, "big")
    content = _der(0x02, number) + _der(0x04, header.previous_hash) + _der(0x04, header.data_hash)
    return _der(0x30, content)


def header_hash(header: Any) -> bytes:
    return hashlib.sha256(header_bytes(header)).digest()


def is_config_block(block: Any) -> bool:
    """Whether its only transaction is a configuration."""
    return len(block.data.data) == 1 and _type(block.data.data[0]) == common.CONFIG


def check_genesis(block: Any) -> None:
    """A first block is taken on trust, but must be one. Raises BadBlock."""
    if block.header.number != 0 or block.header.previous_hash:
        raise BadBlock(Wrong.WRONG_NUMBER, block.header.number, "not the first")
    _check_data(block)
    if not is_config_block(block):
        raise BadBlock(Wrong.CONFIG_IN_COMPANY, 0)


def check_next(block: Any, link: Link, config: ChannelConfig) -> Link:
    """Whether the block follows `link` under the configuration in force before it; what the next one must follow.

    Raises BadBlock.
    """
    number = block.header.number
    if number != link.number + 1:
        raise BadBlock(Wrong.WRONG_NUMBER, number, f"{link.number + 1} expected")
    if block.header.previous_hash != link.header_hash:
        raise BadBlock(Wrong.BROKEN_LINK, number)
    _check_data(block)
    last_config = number if is_config_block(block) else link.last_config
    try:
        position = _check_metadata(block, link, last_config, config)
    except Unreadable as error:
        raise BadBlock(Wrong.UNREADABLE_BLOCK, number, f"metadata: {error}") from error
    return Link(number, header_hash(block.header), last_config, position)


def _check_data(block: Any) -> None:
    """The hash, and envelopes in the one form that all hash alike (VerifyTransactionsAreWellFormed)."""
    number, data = block.header.number, block.data.data
    if hashlib.sha256(b"".join(data)).digest() != block.header.data_hash:
        raise BadBlock(Wrong.WRONG_DATA_HASH, number)
    if not data:
        raise BadBlock(Wrong.BAD_ENVELOPE, number, "an empty block")
    if is_config_block(block):
        return
    for index, raw in enumerate(data):
        try:
            envelope = read(common.Envelope, raw)
        except Unreadable as error:
            raise BadBlock(Wrong.BAD_ENVELOPE, number, str(error), index) from error
        if not envelope.payload or not envelope.signature or envelope.SerializeToString() != raw:
            raise BadBlock(Wrong.BAD_ENVELOPE, number, "in another form than it is hashed in", index)


def _check_metadata(block: Any, link: Link, last_config: int, config: ChannelConfig) -> int:
    """Signatures (BlockSignatureVerifier), the newest configuration's block, the place in the log."""
    number, metadata = block.header.number, block.metadata.metadata
    if len(metadata) <= COMMIT_HASH:
        raise BadBlock(Wrong.NOT_SIGNED, number, "too few entries")
    signed = read(common.Metadata, metadata[SIGNATURES])
    signers = config.signers(
        Signed(
            read(common.SignatureHeader, each.signature_header).creator,
            signed.value + each.signature_header + header_bytes(block.header),
            each.signature,
        )
        for each in signed.signatures
    )
    if not config.satisfies(_BLOCK_VALIDATION, signers):
        raise BadBlock(Wrong.NOT_SIGNED, number)
    value = read(common.OrdererBlockMetadata, signed.value)
    named = {value.last_config.index}
    if metadata[LAST_CONFIG]:
        named.add(read(common.LastConfig, read(common.Metadata, metadata[LAST_CONFIG]).value).index)
    if named != {last_config}:
        raise BadBlock(Wrong.WRONG_LAST_CONFIG, number, f"{sorted(named)}, but {last_config} expected")
    consenter = read(common.Metadata, value.consenter_metadata).value
    if config.consensus_type not in _IN_A_LOG:
        return link.position
    # The package has no KafkaMetadata; its last_offset_persisted bears the same field number as this one's index.
    position = int(read(common.LastConfig, consenter).index)
    if position <= link.position:
        raise BadBlock(Wrong.WRONG_ORDERER_METADATA, number, f"{position} after {link.position}")
    return position


def _type(raw: bytes) -> int | None:
    try:
        payload = read(common.Payload, read(common.Envelope, raw).payload)
        header = read(common.ChannelHeader, payload.header.channel_header)
    except Unreadable:
        return None
    return int(header.type) if payload.HasField("header") else None


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
