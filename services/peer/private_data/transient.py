"""Private sets of one channel between endorsement and commit, on disk.

A journal holds a record for each set; which are still waited for is known in memory. What is committed, purged or too
old is forgotten there first; a journal that is mostly forgotten is written anew without it. A crash forgets what was
forgotten: opening asks the ledger which transactions are committed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.codec.private_sets import encode_private_set, parse_private_set
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.private_data import PrivateSet, PushedTransaction
from privysharing.protocol.values import value
from services.peer.private_data.records import decode_number, encode_number, join, split
from services.peer.private_data.sets import without
from services.peer.private_data.types import PurgedKey, ToKeep
from services.runtime.disk import Disk, StorageError
from services.runtime.journal import Journal

RETAINED_BLOCKS = 20_000  # core.yaml peer.gossip.pvtData.transientstoreMaxBlockRetention
FORGOTTEN_BYTES_MAX = 16 * 1024 * 1024  # and more than are waited for: then the journal is written anew
WAITING_BYTES_MAX = 256 * 1024 * 1024  # of sets whose transactions are not committed
RECORD_BYTES = 512  # that each takes in memory, about, and so counts for more: nobody pushes millions that are empty
RECENT_BYTES_MAX = 4 * 1024 * 1024  # of those, the newest, in memory too: to read one from the journal takes ten reads


class TransientStoreFull(Exception):
    """Too much waits for its commit here. It may be tried again."""

    def __init__(self, whose: str = "") -> None:
        what = f"{whose}'s share of the transient store of this peer" if whose else "the transient store of this peer"
        super().__init__(f"{what} is full; try again later")


@value
class _Record:
    """Where one set is, and whose share it counts to: nobody's when it has been here since before the last start."""

    index: int
    height: int  # that it was endorsed at
    size: int  # bytes
    owner: str


@dataclass(slots=True)
class _Waiting:
    """What is kept for a transaction."""

    height: int  # the newest of its records'
    records: list[_Record]


