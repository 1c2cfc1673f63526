"""Chains of real, unsigned blocks whose transactions write what a test says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from privysharing.protocol.blocks import Block, BlockHeader, MetadataIndex, data_hash, header_hash
from privysharing.protocol.codec.blocks import encode_commit_hash, encode_filter, parse_filter
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
    parse_envelope,
    parse_payload,
)
from privysharing.protocol.codec.rwsets import encode_tx_rwset, parse_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_endorser_transaction,
    encode_proposal_response_payload,
    parse_chaincode_action,
    parse_endorser_transaction,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedWrite,
    NamespaceRwSet,
    TxRwSet,
    Update,
    UpdateBatch,
    Version,
    Write,
)
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeId, Response
from services.peer.ledger.types import Commit, KeyWrite, StateView

CHANNEL = "testchannel"


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction: what it writes in namespace and key (None deletes), hashed too, and its verdict."""

    tx_id: str
    writes: Mapping[tuple[str, str], bytes | None] = field(default_factory=dict)
    hashed: Mapping[tuple[str, str, bytes], bytes | None] = field(default_factory=dict)
    code: TxCode = TxCode.VALID


def envelope(tx: Tx, channel_id: str = CHANNEL, event: bytes = b"") -> bytes:
    """An endorser transaction's envelope; nobody signed it."""
    namespaces = sorted({ns for ns, _ in tx.writes} | {ns for ns, _, _ in tx.hashed})
    rwset = TxRwSet(tuple(_namespace(tx, namespace) for namespace in namespaces))
    action = ChaincodeAction(encode_tx_rwset(rwset), event, Response(200), ChaincodeId("kv", "1"))
    header = ChannelHeader(HeaderType.ENDORSER_TRANSACTION, channel_id, TxId(tx.tx_id), timestamp_ns=1_700_000_000_000)
    signature_header = encode_signature_header(SignatureHeader(b"creator", b"nonce"))
    response = encode_proposal_response_payload(b"hash", encode_chaincode_action(action))
    data = encode_endorser_transaction(signature_header, b"", response, [])
    return encode_envelope(encode_payload(encode_channel_header(header), signature_header, data), b"signature")


def next_block(previous: Block | None, envelopes: Sequence[bytes], codes: Sequence[TxCode]) -> Block:
    """The block that follows, with verdicts, and a commit hash that only tells blocks apart."""
    number = previous.header.number + 1 if previous else 0
    header = BlockHeader(number, header_hash(previous.header) if previous else b"", data_hash(envelopes))
    block = Block(header, tuple(envelopes), (b"", b"", encode_filter(codes), b"", b""))
    return block.with_metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(commit_hash(block)))


def chain(blocks: Iterable[Sequence[Tx]]) -> list[Block]:
    """Blocks of these transactions."""
    made: list[Block] = []
    for txs in blocks:
        made.append(next_block(made[-1] if made else None, [envelope(tx) for tx in txs], [tx.code for tx in txs]))
    return made


def commit_hash(block: Block) -> bytes:
    """What stands for a commit hash in these chains."""
    return b"commit %d" % block.header.number


def replay(block: Block, _state: StateView, _previous: bytes) -> Commit:
    """The commit of a block of such a chain: blind writes, the last valid one of a key wins."""
    public: dict[str, dict[str, Update]] = {}
    hashed: dict[tuple[str, str], dict[bytes, Update]] = {}
    tx_ids, writes = [], []
    codes = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
    for tx_num, (raw, code) in enumerate(zip(block.data, codes, strict=True)):
        payload = parse_payload(parse_envelope(raw).payload)
        tx_ids.append(payload.header.channel.tx_id)
        if code is not TxCode.VALID:
            continue
        action = parse_chaincode_action(parse_endorser_transaction(payload.data).action_bytes)
        version = Version(block.header.number, tx_num)
        for ns in parse_tx_rwset(action.results).namespaces:
            for write in ns.writes:
                writes.append(KeyWrite(ns.namespace, write.key, tx_num))
                value = None if write.is_delete else write.value
                public.setdefault(ns.namespace, {})[write.key] = Update(value, version)
            for collection in ns.collections:
                changes = hashed.setdefault((ns.namespace, collection.collection), {})
                for hash_write in collection.writes:
                    value = None if hash_write.is_delete else hash_write.value_hash
                    changes[hash_write.key_hash] = Update(value, version, b"meta")
    return Commit(block, commit_hash(block), tuple(tx_ids), codes, UpdateBatch(public, hashed), tuple(writes))


def _namespace(tx: Tx, namespace: str) -> NamespaceRwSet:
    written = sorted((key, value) for (ns, key), value in tx.writes.items() if ns == namespace)
    writes = tuple(Write(key, value or b"", value is None) for key, value in written)
    collections = []
    for name in sorted({collection for ns, collection, _ in tx.hashed if ns == namespace}):
        hashes = sorted((h, value) for (ns, c, h), value in tx.hashed.items() if (ns, c) == (namespace, name))
        hash_writes = tuple(HashedWrite(h, value or b"", value is None) for h, value in hashes)
        collections.append(CollectionHashedRwSet(name, writes=hash_writes))
    return NamespaceRwSet(namespace, writes=writes, collections=tuple(collections))
