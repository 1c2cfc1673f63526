"""From a judged block to what the ledger stores of it, and the same again from a stored block."""

from collections.abc import Sequence

from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codec.blocks import encode_commit_hash, encode_filter, parse_commit_hash, parse_filter
from privysharing.protocol.codec.envelopes import parse_channel_header, parse_envelope, split_payload
from privysharing.protocol.codes import TxCode
from privysharing.protocol.commit_hash import next_commit_hash
from privysharing.protocol.envelopes import TxId, compute_tx_id
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.rwsets import UpdateBatch, Version
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.types import Commit, KeyWrite, StateView
from services.peer.validation.validate import committed_rwset, read_block


def make_commit(
    block: Block,
    transactions: Sequence[ReadTransaction],
    verdicts: tuple[TxCode, ...],
    updates: UpdateBatch,
    previous_commit_hash: bytes,
    fresh: frozenset[TxId] = frozenset(),
) -> Commit:
    """Fill in the metadata that a peer adds, and collect what the indexes need."""
    codes = encode_filter(verdicts)
    commit_hash = next_commit_hash(block.header.number, previous_commit_hash, codes, updates)
    block = block.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, codes)
    if commit_hash:
        block = block.with_metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(commit_hash))
    tx_ids = tuple(indexed_id(tx) for tx in transactions)
    return Commit(block, commit_hash, tx_ids, verdicts, updates, _writes(transactions, verdicts), fresh)


def replay(block: Block, view: StateView, previous_commit_hash: bytes) -> Commit:
    """The commit of a stored block, from its own verdicts. Raises LedgerFault when its commit hash does not follow."""
    transactions = read_block(block)
    verdicts = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
    updates = BlockUpdates(view)
    for tx_num, (tx, verdict) in enumerate(zip(transactions, verdicts, strict=True)):
        if verdict is TxCode.VALID:
            updates.apply(committed_rwset(tx), Version(block.header.number, tx_num))
    commit = make_commit(block, transactions, verdicts, updates.batch(), previous_commit_hash)
    if commit.commit_hash != parse_commit_hash(block.metadata[MetadataIndex.COMMIT_HASH]):
        raise LedgerFault(f"the commit hash of stored block {block.header.number} does not follow from the state")
    return commit


def indexed_id(tx: ReadTransaction) -> TxId:
    """The id under which a transaction is found (protoutil GetOrComputeTxIDFromEnvelope).

    Orderers leave it out of configurations. Where the rest of a header cannot be read, the id is there all the same.
    """
    if tx.header is None:
        return _named_id(tx.raw)
    if tx.tx_id:
        return tx.tx_id
    return compute_tx_id(tx.header.signature.nonce, tx.header.signature.creator)


def _named_id(envelope: bytes) -> TxId:
    try:
        parts = split_payload(parse_envelope(envelope).payload)
        return TxId("") if parts is None else parse_channel_header(parts[0]).tx_id
    except MalformedMessage:
        return TxId("")


def _writes(transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]) -> tuple[KeyWrite, ...]:
    """Public writes of valid endorser transactions, each key once a transaction (kvledger/history Commit)."""
    return tuple(
        [
            KeyWrite(ns.namespace, key, tx_num)
            for tx_num, (tx, verdict) in enumerate(zip(transactions, verdicts, strict=True))
            if verdict is TxCode.VALID and tx.endorsed is not None
            for ns in tx.endorsed.rwset.namespaces  # each once: a set that repeats one is not valid
            for key in dict.fromkeys([write.key for write in ns.writes])
        ]
    )
