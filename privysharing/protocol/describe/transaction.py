"""An envelope: who sent it, what was called, who endorsed which reads and writes; or a configuration."""

from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codec.transactions import parse_chaincode_event, parse_proposal_payload
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.describe.config import describe_config
from privysharing.protocol.describe.values import (
    Json,
    describe_bytes,
    describe_identity,
    describe_key,
    describe_time,
)
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.reading import EndorsedAction, read_transaction
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Version,
)
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeId


def describe_transaction(raw: bytes) -> Json:
    """One envelope of a block, as far as it can be read."""
    tx = read_transaction(raw)
    faults = (tx.fault_before_signature, tx.fault_after_signature)
    described: Json = {"malformed": next((fault.name for fault in faults if fault is not TxCode.VALID), None)}
    if tx.header is None or tx.envelope is None:
        return described | {"bytes": describe_bytes(raw)}
    channel = tx.header.channel
    described |= {
        "type": HeaderType(channel.type).name if channel.type in HeaderType._value2member_map_ else channel.type,
        "channel": channel.channel_id,
        "tx_id": channel.tx_id,
        "timestamp": describe_time(channel.timestamp_ns),
        "creator": describe_identity(tx.header.signature.creator),
        "nonce": tx.header.signature.nonce.hex(),
        "signature": tx.envelope.signature.hex(),
    }
    if tx.endorsed is not None:
        described |= _describe_action(tx.endorsed)
    elif channel.type == HeaderType.CONFIG:
        if not tx.header.signature.creator:
            described["malformed"] = None  # a genesis block has no creator
        described["config"] = _describe_config_envelope(tx.data)
    return described


def _describe_config_envelope(data: bytes) -> Json:
    try:
        return describe_config(parse_config_envelope(data).config)
    except ProtocolError as error:
        return {"error": str(error), "bytes": describe_bytes(data)}


def _describe_action(endorsed: EndorsedAction) -> Json:
    described: Json = {}
    if endorsed.fault is not TxCode.VALID:
        described["malformed"] = endorsed.fault.name
    described["proposal_hash"] = endorsed.transaction.proposal_hash.hex()
    described["args"] = _describe_args(endorsed.transaction.proposal_payload)
    described["endorsements"] = [
        {"endorser": describe_identity(each.endorser), "signature": each.signature.hex()}
        for each in endorsed.transaction.endorsements
    ]
    if endorsed.action is not None:
        described["chaincode"] = _describe_chaincode(endorsed.action.chaincode)
        described["response"] = _describe_response(endorsed.action)
        if endorsed.action.events:
            described["event"] = _describe_event(endorsed.action.events)
    described["rwset"] = [_describe_namespace(ns) for ns in endorsed.rwset.namespaces]
    return described


def _describe_args(proposal_payload: bytes) -> object:
    try:
        return [describe_bytes(argument) for argument in parse_proposal_payload(proposal_payload).args]
    except MalformedMessage as error:
        return {"error": str(error), "bytes": describe_bytes(proposal_payload)}


def _describe_chaincode(chaincode: ChaincodeId | None) -> Json | None:
    return None if chaincode is None else {"name": chaincode.name, "version": chaincode.version}


def _describe_response(action: ChaincodeAction) -> Json | None:
    response = action.response
    if response is None:
        return None
    return {"status": response.status, "message": response.message, "payload": describe_bytes(response.payload)}


def _describe_event(raw: bytes) -> Json:
    try:
        event = parse_chaincode_event(raw)
    except MalformedMessage as error:
        return {"error": str(error), "bytes": describe_bytes(raw)}
    return {"chaincode": event.chaincode_id, "name": event.name, "payload": describe_bytes(event.payload)}


def _describe_namespace(ns: NamespaceRwSet) -> Json:
    described: Json = {"namespace": ns.namespace}
    if ns.reads:
        described["reads"] = [
            {"key": describe_key(read.key), "version": _describe_version(read.version)} for read in ns.reads
        ]
    if ns.range_queries:
        described["ranges"] = [_describe_range(query) for query in ns.range_queries]
    if ns.writes:
        described["writes"] = [
            {"key": describe_key(write.key)}
            | ({"delete": True} if write.is_delete or not write.value else {"value": describe_bytes(write.value)})
            for write in ns.writes
        ]
    if ns.metadata_writes:
        described["metadata_writes"] = [
            {"key": describe_key(write.key), "entries": _describe_entries(write)} for write in ns.metadata_writes
        ]
    if ns.collections:
        described["collections"] = [_describe_collection(collection) for collection in ns.collections]
    return described


def _describe_range(query: RangeQuery) -> Json:
    described: Json = {
        "start": describe_key(query.start_key),
        "end": describe_key(query.end_key),
        "exhausted": query.exhausted,
    }
    if query.reads is not None:
        described["reads"] = [
            {"key": describe_key(read.key), "version": _describe_version(read.version)} for read in query.reads
        ]
    if query.summary is not None:
        described["summary"] = {
            "max_degree": query.summary.max_degree,
            "max_level": query.summary.max_level,
            "hashes": [digest.hex() for digest in query.summary.hashes],
        }
    return described


def _describe_collection(collection: CollectionHashedRwSet) -> Json:
    return {
        "collection": collection.collection,
        "reads": [
            {"key_hash": read.key_hash.hex(), "version": _describe_version(read.version)} for read in collection.reads
        ],
        "writes": [
            {"key_hash": write.key_hash.hex()}
            | ({"value_hash": write.value_hash.hex()} if not write.is_delete else {"delete": True})
            | ({"purge": True} if write.is_purge else {})
            for write in collection.writes
        ],
        "metadata_writes": [
            {"key_hash": write.key_hash.hex(), "entries": _describe_entries(write)}
            for write in collection.metadata_writes
        ],
        "private_rwset_hash": collection.private_rwset_hash.hex(),
    }


def _describe_version(version: Version | None) -> list[int] | None:
    """Block and transaction; None: the key did not exist."""
    return None if version is None else [version.block_num, version.tx_num]


def _describe_entries(write: MetadataWrite | HashedMetadataWrite) -> Json:
    return {name: describe_bytes(value) for name, value in write.entries}
