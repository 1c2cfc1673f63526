"""Reading state out of a database: one view for the newest state and for snapshots of it."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final, Self

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.rwsets import Update, UpdateBatch
from services.peer.ledger import keys
from services.peer.ledger.metadata import MetadataPlaces
from services.peer.ledger.types import StateEntry, VersionedValue
from services.runtime.database import DatabaseReader, DatabaseSnapshot

DEFINITION_KEYS_MAX: Final = 1024  # that a snapshot remembers: whoever asks for what is not there, fills no memory


class StoredState:
    """The state that a reader sees (StateView)."""

    def __init__(self, reader: DatabaseReader, metadata: MetadataPlaces) -> None:
        self._reader = reader
        self._metadata = metadata

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        raw = self._reader.get(keys.state_key(namespace, key))
        return None if raw is None else keys.decode_value(raw)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        raw = self._reader.get(keys.hashed_key(namespace, collection, key_hash))
        return None if raw is None else keys.decode_value(raw)

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        """Whether any key there may have metadata; without a collection: any public key."""
        return self._metadata.may_include(namespace, collection)

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        """Keys from `start` up to, not including, `end`; an empty `end` means all that follow."""
        prefix = keys.namespace_prefix(namespace)
        stop = prefix + end_key.encode() if end_key else keys.after(prefix)
        for raw_key, raw in self._reader.scan(prefix + start_key.encode(), stop):
            yield raw_key[len(prefix) :].decode(), keys.decode_value(raw)

    def hashes(self, namespace: str, collection: str) -> Iterator[tuple[bytes, VersionedValue]]:
        """Every key of a collection's hashed space."""
        prefix = keys.collection_prefix(namespace, collection)
        for raw_key, raw in self._reader.scan(prefix, keys.after(prefix)):
            yield raw_key[len(prefix) :], keys.decode_value(raw)

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the transaction ids that stand on the ledger, valid or not."""
        return frozenset(tx_id for tx_id in ids if self._reader.get(keys.tx_key(tx_id)) is not None)

    def entries(self) -> Iterator[StateEntry]:
        """The whole state in the order of namespaces, collections (public keys first) and keys."""
        spaces: list[tuple[str, str | None]] = [(namespace, None) for namespace in self._namespaces()]
        spaces += self._collections()
        for namespace, collection in sorted(spaces, key=lambda space: (space[0], space[1] is not None, space[1])):
            if collection is None:
                for key, stored in self.range(namespace, "", ""):
                    yield StateEntry(namespace, None, key, stored)
            else:
                for key_hash, stored in self.hashes(namespace, collection):
                    yield StateEntry(namespace, collection, key_hash, stored)

    def _namespaces(self) -> Iterator[str]:
        """Each namespace with public keys, found by leaping from one to the next."""
        start = keys.STATE
        while (first := self._first_key(start, keys.after(keys.STATE))) is not None:
            namespace, _ = keys.split_state_key(first)
            yield namespace
            start = keys.after(keys.namespace_prefix(namespace))

    def _collections(self) -> Iterator[tuple[str, str]]:
        start = keys.HASHED
        while (first := self._first_key(start, keys.after(keys.HASHED))) is not None:
            namespace, collection, _ = keys.split_hashed_key(first)
            yield namespace, collection
            start = keys.after(keys.collection_prefix(namespace, collection))

    def _first_key(self, start: bytes, stop: bytes) -> bytes | None:
        with closing(self._reader.scan(start, stop)) as entries:
            return next((key for key, _ in entries), None)


class StoredSnapshot(StoredState):
    """The state as one commit left it: a block's effects are one batch, so no snapshot can see half of them."""

    def __init__(self, snapshot: DatabaseSnapshot, metadata: MetadataPlaces) -> None:
        super().__init__(snapshot, metadata)
        self._snapshot = snapshot
        self._definitions: dict[str, VersionedValue | None] = {}
        savepoint = snapshot.get(keys.SAVEPOINT_KEY)
        self.height = 0 if savepoint is None else keys.Savepoint.decode(savepoint).height

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Every transaction reads the definition of its chaincode and its collections: from the database, once each."""
        if namespace != LIFECYCLE:
            return super().get(namespace, key)
        if key in self._definitions:
            return self._definitions[key]
        found = super().get(namespace, key)
        if len(self._definitions) < DEFINITION_KEYS_MAX:
            self._definitions[key] = found
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._snapshot.close()


def state_batch(updates: UpdateBatch) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """What a block's updates put into the database, and what they delete from it."""
    changes: list[tuple[bytes, Update]] = []
    for namespace, written in updates.public.items():
        prefix = keys.namespace_prefix(namespace)
        changes += [(prefix + key.encode(), update) for key, update in written.items()]
    for place, hashes in updates.hashed.items():
        prefix = keys.collection_prefix(*place)
        changes += [(prefix + key_hash, update) for key_hash, update in hashes.items()]
    puts = [(key, keys.encode_update(update)) for key, update in changes if update.value is not None]
    return puts, [key for key, update in changes if update.value is None]
