"""A channel's ledger on disk: block files first, everything else derivable from them."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.envelopes import TxId
from services.peer.ledger import expiry, keys
from services.peer.ledger.contents import key_modification
from services.peer.ledger.errors import DamagedBlock, LedgerFault, UnsupportedFormat
from services.peer.ledger.metadata import MetadataPlaces
from services.peer.ledger.state import StoredSnapshot, StoredState, state_batch
from services.peer.ledger.types import AppendTimes, Commit, KeyModification, StateView, TxLocation
from services.runtime.database import Database, Databases
from services.runtime.disk import Disk, DiskFault, DiskLock
from services.runtime.formats import Format, OtherFormat
from services.runtime.recordlog import DamagedRecord, RecordLog, UnknownFormat

logger = logging.getLogger(__name__)

FORMAT = Format(
    "peer ledger",
    2,
    "run the release that wrote it, or move the folder away: this release takes all blocks from the orderers again",
)
LOCK_FILE = "LOCK"  # held while a process has the others open
BLOCKS_FOLDER = "blocks"
STATE_FOLDER = "state"
REPLAY_REPORT_BLOCKS = 1000

Replay = Callable[[Block, StateView, bytes], Commit]
"""The commit of a stored block again, from its own verdicts, the state before it and the commit hash before it."""


class Ledger:
    """See `LedgerPort`.

    Folder: `FORMAT`, `LOCK`, `blocks/` (a record per block), `state/` (a database: state, history, index).

    A block is durable once its record is synced; its effects follow as one unsynced batch that carries the savepoint.
    Opening replays the blocks behind the savepoint, or all of them when the database is not to be trusted.
    """

    def __init__(self, channel_id: str, blocks: RecordLog, store: Database, lock: DiskLock) -> None:
        self.channel_id = channel_id
        self._lock = lock
        self._blocks = blocks
        self._store = store
        self._savepoint = _read_savepoint(store)
        self._broken = False
        self._metadata = MetadataPlaces(store, self.height)
        self._state = StoredState(store, self._metadata)
        self._view = self.snapshot()
        self._next_expiry = self._first_expiry(0)

    @classmethod
    def open(cls, channel_id: str, folder: Path, disk: Disk, databases: Databases, replay: Replay) -> Self:
        """Open or create the ledger, and recover. Raises LedgerFault, InUse, and DatabaseFault or DiskFault."""
        disk.make_folder(folder)
        with ExitStack() as opened:  # closed again if recovery fails
            lock = disk.lock(folder / LOCK_FILE)
            opened.callback(lock.release)
            check_ledger_format(disk, folder)
            store = databases.open(folder / STATE_FOLDER)
            opened.callback(store.close)
            blocks = _open_blocks(channel_id, disk, folder / BLOCKS_FOLDER)
            opened.callback(blocks.close)
            ledger = cls(channel_id, blocks, store, lock)
            if not ledger._trustworthy():
                store.close()
                databases.discard(folder / STATE_FOLDER)
                store = databases.open(folder / STATE_FOLDER)
                opened.callback(store.close)
                ledger = cls(channel_id, blocks, store, lock)
            ledger._replay(replay)
            opened.pop_all()
            return ledger

    @property
    def height(self) -> int:
        return self._savepoint.height

    @property
    def tip(self) -> bytes:
        return self._savepoint.tip

    @property
    def commit_hash(self) -> bytes:
        return self._savepoint.commit_hash

    @property
    def state(self) -> StateView:
        return self._state

    @property
    def view(self) -> StoredSnapshot:
        return self._view

    def append(self, commit: Commit) -> AppendTimes:
        """See `LedgerPort`. After a fault nothing more is appended: what is stored is known at the next opening."""
        if self._broken:
            raise LedgerFault(f"channel {self.channel_id}: an earlier block could not be stored")
        self._check_next(commit.block)
        self._broken = True
        started = time.perf_counter()
        try:
            self._blocks.append([encode_block(commit.block)])
            self._blocks.sync()
        except DiskFault as error:
            raise LedgerFault(f"channel {self.channel_id}: {error}") from error
        stored = time.perf_counter()
        self._apply(commit)
        self._broken = False
        return AppendTimes(stored - started, time.perf_counter() - stored)

    def snapshot(self) -> StoredSnapshot:
        return StoredSnapshot(self._store.snapshot(), self._metadata)

    def block(self, number: int) -> Block | None:
        raw = self.block_bytes(number)
        return None if raw is None else parse_block(raw)

    def block_bytes(self, number: int) -> bytes | None:
        if not 0 <= number < self.height:
            return None
        return self._read(number)

    def block_number_by_hash(self, header_hash: bytes) -> int | None:
        raw = self._store.get(keys.hash_key(header_hash))
        return None if raw is None else keys.decode_number(raw)

    def transaction(self, tx_id: str) -> TxLocation | None:
        raw = self._store.get(keys.tx_key(tx_id))
        return None if raw is None else keys.decode_location(raw)

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        return self._state.known_ids(ids)

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        prefix = keys.history_prefix(namespace, key)
        with closing(self._store.scan(prefix, keys.after(prefix), reverse=True)) as entries:
            for raw_key, _ in entries:
                height = keys.split_history_key(raw_key)
                envelope = parse_block(self._read(height.block_num)).data[height.tx_num]
                modification = key_modification(envelope, namespace, key)
                if modification is None:
                    raise LedgerFault(f"channel {self.channel_id}: history of {key!r} names {height}, which is not so")
                yield modification

    def close(self) -> None:
        self._view.close()
        self._store.close()
        self._blocks.close()
        self._lock.release()

    def _read(self, number: int) -> bytes:
        try:
            return self._blocks.read(number)
        except DamagedRecord as error:
            raise DamagedBlock(self.channel_id, number) from error
        except DiskFault as error:
            raise LedgerFault(f"channel {self.channel_id}: {error}") from error

    def _check_next(self, block: Block) -> None:
        header = block.header
        if header.number != self.height or header.previous_hash != self.tip:
            raise LedgerFault(
                f"channel {self.channel_id}: block {header.number} does not follow block {self.height - 1}"
            )

    def _trustworthy(self) -> bool:
        """Whether the database is a state of these block files: not ahead of them, and of the same chain."""
        height = self.height
        if height == 0:
            return self._is_empty()
        if height > self._blocks.count:
            logger.warning("channel %s: state is ahead of the block files: rebuilding it", self.channel_id)
            return False
        if header_hash(parse_block(self._read(height - 1)).header) != self.tip:
            logger.warning("channel %s: state belongs to other block files: rebuilding it", self.channel_id)
            return False
        return True

    def _is_empty(self) -> bool:
        with closing(self._store.scan(b"", keys.BEHIND_ALL)) as entries:
            return next(entries, None) is None

    def _replay(self, replay: Replay) -> None:
        """Apply the blocks that the database has not seen."""
        total = self._blocks.count
        if self.height < total:
            logger.info("channel %s: replaying blocks %d to %d", self.channel_id, self.height, total - 1)
        while self.height < total:
            block = parse_block(self._read(self.height))
            self._check_next(block)
            self._apply(replay(block, self._state, self.commit_hash))
            if self.height % REPLAY_REPORT_BLOCKS == 0:
                logger.info("channel %s: replayed %d of %d blocks", self.channel_id, self.height, total)

    def _apply(self, commit: Commit) -> None:
        """Write everything that follows from a block in one batch."""
        block = commit.block
        number = block.header.number
        savepoint = keys.Savepoint(number + 1, header_hash(block.header), commit.commit_hash)
        puts, deletes = state_batch(commit.updates)
        deletes += self._expired(commit)
        puts += self._expiries(commit)
        puts += [(keys.history_key(w.namespace, w.key, number, w.tx_num), b"") for w in commit.writes]
        puts += self._index(commit)
        puts += self._metadata.add(commit.updates, savepoint.height)
        puts.append((keys.hash_key(savepoint.tip), keys.encode_number(number)))
        puts.append((keys.SAVEPOINT_KEY, savepoint.encode()))
        self._store.write(puts, deletes)
        self._savepoint = savepoint
        self._view = self.snapshot()  # the one before goes with its last reader

    def _expiries(self, commit: Commit) -> list[tuple[bytes, bytes]]:
        """When the hashes that the block writes will go."""
        if not commit.updates.hashed:
            return []
        number = commit.block.header.number
        entries = [
            (keys.expiry_key(expires, number, key), b"")
            for expires, key in expiry.expiries(commit.updates, number, self._state)
        ]
        if entries:
            self._next_expiry = min(self._next_expiry, *(keys.split_expiry_key(key)[0] for key, _ in entries))
        return entries

    def _expired(self, commit: Commit) -> list[bytes]:
        """Hashes that go with this block, and the entries that said so."""
        number = commit.block.header.number
        if number < self._next_expiry:
            return []
        deletes = []
        with closing(self._store.scan(keys.EXPIRY, keys.expiry_prefix(number + 1))) as entries:
            for raw, _ in entries:
                deletes.append(raw)
                _, written_in, key = keys.split_expiry_key(raw)
                stored = self._state.get_hashed(*key)
                if expiry.goes(key, written_in, stored, commit.updates):
                    deletes.append(keys.hashed_key(*key))
        self._next_expiry = self._first_expiry(number + 1)
        return deletes

    def _first_expiry(self, at_least: int) -> int:
        """The first block, from this one on, with which any hash goes."""
        with closing(self._store.scan(keys.expiry_prefix(at_least), keys.after(keys.EXPIRY))) as entries:
            return next((keys.split_expiry_key(raw)[0] for raw, _ in entries), expiry.NEVER)

    def _index(self, commit: Commit) -> list[tuple[bytes, bytes]]:
        """Index entries of ids seen for the first time: the first bearer keeps an id (blkstorage getTxIDVal)."""
        number = commit.block.header.number
        entries: dict[bytes, bytes] = {}
        for tx_num, (tx_id, code) in enumerate(zip(commit.tx_ids, commit.verdicts, strict=True)):
            key = keys.tx_key(tx_id)
            if tx_id and key not in entries and (tx_id in commit.fresh or self._store.get(key) is None):
                entries[key] = keys.encode_location(number, tx_num, code)
        return list(entries.items())


def _read_savepoint(store: Database) -> keys.Savepoint:
    raw = store.get(keys.SAVEPOINT_KEY)
    return keys.Savepoint(0, b"", b"") if raw is None else keys.Savepoint.decode(raw)


def _open_blocks(channel_id: str, disk: Disk, folder: Path) -> RecordLog:
    try:
        return RecordLog.open(disk, folder)
    except DamagedRecord as error:
        raise DamagedBlock(channel_id, error.index) from error
    except UnknownFormat as error:
        raise UnsupportedFormat(str(error)) from error


def check_ledger_format(disk: Disk, folder: Path) -> None:
    """Refuse a folder that another version wrote; mark a new one. Raises UnsupportedFormat."""
    try:
        FORMAT.check(disk, folder, BLOCKS_FOLDER)
    except OtherFormat as error:
        raise UnsupportedFormat(str(error)) from error
