"""A ledger in dictionaries: the reference that `Ledger` is tested against."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self, TypeVar

from privysharing.protocol import blocks
from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.rwsets import HashedKey, Update
from services.peer.ledger import expiry
from services.peer.ledger.contents import key_modification
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.metadata import metadata_written
from services.peer.ledger.types import (
    AppendTimes,
    Commit,
    KeyModification,
    StateEntry,
    StateSnapshot,
    StateView,
    TxLocation,
    VersionedValue,
)

K = TypeVar("K")


class MemoryState:
    """One state that never changes: each commit makes a new one. Also serves as its own snapshot."""

    def __init__(
        self,
        height: int = 0,
        public: Mapping[str, Mapping[str, VersionedValue]] | None = None,
        hashed: Mapping[tuple[str, str], Mapping[bytes, VersionedValue]] | None = None,
        transactions: Mapping[str, TxLocation] | None = None,
        expiries: Mapping[int, Sequence[tuple[int, HashedKey]]] | None = None,
        metadata: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.height = height
        self.public = public or {}
        self.hashed = hashed or {}
        self.transactions = transactions or {}
        self.expiries = expiries or {}  # by the block with which a key goes: the block that wrote it, and the key
        self.metadata = metadata  # places where keys have, or had, any: see `metadata_written`

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        return self.public.get(namespace, {}).get(key)

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None:
        return self.hashed.get((namespace, collection), {}).get(key_hash)

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool:
        return (namespace, collection) in self.metadata

    def range(self, namespace: str, start_key: str, end_key: str) -> Iterator[tuple[str, VersionedValue]]:
        values = self.public.get(namespace, {})
        for key in sorted(values):
            if start_key <= key and (not end_key or key < end_key):
                yield key, values[key]

    def hashes(self, namespace: str, collection: str) -> Iterator[tuple[bytes, VersionedValue]]:
        hashes = self.hashed.get((namespace, collection), {})
        for key_hash in sorted(hashes):
            yield key_hash, hashes[key_hash]

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        return frozenset(tx_id for tx_id in ids if tx_id in self.transactions)

    def entries(self) -> Iterator[StateEntry]:
        for namespace in sorted({ns for ns, values in self.public.items() if values} | {ns for ns, _ in self.hashed}):
            for key, stored in self.range(namespace, "", ""):
                yield StateEntry(namespace, None, key, stored)
            for (owner, collection), hashes in sorted(self.hashed.items()):
                if owner == namespace:
                    for key_hash in sorted(hashes):
                        yield StateEntry(namespace, collection, key_hash, hashes[key_hash])

    def after(self, commit: Commit) -> "MemoryState":
        """The state that this commit makes of this one."""
        number = commit.block.header.number
        public = dict(self.public)
        for namespace, updates in commit.updates.public.items():
            public[namespace] = _updated(public.get(namespace, {}), updates)
        hashed = dict(self.hashed)
        for collection, hashes in commit.updates.hashed.items():
            hashed[collection] = _updated(hashed.get(collection, {}), hashes)
        expiries = dict(self.expiries)
        for written_in, key in expiries.pop(number, ()):
            stored = self.get_hashed(*key)
            if expiry.goes(key, written_in, stored, commit.updates):
                left = dict(hashed[key[:2]])
                del left[key[2]]
                hashed[key[:2]] = left
        for expires, key in expiry.expiries(commit.updates, number, self):
            expiries[expires] = [*expiries.get(expires, ()), (number, key)]
        transactions = dict(self.transactions)
        for tx_num, (tx_id, code) in enumerate(zip(commit.tx_ids, commit.verdicts, strict=True)):
            if tx_id:
                transactions.setdefault(tx_id, TxLocation(number, tx_num, code))
        metadata = self.metadata.union(metadata_written(commit.updates))
        return MemoryState(self.height + 1, public, hashed, transactions, expiries, metadata)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to let go."""


class MemoryLedger:
    """See `LedgerPort`."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self._blocks: list[Block] = []
        self._state = MemoryState()
        self._commit_hash = b""
        self._writes: dict[tuple[str, str], list[tuple[int, int]]] = {}

    @property
    def height(self) -> int:
        return len(self._blocks)

    @property
    def tip(self) -> bytes:
        return blocks.header_hash(self._blocks[-1].header) if self._blocks else b""

    @property
    def commit_hash(self) -> bytes:
        return self._commit_hash

    @property
    def state(self) -> StateView:
        return self._state

    @property
    def view(self) -> StateSnapshot:
        return self._state

    def append(self, commit: Commit) -> AppendTimes:
        header = commit.block.header
        if header.number != self.height or header.previous_hash != self.tip:
            raise LedgerFault(
                f"channel {self.channel_id}: block {header.number} does not follow block {self.height - 1}"
            )
        self._state = self._state.after(commit)
        for write in commit.writes:
            self._writes.setdefault((write.namespace, write.key), []).append((header.number, write.tx_num))
        self._blocks.append(commit.block)
        self._commit_hash = commit.commit_hash
        return AppendTimes(0.0, 0.0)

    def snapshot(self) -> StateSnapshot:
        return self._state

    def block(self, number: int) -> Block | None:
        return self._blocks[number] if 0 <= number < self.height else None

    def block_bytes(self, number: int) -> bytes | None:
        block = self.block(number)
        return None if block is None else encode_block(block)

    def block_number_by_hash(self, header_hash: bytes) -> int | None:
        return next(
            (n for n, block in enumerate(self._blocks) if blocks.header_hash(block.header) == header_hash), None
        )

    def transaction(self, tx_id: str) -> TxLocation | None:
        return self._state.transactions.get(tx_id)

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        return self._state.known_ids(ids)

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        for block_num, tx_num in reversed(self._writes.get((namespace, key), [])):
            modification = key_modification(self._blocks[block_num].data[tx_num], namespace, key)
            assert modification is not None
            yield modification

    def close(self) -> None:
        """Nothing to release."""


def _updated(values: Mapping[K, VersionedValue], updates: Mapping[K, Update]) -> dict[K, VersionedValue]:
    changed = dict(values)
    for key, update in updates.items():
        if update.value is None:
            changed.pop(key, None)
        else:
            changed[key] = VersionedValue(update.value, update.version, update.metadata)
    return changed
