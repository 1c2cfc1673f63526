"""The read/write set of one simulation while it grows (rwsetutil/rwset_builder.go).

Whatever the order in which a contract touches keys, the result is sorted: two endorsers that saw the same state sign
the same bytes. Python orders strings by code point, which is the order of their UTF-8 bytes.
"""

import hashlib
from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.private_sets import encode_private_set
from privysharing.protocol.codec.rwsets import encode_namespace
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    PrivateRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from services.peer.private_data.types import PrivateSet

MetadataEntries = tuple[tuple[str, bytes], ...]

# What was read of `_lifecycle`, by all transactions of a chaincode the same; and how long these keys may be together.
DEFINITIONS_CACHED_MAX: Final = 256
DEFINITION_KEYS_CACHED_MAX: Final = 512


class _Collection:
    __slots__ = ("metadata", "purged", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, bytes] = {}
        self.purged: set[str] = set()  # of the keys written
        self.metadata: dict[str, MetadataEntries] = {}

    def build(self, name: str) -> tuple[CollectionHashedRwSet, bytes]:
        """As everybody sees it, and as members do. Ordered by plain key, not by hash: committers' order."""
        reads, writes, metadata = self.reads, _writes(self.writes), self.metadata
        keys = tuple(sorted(metadata))
        private = encode_private_set(PrivateRwSet(writes, keys)) if writes or keys else b""
        hashed = CollectionHashedRwSet(
            collection=name,
            reads=tuple([HashedRead(_sha256(key), reads[key]) for key in sorted(reads)]),
            writes=tuple([_hashed(write, write.key in self.purged) for write in writes]),
            metadata_writes=tuple([HashedMetadataWrite(_sha256(key), metadata[key]) for key in keys]),
            private_rwset_hash=hashlib.sha256(private).digest() if private else b"",
        )
        return hashed, private


class _Namespace:
    __slots__ = ("collections", "metadata", "ranges", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.ranges: dict[tuple[str, str, bool], RangeQuery] = {}
        self.writes: dict[str, bytes] = {}
        self.metadata: dict[str, MetadataEntries] = {}
        self.collections: dict[str, _Collection] = {}

    @property
    def only_read(self) -> bool:
        """Whether there is nothing but keys that were read, of no great length: clients can ask for any definition."""
        if self.ranges or self.writes or self.metadata or self.collections:
            return False
        return sum(map(len, self.reads)) <= DEFINITION_KEYS_CACHED_MAX

    def build(self, name: str, private_sets: list[PrivateSet]) -> NamespaceRwSet:
        """The namespace's part; its private sets are added to those given."""
        reads, writes, metadata, collections = self.reads, self.writes, self.metadata, []
        for each in sorted(self.collections) if self.collections else ():
            hashed, private = self.collections[each].build(each)
            collections.append(hashed)
            if private:
                private_sets.append(PrivateSet(name, each, private))
        return NamespaceRwSet(
            name,
            tuple([Read(key, reads[key]) for key in sorted(reads)]) if reads else (),
            tuple(self.ranges.values()),
            _writes(writes) if writes else (),
            tuple([MetadataWrite(key, metadata[key]) for key in sorted(metadata)]) if metadata else (),
            tuple(collections),
        )


class RwSetBuilder:
    """Collects reads and writes; a later one of the same key replaces the earlier."""

    __slots__ = ("_namespaces",)

    def __init__(self) -> None:
        self._namespaces: dict[str, _Namespace] = {}

    def read(self, namespace: str, key: str, version: Version | None) -> None:
        self._of(namespace).reads[key] = version

    def write(self, namespace: str, key: str, value: bytes) -> None:
        """An empty value deletes (rwsetutil newKVWrite)."""
        self._of(namespace).writes[key] = value

    def write_metadata(self, namespace: str, key: str, entries: MetadataEntries) -> None:
        self._of(namespace).metadata[key] = entries

    def range_query(self, namespace: str, query: RangeQuery) -> None:
        """The first of several equal ranges stays."""
        self._of(namespace).ranges.setdefault((query.start_key, query.end_key, query.exhausted), query)

    def read_hashed(self, namespace: str, collection: str, key: str, version: Version | None) -> None:
        self._collection(namespace, collection).reads[key] = version

    def write_private(self, namespace: str, collection: str, key: str, value: bytes, purge: bool = False) -> None:
        """An empty value deletes."""
        into = self._collection(namespace, collection)
        into.writes[key] = value
        (into.purged.add if purge else into.purged.discard)(key)

    def write_private_metadata(self, namespace: str, collection: str, key: str, entries: MetadataEntries) -> None:
        self._collection(namespace, collection).metadata[key] = entries

    def build(self) -> tuple[TxRwSet, bytes, tuple[PrivateSet, ...]]:
        """Everything so far, sorted by namespace and key, also as endorsers sign it, and the private sets behind it."""
        parts, encoded, private = [], [], list[PrivateSet]()
        for name in sorted(self._namespaces):
            collected = self._namespaces[name]
            if name == LIFECYCLE and collected.only_read:
                part, raw = _definitions(tuple(sorted(collected.reads.items())))
            else:
                part = collected.build(name, private)
                raw = encode_namespace(part)
            parts.append(part)
            encoded.append(raw)
        return TxRwSet(tuple(parts)), b"".join(encoded), tuple(private)

    def _of(self, namespace: str) -> _Namespace:
        found = self._namespaces.get(namespace)
        if found is None:
            found = self._namespaces[namespace] = _Namespace()
        return found

    def _collection(self, namespace: str, collection: str) -> _Collection:
        collections = self._of(namespace).collections
        found = collections.get(collection)
        if found is None:
            found = collections[collection] = _Collection()
        return found


@lru_cache(DEFINITIONS_CACHED_MAX)
def _definitions(reads: tuple[tuple[str, Version | None], ...]) -> tuple[NamespaceRwSet, bytes]:
    """What was read of chaincodes' definitions, also as it is signed."""
    part = NamespaceRwSet(LIFECYCLE, tuple([Read(key, version) for key, version in reads]))
    return part, encode_namespace(part)


def _writes(values: dict[str, bytes]) -> tuple[Write, ...]:
    return tuple([Write(key, values[key], not values[key]) for key in sorted(values)])


def _hashed(write: Write, purge: bool) -> HashedWrite:
    value_hash = b"" if write.is_delete else hashlib.sha256(write.value).digest()
    return HashedWrite(_sha256(write.key), value_hash, write.is_delete, purge)


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
