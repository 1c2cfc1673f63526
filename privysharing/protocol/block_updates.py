"""What a block changes, transaction by transaction: the changes so far are part of what the next one is judged by."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from privysharing.protocol.codec.rwsets import encode_state_metadata
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    TxRwSet,
    Update,
    UpdateBatch,
    Version,
    VersionedValue,
    Write,
)

Key = TypeVar("Key", str, bytes)
Latest = Update | VersionedValue | None

# rwsetutil IsKVWriteHashDelete: the hash of nothing deletes, as writing nothing does (FAB-18386)
HASH_OF_EMPTY = hashlib.sha256(b"").digest()

# validation/tx_ops.go keyOpsFlag, a uint8
_UPSERT = 1
_METADATA_UPDATE = 2
_METADATA_DELETE = 4
_DELETE = 8
_FLAGS_MAX = 0xFF


@dataclass(slots=True)
class _Operation:
    """What one transaction does to one key."""

    flags: int = 0
    value: bytes = b""
    metadata: bytes = b""

    def add(self, flag: int) -> None:
        # Fabric adds flags and does not combine them, so a set that names a key twice means something odd. It must
        # mean the same here: commit hashes cover it.
        self.flags = (self.flags + flag) & _FLAGS_MAX


class StateBefore(Protocol):
    """The state before a block, key by key."""

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """A public key, None when it does not exist."""

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        """A key of a collection's hashed space."""

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """Whether any key there may have metadata; without a collection: any public key."""


class BlockUpdates:
    """The writes of a block's valid transactions over the state before it, merged: the last word on each key."""

    def __init__(self, before: StateBefore) -> None:
        self._before = before
        self._public: dict[str, dict[str, Update]] = {}
        self._hashed: dict[tuple[str, str], dict[bytes, Update]] = {}

    def batch(self) -> UpdateBatch:
        """All of them."""
        return UpdateBatch(self._public, self._hashed)

    def touches(self, namespace: str, key: str) -> bool:
        """Whether an earlier transaction of the block writes or deletes this key."""
        return key in self._public.get(namespace, ())

    def touches_hashed(self, namespace: str, collection: str, key_hash: bytes) -> bool:
        """The same for a key of a collection's hashed space."""
        return key_hash in self._hashed.get((namespace, collection), ())

    def pending(self, namespace: str) -> Mapping[str, Update]:
        """The public keys of a namespace that these updates change."""
        return self._public.get(namespace, {})

    def apply(self, rwset: TxRwSet, version: Version) -> None:
        """Add what a valid transaction writes (publicAndHashUpdates applyWriteSet)."""
        for ns in rwset.namespaces:
            if ns.writes or ns.metadata_writes:
                self._apply_public(ns, version)
            for collection in ns.collections:
                if collection.writes or collection.metadata_writes:
                    self._apply_hashed(ns.namespace, collection, version)

    def _apply_public(self, ns: NamespaceRwSet, version: Version) -> None:
        pending = self._public.setdefault(ns.namespace, {})
        committed = partial(self._before.get, ns.namespace)
        may_have_metadata = self._before.may_have_metadata(ns.namespace)
        if not ns.metadata_writes and len({write.key for write in ns.writes}) == len(ns.writes):
            for write in ns.writes:  # as nearly all do: there are no operations to be added up
                _put(pending, write.key, _public_value(write), committed, may_have_metadata, version)
            return
        operations: dict[str, _Operation] = {}
        for write in ns.writes:
            _add_write(operations, write.key, _public_value(write))
        for metadata_write in ns.metadata_writes:
            _add_metadata(operations, metadata_write.key, metadata_write)
        _settle(pending, operations, committed, may_have_metadata, version)

    def _apply_hashed(self, namespace: str, collection: CollectionHashedRwSet, version: Version) -> None:
        place = (namespace, collection.collection)
        pending = self._hashed.setdefault(place, {})
        operations: dict[bytes, _Operation] = {}
        for write in collection.writes:
            _add_write(operations, write.key_hash, _hashed_value(write))
        for metadata_write in collection.metadata_writes:
            _add_metadata(operations, metadata_write.key_hash, metadata_write)
        may_have_metadata = self._before.may_have_metadata(*place)
        _settle(pending, operations, partial(self._before.get_hashed, *place), may_have_metadata, version)


def _public_value(write: Write) -> bytes | None:
    """The value to set, None to delete (rwsetutil IsKVWriteDelete)."""
    return None if write.is_delete or not write.value else write.value


def _hashed_value(write: HashedWrite) -> bytes | None:
    """The hash to set, None to delete (rwsetutil IsKVWriteHashDelete)."""
    return None if write.is_delete or write.value_hash in (b"", HASH_OF_EMPTY) else write.value_hash


def _add_write(operations: dict[Key, _Operation], key: Key, value: bytes | None) -> None:
    operation = operations.setdefault(key, _Operation())
    if value is None:
        operation.add(_DELETE)
    else:
        operation.add(_UPSERT)
        operation.value = value


def _add_metadata(operations: dict[Key, _Operation], key: Key, write: MetadataWrite | HashedMetadataWrite) -> None:
    operation = operations.setdefault(key, _Operation())
    if write.entries:
        operation.add(_METADATA_UPDATE)
        operation.metadata = encode_state_metadata(write.entries)
    else:
        operation.add(_METADATA_DELETE)


def _settle(
    pending: dict[Key, Update],
    operations: dict[Key, _Operation],
    committed: Callable[[Key], VersionedValue | None],
    may_have_metadata: bool,
    version: Version,
) -> None:
    """Fill in what stays: metadata under a new value, a value under new metadata (validation prepareTxOps).

    Metadata for a key that does not exist does nothing.
    """
    for key, operation in operations.items():
        flags = operation.flags
        if flags & _DELETE:
            _put(pending, key, None, committed, may_have_metadata, version)
        elif flags & _UPSERT and flags & (_METADATA_UPDATE | _METADATA_DELETE):
            pending[key] = Update(operation.value, version, operation.metadata)
        elif flags in (0, _UPSERT):
            _put(pending, key, operation.value, committed, may_have_metadata, version)
        else:
            before: Latest = pending.get(key) or committed(key)
            if before is not None and before.value is not None:
                pending[key] = Update(before.value, version, operation.metadata)


def _put(
    pending: dict[Key, Update],
    key: Key,
    value: bytes | None,
    committed: Callable[[Key], VersionedValue | None],
    may_have_metadata: bool,
    version: Version,
) -> None:
    """A new value under the metadata that the key has; None deletes both."""
    before: Latest = None
    if value is not None:
        before = pending.get(key) or (committed(key) if may_have_metadata else None)
    pending[key] = Update(value, version, b"" if before is None else before.metadata)
