"""Two databases of one ledger, entry by entry."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.peer.ledger import keys
from services.runtime.database import DatabaseReader


@dataclass(frozen=True, slots=True)
class Difference:
    """The first entry in which a database is not what it should be."""

    kind: str  # state, history, index or savepoint
    detail: str
    block: int | None = None
    transaction: int | None = None
    key: dict[str, str] = field(default_factory=dict)


def compare(found: DatabaseReader, expected: DatabaseReader, *, marks: bool) -> tuple[int, Difference | None]:
    """How many entries are equal, and the first that is not. Raises LedgerFault where one cannot be read.

    `marks`: whether to compare those of metadata, too. A database that is not all marked goes without them.
    """
    theirs, ours = _entries(found, marks), _entries(expected, marks)
    equal = 0
    for right in ours:
        left = next(theirs, None)
        if left == right:
            equal += 1
        elif left is None or left[0] > right[0]:
            return equal, _difference(right[0], "is missing", right[1])
        elif left[0] < right[0]:
            return equal, _difference(left[0], "follows from no block", left[1])
        else:
            return equal, _difference(right[0], _changed(right[0], left[1], right[1]), right[1])
    more = next(theirs, None)
    return equal, None if more is None else _difference(more[0], "follows from no block", more[1])


def _entries(reader: DatabaseReader, marks: bool) -> Iterator[tuple[bytes, bytes]]:
    for key, value in reader.scan(b"", keys.BEHIND_ALL):
        if marks or not (key.startswith(keys.METADATA) or key == keys.METADATA_HEIGHT_KEY):
            yield key, value


def _difference(raw_key: bytes, what: str, value: bytes) -> Difference:
    """Names an entry. One that is nothing of ours has no more than its bytes."""
    try:
        return _named(raw_key, what, value)
    except (ValueError, IndexError, struct.error):
        return Difference("state", f"an entry that is none {what}", key={"bytes": raw_key.hex()})


def _named(raw: bytes, what: str, value: bytes) -> Difference:
    kind = raw[:1]
    if kind in (keys.STATE, keys.HASHED):
        version = keys.decode_value(value).version
        if kind == keys.STATE:
            namespace, name = keys.split_state_key(raw)
            key = {"namespace": namespace, "key": name}
        else:
            namespace, collection, key_hash = keys.split_hashed_key(raw)
            key = {"namespace": namespace, "collection": collection, "key_hash": key_hash.hex()}
        return Difference("state", f"the key {what}", version.block_num, version.tx_num, key)
    if kind == keys.HISTORY:
        namespace, name, version = keys.split_history(raw)
        key = {"namespace": namespace, "key": name}
        return Difference("history", f"the write {what}", version.block_num, version.tx_num, key)
    if kind == keys.TRANSACTION:
        where = keys.decode_location(value)
        key = {"tx_id": raw[1:].decode()}
        return Difference("index", f"the transaction {what}", where.block_num, where.tx_num, key)
    if kind == keys.BLOCK_HASH:
        return Difference("index", f"the block {what}", keys.decode_number(value), key={"block_hash": raw[1:].hex()})
    if kind == keys.METADATA:
        namespace, collection = keys.split_metadata_key(raw)
        return Difference(
            "index", f"the mark of metadata {what}", key={"namespace": namespace, "collection": collection}
        )
    if raw == keys.METADATA_HEIGHT_KEY:
        return Difference("index", f"the height of marks {what}", keys.decode_number(value) - 1)
    if raw == keys.SAVEPOINT_KEY:
        return Difference("savepoint", f"the savepoint {what}", keys.Savepoint.decode(value).height - 1)
    raise ValueError(raw)


def _changed(raw_key: bytes, found: bytes, expected: bytes) -> str:
    if raw_key[:1] not in (keys.STATE, keys.HASHED):
        return f"is {found.hex()}, expected {expected.hex()}"
    return "; ".join(_parts(found, expected))


def _parts(found: bytes, expected: bytes) -> Iterator[str]:
    """Which parts of a key's value differ. Values themselves may be nobody's business."""
    try:
        was, should = keys.decode_value(found), keys.decode_value(expected)
    except struct.error:
        yield "has no value that can be read"
        return
    if was.version != should.version:
        expected_version = f"{should.version.block_num}:{should.version.tx_num}"
        yield f"has version {was.version.block_num}:{was.version.tx_num}, expected {expected_version}"
    if was.value != should.value:
        yield "has another value than was written"
    if was.metadata != should.metadata:
        yield "has other metadata than was written"
