"""Whether what a transaction read still holds: the serial part of validation (txmgmt/validation/validator.go)."""

from collections.abc import Iterator, Mapping

from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.codes import TxCode
from privysharing.protocol.range_reads import RangeReads
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    MerkleSummary,
    RangeQuery,
    Read,
    TxRwSet,
    Update,
    Version,
)
from services.peer.validation.view import StateView

SUMMARY_DEGREE_MIN = 2  # rwsetutil newMerkleTree: a tree of a smaller degree cannot be built


def check_reads(rwset: TxRwSet, updates: BlockUpdates, view: StateView) -> TxCode:
    """The first conflict, namespace by namespace: reads, then ranges, then hashed reads (validator validateTx)."""
    for ns in rwset.namespaces:
        for read in ns.reads:
            if not _read_holds(ns.namespace, read, updates, view):
                return TxCode.MVCC_READ_CONFLICT
        for query in ns.range_queries:
            if not _range_holds(ns.namespace, query, updates, view):
                return TxCode.PHANTOM_READ_CONFLICT
        for collection in ns.collections:
            if not _hashed_reads_hold(ns.namespace, collection, updates, view):
                return TxCode.MVCC_READ_CONFLICT
    return TxCode.VALID


def _read_holds(namespace: str, read: Read, updates: BlockUpdates, view: StateView) -> bool:
    """Validator validateKVRead.

    A key written earlier in this block is a conflict whatever version the reader claims: a creator could have guessed
    the version in advance.
    """
    if updates.touches(namespace, read.key):
        return False
    committed = view.get(namespace, read.key)
    return read.version == (None if committed is None else committed.version)


def _hashed_reads_hold(
    namespace: str, collection: CollectionHashedRwSet, updates: BlockUpdates, view: StateView
) -> bool:
    """Validator validateCollHashedReadSet."""
    for read in collection.reads:
        if updates.touches_hashed(namespace, collection.collection, read.key_hash):
            return False
        committed = view.get_hashed(namespace, collection.collection, read.key_hash)
        if read.version != (None if committed is None else committed.version):
            return False
    return True


def _range_holds(namespace: str, query: RangeQuery, updates: BlockUpdates, view: StateView) -> bool:
    """Validator validateRangeQuery: the range again, over the state and what this block has changed so far.

    A range that was not read to its end ends at the last key that was seen, which then belongs to it.
    """
    found = _range(namespace, query, updates, view)
    if query.summary is not None:
        return _summary_holds(query.summary, found)
    for read in query.reads or ():
        result = next(found, None)
        if result is None or result[0] != read.key or result[1] != read.version:
            return False
    return next(found, None) is None


def _range(namespace: str, query: RangeQuery, updates: BlockUpdates, view: StateView) -> Iterator[tuple[str, Version]]:
    """Keys and versions of the range as the block leaves them so far (combinedIterator)."""
    pending = updates.pending(namespace)
    start, end = query.start_key, query.end_key
    changed = sorted(key for key in pending if key >= start and (not end or key < end))
    position = 0
    for key, committed in view.range(namespace, start, end):
        while position < len(changed) and changed[position] < key:
            yield from _existing(changed[position], pending)
            position += 1
        if key not in pending:
            yield key, committed.version
    for key in changed[position:]:
        yield from _existing(key, pending)
    if not query.exhausted:
        committed_last = view.get(namespace, end)
        if end in pending:
            yield from _existing(end, pending)
        elif committed_last is not None:
            yield end, committed_last.version


def _existing(key: str, pending: Mapping[str, Update]) -> Iterator[tuple[str, Version]]:
    if pending[key].value is not None:
        yield key, pending[key].version


def _summary_holds(summary: MerkleSummary, found: Iterator[tuple[str, Version]]) -> bool:
    """RangeQueryHashValidator validate. The summary's own degree decides; one that builds no tree matches nothing."""
    if summary.max_degree < SUMMARY_DEGREE_MIN:
        return False
    reads = RangeReads(summary.max_degree)
    for key, version in found:
        reads.add(Read(key, version))
    return reads.done()[1] == summary