class StoredTransient:
    """See `types.TransientStore`."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        """Open the store in a folder, or begin one. Raises DamagedRecord, DiskFault."""
        disk.make_folder(folder)
        self._journal = Journal.open(disk, folder)
        self._writing = threading.Lock()  # held while the journal is written; taken before the other one
        self._lock = threading.Lock()  # of what is in memory: a block that is committed waits for no disk
        self._waiting: dict[TxId, _Waiting] = {}
        self._bytes = 0  # of what is waited for
        self._shares: Counter[str] = Counter()  # of that, by the organisation that had it kept
        self._recent: dict[int, PrivateSet] = {}  # the last ones to be waited for, by index: they are committed soon
        self._recent_bytes = 0
        for index, record in self._journal.records:
            tx_id, height, _ = _decode(record)
            self._charge("", _size(record))
            self._note(tx_id, _Record(index, height, _size(record), ""))

    @property
    def waiting(self) -> int:
        """How many transactions wait for their commit."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """How much is kept for them."""
        return self._bytes

    def keep(self, tx_id: TxId, height: int, sets: Sequence[PrivateSet]) -> None:
        """See `TransientStore.keep`. Raises TransientStoreFull."""
        (full,) = self.keep_all([ToKeep(PushedTransaction(tx_id, height, tuple(sets)), ())])
        if full is not None:
            raise full

    def keep_all(self, all_to_keep: Sequence[ToKeep]) -> Sequence[TransientStoreFull | None]:
        """See `TransientStore.keep_all`.

        What one organisation has waiting here is never more than what it leaves to the others. So one that floods gets
        half, two get a third each, and there is always room for somebody who has nothing here.
        """
        records: list[tuple[PushedTransaction, PrivateSet, bytes, str]] = []
        outcomes: list[TransientStoreFull | None] = []
        with self._writing:
            with self._lock:
                for each in all_to_keep:
                    tx = each.transaction
                    encoded = [_encode(tx.tx_id, tx.height, private) for private in tx.sets]
                    size = sum(map(_size, encoded))
                    owner = self._who_has_room(each.wanted_by, size)
                    outcomes.append(TransientStoreFull(", ".join(each.wanted_by)) if owner is None else None)
                    if owner is not None:
                        self._charge(owner, size)
                        records += [(tx, *kept, owner) for kept in zip(tx.sets, encoded, strict=True)]
            first = self._journal.append([record for _, _, record, _ in records]) if records else 0
            with self._lock:
                for index, (tx, private, record, owner) in enumerate(records, start=first):
                    self._note(tx.tx_id, _Record(index, tx.height, _size(record), owner))
                    self._remember(index, private)
        return outcomes

    def sets_of(self, tx_id: TxId) -> Iterator[PrivateSet]:
        """See `TransientStore.sets_of`."""
        with self._lock:
            waiting = self._waiting.get(tx_id)
            found = [] if waiting is None else [self._read(record.index) for record in waiting.records]
        return iter(dict.fromkeys(found))

    def committed(self, tx_ids: Iterable[TxId], height: int) -> None:
        """See `TransientStore.committed`."""
        with self._lock:
            if not self._waiting:
                return
            for tx_id in tx_ids:
                self._forget(tx_id)
            if height % 100 == 0:
                old = [tx_id for tx_id, each in self._waiting.items() if each.height + RETAINED_BLOCKS <= height]
                for tx_id in old:
                    self._forget(tx_id)
            is_due = self._journal.size > FORGOTTEN_BYTES_MAX + 2 * self._bytes
        if is_due:
            self._renew(lambda private, _: private)

    def forget(self, known: Callable[[Iterable[TxId]], Iterable[TxId]]) -> None:
        """After opening: forget those transactions that are known to be committed."""
        with self._lock:
            for tx_id in known(tuple(self._waiting)):
                self._forget(tx_id)

    def purge(self, purges: Sequence[PurgedKey]) -> None:
        """Have nothing of these keys, nor anything that is forgotten, on the disk any more when this returns.

        But for what was endorsed after the purge. A transaction that was endorsed before, and is committed only now,
        has lost these keys: whoever purges a key while others write to it wants it gone.
        """
        purged = {(each.namespace, each.collection, each.key_hash): each.block_num for each in purges}

        def trimmed(private: PrivateSet, height: int) -> PrivateSet:
            def is_purged(key_hash: bytes) -> bool:
                return purged.get((private.namespace, private.collection, key_hash), -1) >= height

            try:
                found = parse_private_set(private.rwset)
            except MalformedMessage:  # an earlier release kept whatever came
                return PrivateSet(private.namespace, private.collection, b"")
            left = without(found, is_purged)
            if left == found:
                return private
            return PrivateSet(private.namespace, private.collection, encode_private_set(left))

        self._renew(trimmed)

    def close(self) -> None:
        """Release the files; what is forgotten leaves the disk, if that works."""
        with suppress(StorageError):
            self._renew(lambda private, _: private)
        with self._writing, self._lock:
            self._journal.close()

    def _who_has_room(self, organisations: Sequence[str], size: int) -> str | None:
        """The first of them, empty when it does not matter who; None when there is no room for any."""
        room = WAITING_BYTES_MAX - self._bytes - size
        if not organisations:
            return "" if room >= 0 else None
        return next((name for name in organisations if self._shares[name] + size <= room), None)

    def _note(self, tx_id: TxId, record: _Record) -> None:
        waiting = self._waiting.setdefault(tx_id, _Waiting(record.height, []))
        waiting.height = max(waiting.height, record.height)
        waiting.records.append(record)

    def _charge(self, owner: str, size: int) -> None:
        self._bytes += size
        self._shares[owner] += size

    def _forget(self, tx_id: TxId) -> None:
        waiting = self._waiting.pop(tx_id, None)
        if waiting is not None:
            for record in waiting.records:
                self._charge(record.owner, -record.size)
                self._let_go(record.index)

    def _read(self, index: int) -> PrivateSet:
        return self._recent.get(index) or _decode(self._journal.read(index))[2]

    def _remember(self, index: int, private: PrivateSet) -> None:
        self._recent[index] = private
        self._recent_bytes += _size(private.rwset)
        while self._recent_bytes > RECENT_BYTES_MAX:
            self._let_go(next(iter(self._recent)))

    def _let_go(self, index: int) -> None:
        if (private := self._recent.pop(index, None)) is not None:
            self._recent_bytes -= _size(private.rwset)

    def _renew(self, change: Callable[[PrivateSet, int], PrivateSet]) -> None:
        """Write the journal anew, with what is waited for; `change` also gets the height that it was endorsed at."""
        with self._writing, self._lock:
            kept: list[tuple[TxId, int, bytes, str]] = []
            for tx_id, waiting in self._waiting.items():
                for record in waiting.records:
                    private = change(self._read(record.index), record.height)
                    kept.append((tx_id, record.height, _encode(tx_id, record.height, private), record.owner))
            self._journal.renew([raw for _, _, raw, _ in kept])
            self._waiting, self._bytes, self._shares = {}, 0, Counter()
            self._recent, self._recent_bytes = {}, 0
            for index, (tx_id, height, raw, owner) in enumerate(kept, start=1):
                self._charge(owner, _size(raw))
                self._note(tx_id, _Record(index, height, _size(raw), owner))


def _size(record: bytes) -> int:
    return len(record) + RECORD_BYTES


def _encode(tx_id: TxId, height: int, private: PrivateSet) -> bytes:
    return join(
        tx_id.encode(), encode_number(height), private.namespace.encode(), private.collection.encode(), private.rwset
    )


def _decode(record: bytes) -> tuple[TxId, int, PrivateSet]:
    tx_id, height, namespace, collection, rwset = split(record)
    return TxId(tx_id.decode()), decode_number(height), PrivateSet(namespace.decode(), collection.decode(), rwset)
