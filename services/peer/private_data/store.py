"""The private data of one channel on this peer: what a commit does with it, what simulations and fellows read of it."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from privysharing.protocol.blocks import Block, MetadataIndex, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_filter
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.rwsets import VersionedValue
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.carrying import carried_on_commit, carried_on_reconciling
from services.peer.private_data.collections import Collections
from services.peer.private_data.needed import NOTHING, Needed, PrivatePart, private_part
from services.peer.private_data.resolving import kept_sets
from services.peer.private_data.sets import Fit
from services.peer.private_data.sidedb import SideDb
from services.peer.private_data.transient import StoredTransient
from services.peer.private_data.types import Missing, Place, PrivateSet, PurgedKey
from services.peer.validation.validate import read_block
from services.runtime.database import Databases
from services.runtime.disk import Disk
from services.runtime.durable import DurableDatabase
from services.runtime.formats import Format, OtherFormat

FORMAT: Final = Format(
    "private data",
    1,
    "run the release that wrote it, or move the folder away: this release asks other members for what was in it",
)
SETS_FOLDER: Final = "sets"
TRANSIENT_FOLDER: Final = "transient"
RECOVERY_REPORT_BLOCKS: Final = 1000

_log = logging.getLogger(__name__)


class PrivateStore:
    """See `PrivateData` and `PrivateValues`; `transient` is the channel's `TransientStore`.

    Folder: `FORMAT`, `sets/` (a `DurableDatabase`), `transient/` (a journal). Any thread calls.
    """

    def __init__(
        self, ledger: LedgerPort, side: SideDb, transient: StoredTransient, config: ChannelConfig, msp_id: str
    ) -> None:
        """For `open`. `config` is the one in force; `set_config` follows it."""
        self.transient = transient
        self._ledger = ledger
        self._side = side
        self._config = config
        self._msp_id = msp_id
        self._last_purge = side.last_purge
        self._writing = threading.Lock()
        self._erasing = threading.Lock()  # held while files are written anew: they must not be closed then

    @classmethod
    def open(
        cls,
        ledger: LedgerPort,
        folder: Path,
        disk: Disk,
        databases: Databases,
        config: ChannelConfig,
        msp_id: str,
        between: Callable[[], None] = lambda: None,
    ) -> "PrivateStore":
        """Open or begin the store beside a ledger that has recovered, and bring it up to the ledger's height.

        Blocks that it has not seen (a backup was restored, a crash came between) are gone through: what they purge is
        purged, what this peer should hold of them counts as missing. Between two blocks it calls `between`, which may
        raise. Raises LedgerFault and other StorageErrors.
        """
        disk.make_folder(folder)
        with ExitStack() as opened:
            try:
                FORMAT.check(disk, folder, SETS_FOLDER)
            except OtherFormat as error:
                raise LedgerFault(str(error)) from error
            database = DurableDatabase.open(disk, databases, folder / SETS_FOLDER)
            opened.callback(database.close)
            side = SideDb(database, ledger.height)
            transient = StoredTransient(disk, folder / TRANSIENT_FOLDER)
            opened.callback(transient.close)
            store = cls(ledger, side, transient, config, msp_id)
            store._recover(between)
            opened.pop_all()
            return store

    # --- reading

    def sets_of_block(self, block_num: int) -> Mapping[tuple[int, str, str], PrivateSet]:
        """See `PrivateData`."""
        return self._side.sets_of_block(block_num)

    def get_set(self, place: Place) -> tuple[PrivateSet, bool] | None:
        """See `PrivateData`."""
        return self._side.get_set(place)

    def missing(self, limit: int, before: Place | None = None) -> Sequence[Missing]:
        """See `PrivateData`."""
        return self._side.missing(limit, before)

    def missing_count(self) -> Mapping[tuple[str, str], int]:
        """See `PrivateData`."""
        return self._side.missing_count()

    def purged(self, namespace: str, collection: str, key_hash: bytes) -> PurgedKey | None:
        """See `PrivateData`."""
        return self._side.purged(namespace, collection, key_hash)

    @property
    def last_purge(self) -> int:
        """See `PrivateData`."""
        return self._last_purge

    def find(
        self, namespace: str, collection: str, key_hash: bytes, stored: VersionedValue
    ) -> tuple[str, bytes] | None:
        """See `PrivateValues`."""
        return self._side.find(namespace, collection, key_hash, stored)

    # --- committing

    def set_config(self, config: ChannelConfig) -> None:
        """The configuration in force from now on."""
        self._config = config

    def part(self, block_num: int, transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]) -> PrivatePart:
        """What a block asks of this peer, as collections are defined now."""
        collections = Collections(self._ledger.state, self._config)
        return private_part(block_num, transactions, verdicts, collections, self._msp_id)

    def add(self, block: Block, part: PrivatePart, found: Mapping[Place, PrivateSet]) -> None:
        """Before the block is stored; see `SideDb.add`."""
        with self._writing:
            if part.purges:
                self._last_purge = block.header.number
            carried = carried_on_commit(part.needed, found, self._ledger.state, self._side)
            self._side.add(block.header.number, header_hash(block.header), part.needed, found, carried)

    def settle(self, block_num: int, part: PrivatePart, tx_ids: Sequence[TxId]) -> None:
        """After the block is durable; see `SideDb.settle`."""
        with self._writing:
            self._follow_membership(part.redefined)
            self._side.settle(block_num, part.purges)
        self.transient.committed(tx_ids, block_num + 1)

    def reconciled(self, found: Mapping[Place, PrivateSet]) -> Sequence[Place]:
        """See `PrivateData`."""
        wrong = []
        for place, private in found.items():
            needed = self._needed_at(place)
            with self._writing:
                if needed is None or not self._side.is_missing(place):
                    continue
                carried = carried_on_reconciling(place, private, self._ledger.view, self._side)
                if self._side.reconcile(needed, private.rwset, carried) is Fit.WRONG:
                    wrong.append(place)
        return wrong

    # --- erasing

    @property
    def waiting_purges(self) -> int:
        """How many purged keys wait for their erasure."""
        return self._side.waiting_purges

    def erase(self, expired_too: bool = False) -> bool:
        """Get out of all files what was purged, and what has expired; whether that is done. It takes a while."""
        with self._erasing:
            with self._writing:
                erasure = self._side.to_erase()
            if not (erasure.purges or (expired_too and erasure.keys)):
                return True
            self.transient.purge(erasure.purges)
            if not self._side.erase(erasure):
                return False
            with self._writing:
                self._side.erased(erasure)
        _log.info(
            "erased private data",
            extra={"channel": self._ledger.channel_id, "purges": len(erasure.purges), "sets": len(erasure.keys)},
        )
        return True

    def close(self) -> None:
        """Release the files; what is being erased is finished first."""
        with self._erasing, self._writing:
            self._side.close()
            self.transient.close()

    def _recover(self, between: Callable[[], None]) -> None:
        ledger, first = self._ledger, self._side.height
        if first < ledger.height:
            _log.info(
                "looking through blocks for private data",
                extra={"channel": ledger.channel_id, "first": first, "last": ledger.height - 1},
            )
        for number in range(first, ledger.height):
            between()
            block, part = self._stored_part(number)
            if part.needed:
                found, _ = kept_sets(self.transient, [each.missing for each in part.needed])
                self._side.add(number, header_hash(block.header), part.needed, found, {})
            self._follow_membership(part.redefined)
            self._side.settle(number, part.purges)
            self._last_purge = self._side.last_purge
            if number % RECOVERY_REPORT_BLOCKS == 0:
                _log.info("looked through blocks", extra={"channel": ledger.channel_id, "block": number})
        self.transient.forget(ledger.known_ids)

    def _follow_membership(self, chaincodes: Sequence[str]) -> None:
        """Miss what these chaincodes' collections hold now if we are members, and nothing if we are not."""
        if not chaincodes:
            return
        view = self._ledger.view
        collections = Collections(view, self._config)
        for chaincode in chaincodes:
            for collection in collections.of(chaincode):
                if self._msp_id in collections.members(chaincode, collection):
                    versions = {stored.version for _, stored in view.hashes(chaincode, collection)}
                    places = {Place(each.block_num, each.tx_num, chaincode, collection) for each in versions}
                    self._owe({place for place in places if self._side.get_set(place) is None})
                elif (chaincode, collection) in self._side.missing_count():
                    self._side.forgive(chaincode, collection)

    def _owe(self, places: AbstractSet[Place]) -> None:
        for number in sorted({place.block_num for place in places}):
            _, part = self._stored_part(number)
            self._side.owe([each for each in part.needed if each.place in places])

    def _stored_part(self, number: int) -> tuple[Block, PrivatePart]:
        block = self._ledger.block(number)
        assert block is not None
        transactions = read_block(block)
        verdicts = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
        return block, self.part(number, transactions, verdicts)

    def _needed_at(self, place: Place) -> Needed | None:
        """What the ledger says of a set; None when it says nothing, or this peer should not hold it."""
        if not 0 <= place.block_num < self._ledger.height:
            return None
        _, part = self._stored_part(place.block_num)
        return next((each for each in part.needed if each.place == place), None)


__all__ = ["NOTHING", "PrivateStore"]
