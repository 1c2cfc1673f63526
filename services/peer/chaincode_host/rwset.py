"""The read/write set of one simulation while it grows (rwsetutil/rwset_builder.go).

Whatever the order in which a contract touches keys, the result is sorted: two endorsers that saw the same state sign
the same bytes. Python orders strings by code point, which is the order of their UTF-8 bytes.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypeVar

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

T = TypeVar("T")
_BY_KEY = itemgetter(0)


@dataclass(frozen=True, slots=True)
class PrivateWrites:
    """What a simulation wrote into one collection, in the clear: for the collection's members alone."""

    namespace: str
    collection: str
    writes: tuple[Write, ...] = field(repr=False)


@dataclass(slots=True)
class _Collection:
    reads: dict[str, Version | None] = field(default_factory=dict)
    writes: dict[str, bytes] = field(default_factory=dict)

    def plain_writes(self) -> tuple[Write, ...]:
        return _writes(self.writes)

    def build(self, name: str) -> CollectionHashedRwSet:
        """Ordered by plain key, not by hash: committers' order."""
        writes = self.plain_writes()
        return CollectionHashedRwSet(
            collection=name,
            reads=tuple(HashedRead(_sha256(key), version) for key, version in _sorted(self.reads)),
            writes=tuple(
                HashedWrite(_sha256(w.key), b"" if w.is_delete else hashlib.sha256(w.value).digest(), w.is_delete)
                for w in writes
            ),
            private_rwset_hash=hashlib.sha256(encode_private_writes(writes)).digest() if writes else b"",
        )


@dataclass(slots=True)
class _Namespace:
    reads: dict[str, Version | None] = field(default_factory=dict)
    ranges: dict[tuple[str, str, bool], RangeQuery] = field(default_factory=dict)
    writes: dict[str, bytes] = field(default_factory=dict)
    collections: dict[str, _Collection] = field(default_factory=dict)

    def build(self, name: str) -> NamespaceRwSet:
        return NamespaceRwSet(
            namespace=name,
            reads=tuple([Read(key, version) for key, version in _sorted(self.reads)]),
            range_queries=tuple(self.ranges.values()),
            writes=_writes(self.writes),
            collections=tuple([collection.build(name) for name, collection in _sorted(self.collections)]),
        )


class RwSetBuilder:
    """Collects reads and writes; a later one of the same key replaces the earlier."""

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
        return TxRwSet(tuple(namespace.build(name) for name, namespace in _sorted(self._namespaces)))

    def private_writes(self) -> tuple[PrivateWrites, ...]:
        """The plain values behind the hashed writes."""
        return tuple(
            PrivateWrites(name, collection_name, collection.plain_writes())
            for name, namespace in _sorted(self._namespaces)
            for collection_name, collection in _sorted(namespace.collections)
            if collection.writes
        )

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
    return tuple([Write(key, value, is_delete=not value) for key, value in _sorted(values)])


def _sorted(values: dict[str, T]) -> Iterable[tuple[str, T]]:
    return sorted(values.items(), key=_BY_KEY) if values else ()


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
