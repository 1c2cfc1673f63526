"""Reading state out of LevelDB: one view for the newest state and for snapshots of it."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.rwsets import UpdateBatch
from services.peer.ledger import keys
from services.peer.ledger.level import LevelReader
from services.peer.ledger.types import VersionedValue


class LevelState:
    """The state that a reader sees (StateView)."""

    def __init__(self, reader: LevelReader) -> None:
        self._reader = reader

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        raw = self._reader.get(keys.state_key(namespace, key))
        return None if raw is None else keys.decode_value(raw)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        raw = self._reader.get(keys.hashed_key(namespace, collection, key_hash))
        return None if raw is None else keys.decode_value(raw)

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        """Keys from `start` up to, not including, `end`; an empty `end` means all that follow."""
        prefix = keys.namespace_prefix(namespace)
        stop = prefix + end_key.encode() if end_key else keys.after(prefix)
        for raw_key, raw in self._reader.scan(prefix + start_key.encode(), stop):
            yield raw_key[len(prefix) :].decode(), keys.decode_value(raw)

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the transaction ids that stand on the ledger, valid or not."""
        return frozenset(tx_id for tx_id in ids if self._reader.get(keys.tx_key(tx_id)) is not None)


class LevelSnapshot(LevelState):
    """The state as one commit left it: a block's effects are one batch, so no snapshot can see half of them."""

    def __init__(self, reader: LevelReader, handle: Any) -> None:
        super().__init__(reader)
        self._handle = handle
        raw = reader.get(keys.SAVEPOINT_KEY)
        self.height = 0 if raw is None else keys.Savepoint.decode(raw).height

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._handle.close()


def state_batch(updates: UpdateBatch) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """What a block's updates put into the database, and what they delete from it."""
    changes = [
        (keys.state_key(namespace, key), update)
        for namespace, written in updates.public.items()
        for key, update in written.items()
    ]
    changes += [
        (keys.hashed_key(namespace, collection, key_hash), update)
        for (namespace, collection), hashes in updates.hashed.items()
        for key_hash, update in hashes.items()
    ]
    puts = [(key, keys.encode_update(update)) for key, update in changes if update.value is not None]
    return puts, [key for key, update in changes if update.value is None]
