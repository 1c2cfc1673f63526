"""What valid transactions make of a channel's state: values, versions, metadata; and what is hashed of that.

A place is (namespace, collection, key): collection "" and a text key for public values; for the hashed space of a
collection, the hash of the key and the hash of the value.
"""

import hashlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.judge.ledger.messages import kvrwset
from tests.simulation.judge.ledger.transactions import Namespace

Place = tuple[str, str, str | bytes]
Version = tuple[int, int]  # block, place of the transaction in it

_HASH_OF_NOTHING = hashlib.sha256(b"").digest()
# validation tx_ops.go keyOpsFlag
_UPSERT, _METADATA_UPDATE, _METADATA_DELETE, _DELETE = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a place; value None: it was deleted by that version. Metadata is marshalled."""

    value: bytes | None
    version: Version
    metadata: bytes = b""


class State:
    """All that was ever committed, place by place, so that the state as of any height can be told."""

    def __init__(self) -> None:
        self._entries: dict[Place, list[Entry]] = {}
        self._keys: dict[str, list[str]] = {}  # of each namespace, sorted; also those that were deleted

    def get(self, place: Place) -> Entry | None:
        """What stands there now."""
        found = self._entries.get(place)
        return found[-1] if found and found[-1].value is not None else None

    def keys(self, namespace: str, start: str, end: str) -> list[str]:
        """Public keys from start to before end (empty: no end), also deleted ones."""
        keys = self._keys.get(namespace, [])
        return keys[bisect_left(keys, start) : bisect_left(keys, end) if end else len(keys)]

    def apply(self, updates: Mapping[Place, Entry]) -> None:
        for place, entry in updates.items():
            if place not in self._entries and isinstance(place[2], str):
                insort(self._keys.setdefault(place[0], []), place[2])
            self._entries.setdefault(place, []).append(entry)

    def at(self, height: int) -> Iterator[tuple[Place, Entry]]:
        """What stands where after that many blocks."""
        for place, entries in self._entries.items():
            last = next((entry for entry in reversed(entries) if entry.version[0] < height), None)
            if last is not None and last.value is not None:
                yield place, last


class Updates:
    """What the valid transactions of a block change: the last word on each place."""

    def __init__(self, before: State) -> None:
        self.entries: dict[Place, Entry] = {}
        self._before = before

    def get(self, place: Place) -> Entry | None:
        """What stands there with the changes so far."""
        if place in self.entries:
            found = self.entries[place]
            return None if found.value is None else found
        return self._before.get(place)

    def put_config(self, data: bytes, version: Version) -> None:
        """Where a peer keeps the configuration (ConfigTxProcessor GenerateSimulationResults)."""
        self.entries["", "", "CHANNEL_CONFIG_ENV_BYTES"] = Entry(data, version)

    def apply(self, namespaces: Iterable[Namespace], version: Version) -> None:
        """Add what a valid transaction writes (publicAndHashUpdates applyWriteSet)."""
        operations: dict[Place, _Operation] = {}
        for namespace in namespaces:
            for write in namespace.public.writes:
                value = None if write.is_delete or not write.value else write.value
                _operation(operations, (namespace.name, "", write.key)).write(value)
            for change in namespace.public.metadata_writes:
                _operation(operations, (namespace.name, "", change.key)).change_metadata(change.entries)
            for part in namespace.collections:
                for write in part.hashed.hashed_writes:
                    nothing = write.is_delete or write.value_hash in (b"", _HASH_OF_NOTHING)
                    place = (namespace.name, part.collection, write.key_hash)
                    _operation(operations, place).write(None if nothing else write.value_hash)
                for change in part.hashed.metadata_writes:
                    place = (namespace.name, part.collection, change.key_hash)
                    _operation(operations, place).change_metadata(change.entries)
        for place, operation in operations.items():
            entry = operation.result(self.get(place), version)
            if entry is not None:
                self.entries[place] = entry


@dataclass(slots=True)
class _Operation:
    """What one transaction does to one place. Fabric adds flags up, so one that names a place twice may surprise."""

    flags: int = 0
    value: bytes = b""
    metadata: bytes = b""

    def write(self, value: bytes | None) -> None:
        self._add(_DELETE if value is None else _UPSERT)
        self.value = self.value if value is None else value

    def change_metadata(self, entries: Any) -> None:
        self._add(_METADATA_UPDATE if entries else _METADATA_DELETE)
        if entries:
            self.metadata = stored_metadata(entries)

    def _add(self, flag: int) -> None:
        self.flags = (self.flags + flag) % 256

    def result(self, before: Entry | None, version: Version) -> Entry | None:
        """With what stays: metadata under a new value, a value under new metadata (prepareTxOps)."""
        if self.flags & _DELETE:
            return Entry(None, version)
        if self.flags & _UPSERT and self.flags & (_METADATA_UPDATE | _METADATA_DELETE):
            return Entry(self.value, version, self.metadata)
        if self.flags in (0, _UPSERT):
            return Entry(self.value, version, before.metadata if before else b"")
        return Entry(before.value, version, self.metadata) if before else None


def _operation(operations: dict[Place, _Operation], place: Place) -> _Operation:
    return operations.setdefault(place, _Operation())


def stored_metadata(entries: Any) -> bytes:
    """statemetadata Serialize: the entries as a KVMetadataWrite without a key."""
    return bytes(kvrwset.KVMetadataWrite(entries=entries).SerializeToString())


def metadata_entry(metadata: bytes, name: str) -> bytes:
    """One entry of stored metadata; the last of that name."""
    found = [each.value for each in kvrwset.KVMetadataWrite.FromString(metadata).entries if each.name == name]
    return bytes(found[-1]) if found else b""


def commit_hash(number: int, previous: bytes, codes: bytes, updates: Mapping[Place, Entry]) -> bytes:
    """The COMMIT_HASH of a block (kvledger addBlockCommitHash); empty for the first, which has none."""
    if not (number == 1 or previous):
        return b""
    return hashlib.sha256(_varint(len(codes)) + codes + _updates_bytes(updates) + previous).digest()


def _updates_bytes(updates: Mapping[Place, Entry]) -> bytes:
    """txmgr.Updates: sorted, without the configuration; a name that repeats the one before is left out."""
    ordered = sorted(
        (namespace, collection, isinstance(key, bytes), _bytes(key), entry)  # a collection may have no name
        for (namespace, collection, key), entry in updates.items()
        if namespace
    )
    written, last = b"", ("", "")
    for namespace, collection, _, key, entry in ordered:
        body = _field(1, namespace.encode() if namespace != last[0] else b"")
        body += _field(2, collection.encode() if (namespace, collection) != last else b"")
        body += _field(3, key)
        body += b"\x20\x01" if entry.value is None else b""
        body += _field(5, entry.value or b"")
        body += _field(6, b"".join(map(_order_preserving, entry.version)))
        written += _field(1, body)
        last = (namespace, collection)
    return written


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message; nothing when empty."""
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content if content else b""


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)


def _order_preserving(number: int) -> bytes:
    """How many bytes, and these bytes (util EncodeOrderPreservingVarUint64)."""
    content = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((len(content),)) + content
