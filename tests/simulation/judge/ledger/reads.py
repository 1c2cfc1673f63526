"""Whether what a transaction read still holds when its turn comes (txmgmt/validation validator.go)."""

import hashlib
from collections.abc import Iterable
from typing import Any

from tests.simulation.judge.ledger.codes import Code
from tests.simulation.judge.ledger.messages import kvrwset
from tests.simulation.judge.ledger.state import Place, State, Updates, Version
from tests.simulation.judge.ledger.transactions import Namespace

_DEGREE_MIN = 2  # rwsetutil newMerkleTree builds none of a smaller degree


def conflict(namespaces: Iterable[Namespace], updates: Updates, state: State) -> Code:
    """The first that does not hold: in each namespace reads, then ranges, then hashed reads (validateTx)."""
    for namespace in namespaces:
        name = namespace.name
        if not all(_holds((name, "", read.key), read, updates, state) for read in namespace.public.reads):
            return Code.MVCC_READ_CONFLICT
        if not all(_range_holds(name, query, updates, state) for query in namespace.public.range_queries_info):
            return Code.PHANTOM_READ_CONFLICT
        for part in namespace.collections:
            for read in part.hashed.hashed_reads:
                if not _holds((name, part.collection, read.key_hash), read, updates, state):
                    return Code.MVCC_READ_CONFLICT
    return Code.VALID


def _holds(place: Place, read: Any, updates: Updates, state: State) -> bool:
    """A key that the block has changed already is a conflict whatever version was read: it could be guessed."""
    if place in updates.entries:
        return False
    found = state.get(place)
    return _version(read) == (found.version if found else None)


def _version(read: Any) -> Version | None:
    return (read.version.block_num, read.version.tx_num) if read.HasField("version") else None


def _range_holds(namespace: str, query: Any, updates: Updates, state: State) -> bool:
    """The range once more, with what the block has changed so far. One not read to its end ends with what was seen."""
    keys = set(state.keys(namespace, query.start_key, query.end_key))
    for changed, collection, key in updates.entries:
        if changed == namespace and not collection and isinstance(key, str) and key >= query.start_key:
            keys |= {key} if key < query.end_key or not query.end_key else set()
    if not query.itr_exhausted:
        keys.add(query.end_key)
    found = [(key, entry.version) for key in sorted(keys) if (entry := updates.get((namespace, "", key)))]
    if query.WhichOneof("reads_info") == "reads_merkle_hashes":
        return _summary_holds(query.reads_merkle_hashes, found)
    return found == [(read.key, _version(read)) for read in query.raw_reads.kv_reads]


def _summary_holds(summary: Any, found: list[tuple[str, Version]]) -> bool:
    """RangeQueryResultsHelper: reads in leaves of more than `max_degree`, whose hashes grow into a tree."""
    degree = summary.max_degree
    if degree < _DEGREE_MIN:
        return False
    levels: dict[int, list[bytes]] = {}
    pending: list[tuple[str, Version]] = []
    for read in found:
        pending.append(read)
        if len(pending) > degree:
            _grow(levels, _leaf(pending), degree)
            pending = []
    if not levels:
        return False  # so few results would have been listed
    if pending:
        _grow(levels, _leaf(pending), degree)
    top = max(levels)
    for level in range(1, top):
        if hashes := levels.pop(level, []):
            levels.setdefault(level + 1, []).append(hashes[0] if len(hashes) == 1 else _hash(b"".join(hashes)))
    if len(levels[top]) > degree:
        levels[top + 1] = [_hash(b"".join(levels.pop(top)))]
        top += 1
    return (summary.max_level, list(summary.max_level_hashes)) == (top, levels[top])


def _grow(levels: dict[int, list[bytes]], leaf: bytes, degree: int) -> None:
    level, value = 1, leaf
    while True:
        levels.setdefault(level, []).append(value)
        if len(levels[level]) <= degree:
            return
        value = _hash(b"".join(levels.pop(level)))
        level += 1


def _leaf(reads: list[tuple[str, Version]]) -> bytes:
    message = kvrwset.QueryReads(
        kv_reads=[
            kvrwset.KVRead(key=key, version=kvrwset.Version(block_num=block, tx_num=index))
            for key, (block, index) in reads
        ]
    )
    return _hash(message.SerializeToString())


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
