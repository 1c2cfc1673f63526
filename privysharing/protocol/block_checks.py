"""Whether a block is the next one of a chain, whole, and signed by those who may (deliverclient VerifyBlock)."""

from privysharing.protocol.blocks import Block, BlockHeader, BlockSignature, MetadataIndex, data_hash, header_bytes
from privysharing.protocol.channel.bundle import BLOCK_VALIDATION, ChannelConfig
from privysharing.protocol.codec.blocks import parse_identifier_header, parse_orderer_metadata
from privysharing.protocol.codec.envelopes import (
    parse_and_marshal_envelope,
    parse_channel_header,
    parse_envelope,
    parse_signature_header,
    split_payload,
)
from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.msp.identity import Identity, InvalidIdentity


class BadBlock(ProtocolError):
    """A block that no honest ordering service sends; the text says why."""


def check_block(block: Block, number: int, previous_hash: bytes, config: ChannelConfig) -> None:
    """All checks, in Fabric's order, under the configuration in force before the block. Raises BadBlock."""
    check_link(block.header, number, previous_hash)
    check_metadata(block)
    check_data(block)
    check_signatures(block, config)


def check_link(header: BlockHeader, number: int, previous_hash: bytes) -> None:
    """The block is the one expected, and names its predecessor."""
    if header.number != number:
        raise BadBlock(f"expected block number is [{number}] but actual block number inside block is [{header.number}]")
    if header.previous_hash != previous_hash:
        raise BadBlock(
            f"Header.PreviousHash of block [{number}] is different from Hash(block.Header) of previous block: "
            f"{header.previous_hash.hex()}, expected {previous_hash.hex()}"
        )


def check_metadata(block: Block) -> None:
    """There is a place for every entry."""
    if len(block.metadata) < len(MetadataIndex):
        raise BadBlock(f"block [{block.header.number}] does not have metadata or contains too few entries")


def check_data(block: Block) -> None:
    """The header's hash is over these envelopes, and each is in the one form that everybody hashes alike."""
    check_envelopes(block)
    if data_hash(block.data) != block.header.data_hash:
        raise BadBlock(f"Header.DataHash is different from Hash(block.Data) for block [{block.header.number}]")


def check_envelopes(block: Block) -> None:
    """Signed, with a payload, and nothing hidden between the fields (protoutil VerifyTransactionsAreWellFormed)."""
    if not block.data:
        raise BadBlock(f"block [{block.header.number}] is empty")
    if is_config_block(block):
        return
    for place, raw in enumerate(block.data):
        try:
            payload, signature, canonical = parse_and_marshal_envelope(raw)
        except MalformedMessage as error:
            raise BadBlock(f"transaction {place} of block [{block.header.number}] is invalid: {error}") from None
        if not payload or not signature:
            missing = "signature" if payload else "payload"
            raise BadBlock(f"transaction {place} of block [{block.header.number}] has no {missing}")
        if canonical != raw:
            raise BadBlock(f"transaction {place} of block [{block.header.number}] does not match its raw form")


def check_signatures(block: Block, config: ChannelConfig) -> None:
    """Those who signed the header satisfy the policy for block signers; bad signatures count for nothing."""
    if not config.policy(BLOCK_VALIDATION).evaluate(block_signers(block, config)):
        raise BadBlock(f"the signatures of block [{block.header.number}] do not satisfy {BLOCK_VALIDATION}")


def block_signers(block: Block, config: ChannelConfig) -> list[Identity]:
    """Members of the channel whose signatures over the header are good, in the order of the signatures."""
    try:
        metadata = parse_orderer_metadata(block)
        header = header_bytes(block.header)
        signers = []
        for signature in metadata.signatures:
            creator, signed_header = _creator(signature, config)
            identity = _identity(creator, config)
            if identity and identity.verify(metadata.value + signed_header + header, signature.signature):
                signers.append(identity)
    except MalformedMessage as error:
        raise BadBlock(f"signatures of block [{block.header.number}]: {error}") from None
    return signers


def is_config_block(block: Block) -> bool:
    """Whether the block's one transaction is a configuration (protoutil IsConfigBlock)."""
    if len(block.data) != 1:
        return False
    try:
        parts = split_payload(parse_envelope(block.data[0]).payload)
        return parts is not None and parse_channel_header(parts[0]).type == HeaderType.CONFIG
    except MalformedMessage:
        return False


def _creator(signature: BlockSignature, config: ChannelConfig) -> tuple[bytes, bytes]:
    """Whose signature it claims to be, and the header that it covers. A BFT orderer gives a number instead of a name.

    BFT: protoutil BlockSignatureVerifier. A number that no consenter bears gives an empty creator.
    """
    if signature.signature_header or not signature.identifier_header or not config.orderer.consenters:
        return parse_signature_header(signature.signature_header).creator, signature.signature_header
    number, _ = parse_identifier_header(signature.identifier_header)
    for consenter in config.orderer.consenters:
        if consenter.id == number:
            return encode_serialized_identity(consenter.msp_id, consenter.identity), signature.identifier_header
    return b"", signature.identifier_header


def _identity(serialized: bytes, config: ChannelConfig) -> Identity | None:
    try:
        return config.msps.identity(serialized)
    except InvalidIdentity:
        return None
