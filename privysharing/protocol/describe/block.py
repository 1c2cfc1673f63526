"""A block: its header, its metadata, and its envelopes one by one."""

from collections.abc import Callable

from privysharing.protocol.blocks import Block, BlockSignature, MetadataIndex, header_hash
from privysharing.protocol.codec.blocks import (
    metadata_entry,
    parse_commit_hash,
    parse_identifier_header,
    parse_last_config,
    parse_orderer_metadata,
)
from privysharing.protocol.codec.envelopes import parse_signature_header
from privysharing.protocol.codes import TxCode
from privysharing.protocol.describe.transaction import describe_transaction
from privysharing.protocol.describe.values import Json, describe_bytes, describe_identity
from privysharing.protocol.errors import MalformedMessage


def describe_block(block: Block) -> Json:
    """Everything that a block holds."""
    codes = metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER)
    return {
        "header": {
            "number": block.header.number,
            "hash": header_hash(block.header).hex(),
            "previous_hash": block.header.previous_hash.hex(),
            "data_hash": block.header.data_hash.hex(),
        },
        "metadata": _describe_metadata(block),
        "transactions": [
            {"index": index, "code": _code_name(codes[index]) if index < len(codes) else None}
            | describe_transaction(envelope)
            for index, envelope in enumerate(block.data)
        ],
    }


def _describe_metadata(block: Block) -> Json:
    described: Json = {}
    try:
        orderers = parse_orderer_metadata(block)
        described["last_config"] = orderers.last_config
        described["consenter_metadata"] = orderers.consenter_metadata.hex()
        described["signatures"] = [_describe_signature(signature) for signature in orderers.signatures]
    except MalformedMessage as error:
        described["signatures"] = {"error": str(error)}
    entry = metadata_entry(block, MetadataIndex.LAST_CONFIG)
    if entry:
        described["last_config_entry"] = _read(parse_last_config, entry)
    described["filter"] = [_code_name(code) for code in metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER)]
    described["orderer_entry"] = metadata_entry(block, MetadataIndex.ORDERER).hex()
    entry = metadata_entry(block, MetadataIndex.COMMIT_HASH)
    described["commit_hash"] = _read(lambda raw: parse_commit_hash(raw).hex(), entry)
    return described


def _describe_signature(signature: BlockSignature) -> Json:
    described: Json = {"signature": signature.signature.hex()}
    try:
        if signature.identifier_header:
            consenter, nonce = parse_identifier_header(signature.identifier_header)
            described |= {"consenter": consenter, "nonce": nonce.hex()}
        if signature.signature_header:
            header = parse_signature_header(signature.signature_header)
            described |= {"creator": describe_identity(header.creator), "nonce": header.nonce.hex()}
    except MalformedMessage as error:
        described["error"] = str(error)
    return described


def _read(parse: Callable[[bytes], object], raw: bytes) -> object:
    try:
        return parse(raw)
    except MalformedMessage as error:
        return {"error": str(error), "bytes": describe_bytes(raw)}


def _code_name(code: int) -> str:
    return TxCode(code).name if code in TxCode._value2member_map_ else str(code)
