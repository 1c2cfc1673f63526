"""The read/write set of one simulation while it grows (rwsetutil/rwset_builder.go).

Whatever the order in which a contract touches keys, the result is sorted: two endorsers that saw the same state sign
the same bytes. Python orders strings by code point, which is the order of their UTF-8 bytes.
"""

import hashlib
from dataclasses import field

from privysharing.protocol.codec.rwsets import encode_private_writes
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedRead,
    HashedWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    TxRwSet,
    Version,
    Write,
)
from privysharing.protocol.values import value


@value
class PrivateWrites:
    """What a simulation wrote into one collection, in the clear: for the collection's members alone."""

    namespace: str
    collection: str
    writes: tuple[Write, ...] = field(repr=False)


class _Collection:
    __slots__ = ("reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, bytes] = {}

    def build(self, name: str) -> CollectionHashedRwSet:
        """Ordered by plain key, not by hash: committers' order."""
        reads, writes = self.reads, _writes(self.writes)
        return CollectionHashedRwSet(
            collection=name,
            reads=tuple([HashedRead(_sha256(key), reads[key]) for key in sorted(reads)]),
            writes=tuple([_hashed(write) for write in writes]),
            private_rwset_hash=hashlib.sha256(encode_private_writes(writes)).digest() if writes else b"",
        )


class _Namespace:
    __slots__ = ("collections", "ranges", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.ranges: dict[tuple[str, str, bool], RangeQuery] = {}
        self.writes: dict[str, bytes] = {}
        self.collections: dict[str, _Collection] = {}

    def build(self, name: str) -> NamespaceRwSet:
        reads, writes, collections = self.reads, self.writes, self.collections
        return NamespaceRwSet(
            name,
            tuple([Read(key, reads[key]) for key in sorted(reads)]) if reads else (),
            tuple(self.ranges.values()),
            _writes(writes) if writes else (),
            collections=tuple([collections[each].build(each) for each in sorted(collections)]) if collections else (),
        )

    def private_writes(self, name: str) -> list[PrivateWrites]:
        written = {each: of.writes for each, of in self.collections.items() if of.writes}
        return [PrivateWrites(name, each, _writes(written[each])) for each in sorted(written)]


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

    def range_query(self, namespace: str, query: RangeQuery) -> None:
        """The first of several equal ranges stays."""
        self._of(namespace).ranges.setdefault((query.start_key, query.end_key, query.exhausted), query)

    def read_hashed(self, namespace: str, collection: str, key: str, version: Version | None) -> None:
        self._collection(namespace, collection).reads[key] = version

    def write_private(self, namespace: str, collection: str, key: str, value: bytes) -> None:
        self._collection(namespace, collection).writes[key] = value

    def build(self) -> TxRwSet:
        """Everything so far, sorted by namespace and key."""
        namespaces = self._namespaces
        return TxRwSet(tuple([namespaces[name].build(name) for name in sorted(namespaces)]))

    def private_writes(self) -> tuple[PrivateWrites, ...]:
        """The plain values behind the hashed writes."""
        private = [name for name, namespace in self._namespaces.items() if namespace.collections]
        return tuple([each for name in sorted(private) for each in self._namespaces[name].private_writes(name)])

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


def _writes(values: dict[str, bytes]) -> tuple[Write, ...]:
    return tuple([Write(key, values[key], not values[key]) for key in sorted(values)])


def _hashed(write: Write) -> HashedWrite:
    value_hash = b"" if write.is_delete else hashlib.sha256(write.value).digest()
    return HashedWrite(_sha256(write.key), value_hash, write.is_delete)


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
