"""The committed private sets of one channel that this peer holds, in a database of their own.

One thread writes, the one that stores blocks; any thread reads. A block's sets are added, durably, before the block
is: so a block on the ledger never lacks what its peer had. What came with a block that never became durable is known
by the tag, and dropped when another one takes its number. Purges and expiry come after the block; what a crash takes
of them is done again, since `height` says how far they are.
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from privysharing.protocol.rwsets import VersionedValue
from services.peer.private_data import records
from services.peer.private_data.changes import VALUES, Changes
from services.peer.private_data.needed import NEVER, Needed
from services.peer.private_data.sets import Fit, judge, value_in
from services.peer.private_data.types import Missing, Place, PrivateSet, PurgedKey
from services.runtime.durable import DurableDatabase, Entry

HEIGHT_KEPT_EVERY = 1000  # blocks: as many are looked through again after a crash

Carried = Mapping[Place, bytes]  # sets of values that a transaction left as they were, by the place of that transaction


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is to be erased from files: keys of the database, each with its mark, and the purges that are over then."""

    keys: tuple[tuple[bytes, bytes], ...] = ()
    purges: tuple[PurgedKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.purges)


class SideDb:
    """See the module. It judges what it is given against the hashes of blocks, and knows nothing else of ledgers."""

    def __init__(self, database: DurableDatabase, ledger_height: int) -> None:
        """Of blocks that the ledger does not have (any more), what is here waits for them, or for others."""
        self._database = database
        height = database.get(records.HEIGHT_KEY)
        kept_height = 0 if height is None else records.decode_number(height)
        self._height = self._kept_height = min(kept_height, ledger_height)
        self._beyond = {  # blocks that come for the first time, or again, and find something here
            records.split_block(key)
            for kind in (records.TAG, records.MISSING)
            for key, _ in self._scan(records.block_prefix(kind, self._height), records.behind(kind))
        }
        self._missing = self._count_missing()
        self._next_expiry = self._first_expiry()
        purged = [(key, *records.decode_purge(raw)) for key, raw in self._kind(records.PURGED)]
        self._unerased = {key for key, _, erased in purged if not erased}
        self._last_purge = max((block_num for _, (block_num, _), _ in purged), default=-1)

    @property
    def height(self) -> int:
        """Number of blocks that are wholly accounted for: their sets, purges, and what expired with them."""
        return self._height

    # --- reading

    def sets_of_block(self, block_num: int) -> Mapping[tuple[int, str, str], PrivateSet]:
        """See `PrivateData`."""
        found: dict[tuple[int, str, str], PrivateSet] = {}
        start, stop = (records.block_prefix(records.SET, number) for number in (block_num, block_num + 1))
        for key, raw in self._scan(start, stop):
            place = records.split_place_key(key)
            stored = PrivateSet(place.namespace, place.collection, records.decode_set(raw)[0])
            found[place.tx_num, place.namespace, place.collection] = stored
        return found

    def get_set(self, place: Place) -> tuple[PrivateSet, bool] | None:
        """See `PrivateData`."""
        raw = self._database.get(records.place_key(records.SET, place))
        if raw is None:
            return None
        stored, trimmed = records.decode_set(raw)
        return PrivateSet(place.namespace, place.collection, stored), trimmed

    def missing(self, limit: int, before: Place | None = None) -> Sequence[Missing]:
        """See `PrivateData`."""
        if not self._missing:
            return ()
        stop = records.behind(records.MISSING) if before is None else records.place_key(records.MISSING, before)
        with closing(self._database.scan(records.MISSING, stop, reverse=True)) as entries:
            return [records.decode_missing(records.split_place_key(key), raw)[0] for key, raw in islice(entries, limit)]

    def is_missing(self, place: Place) -> bool:
        """Whether a set of this place is waited for."""
        return self._database.get(records.place_key(records.MISSING, place)) is not None

    def missing_count(self) -> Mapping[tuple[str, str], int]:
        """See `PrivateData`."""
        return dict(self._missing)

    def purged(self, namespace: str, collection: str, key_hash: bytes) -> PurgedKey | None:
        """See `PrivateData`."""
        raw = self._database.get(records.purge_key(namespace, collection, key_hash))
        if raw is None:
            return None
        (block_num, tx_num), erased = records.decode_purge(raw)
        return PurgedKey(namespace, collection, key_hash, block_num, tx_num) if erased else None

    def find(
        self, namespace: str, collection: str, key_hash: bytes, stored: VersionedValue
    ) -> tuple[str, bytes] | None:
        """See `PrivateValues`. The version of a hash says where its value is."""
        place = Place(stored.version.block_num, stored.version.tx_num, namespace, collection)
        for kind in VALUES:
            raw = self._database.get(records.place_key(kind, place))
            if raw is not None:
                found = value_in(records.decode_set(raw)[0], key_hash, stored)
                if found is not None:
                    return found
        return None

    def carried(self, place: Place) -> bytes | None:
        """The set of values that a transaction left as they were."""
        raw = self._database.get(records.place_key(records.CARRIED, place))
        return None if raw is None else records.decode_set(raw)[0]

    @property
    def last_purge(self) -> int:
        """The newest block that is known to purge anything; -1 when none is."""
        return self._last_purge

    # --- writing

    def add(
        self, block_num: int, tag: bytes, needed: Sequence[Needed], found: Mapping[Place, PrivateSet], carried: Carried
    ) -> None:
        """Before a block is stored: its sets as far as they were found and are right; durable when this returns."""
        changes = Changes(self._database, block_num)
        at = records.block_prefix(records.TAG, block_num)
        is_new = block_num not in self._beyond
        if not is_new and changes.get(at) != tag:
            changes.drop_block()
        changes.put(at, tag)
        for each in needed:
            self._add(changes, each, found.get(each.place), is_new)
        for place, raw in carried.items():
            changes.put(records.place_key(records.CARRIED, place), records.encode_set(raw, trimmed=False))
        self._database.write(changes.puts, changes.deletes)
        if not is_new:
            self._missing = self._count_missing()
        self._beyond.add(block_num)
        self._next_expiry = min(self._next_expiry, min((each.expires for each in needed), default=NEVER))

    def owe(self, needed: Sequence[Needed]) -> None:
        """Note sets of stored blocks as missing that this peer has come to be a member for."""
        changes = Changes(self._database, self._height)
        for each in needed:
            if changes.get(records.place_key(records.MISSING, each.place)) is None:
                self._add(changes, each, None, is_new=False)
                if each.place.block_num >= self._height:
                    self._beyond.add(each.place.block_num)
        self._database.write(changes.puts, changes.deletes)

    def forgive(self, namespace: str, collection: str) -> None:
        """Wait no longer for sets of a collection that this peer is no member of any more."""
        places = (records.split_place_key(key) for key, _ in self._kind(records.MISSING))
        gone = [place for place in places if (place.namespace, place.collection) == (namespace, collection)]
        self._database.write([], [records.place_key(records.MISSING, place) for place in gone])
        self._missing = self._count_missing()

    def settle(self, block_num: int, purges: Sequence[PurgedKey]) -> None:
        """After a block is durable: do what it purges, and let go of what it makes too old."""
        height = max(self._height, block_num + 1)
        if purges or block_num >= self._next_expiry:
            changes = Changes(self._database, block_num)
            for purge in purges:
                changes.purge(purge)
            changes.expire()
            changes.put(records.HEIGHT_KEY, records.encode_number(height))
            self._database.write(changes.puts, changes.deletes)
            self._kept_height = height
            self._unerased |= {records.purge_key(each.namespace, each.collection, each.key_hash) for each in purges}
            self._last_purge = max(self._last_purge, *(each.block_num for each in purges), -1)
            if self._missing:
                self._missing = self._count_missing()
            self._next_expiry = self._first_expiry()
        elif height - self._kept_height >= HEIGHT_KEPT_EVERY:
            self._keep_height(height)
        self._height = height
        self._beyond.discard(block_num)

    def reconcile(self, needed: Needed, raw: bytes, carried: Carried) -> Fit:
        """Store a set that is missing, if it is right."""
        place = needed.place
        judged = judge(raw, needed.hashed, self._is_purged_at(place, Changes(self._database, place.block_num)))
        if judged.fit is Fit.COMPLETE:
            puts = [(records.place_key(records.SET, place), records.encode_set(judged.kept, judged.trimmed))]
            puts += [
                (records.place_key(records.CARRIED, to), records.encode_set(kept, trimmed=False))
                for to, kept in carried.items()
            ]
            self._database.write(puts, [records.place_key(records.MISSING, place)])
            self._missing -= Counter([(place.namespace, place.collection)])
        return judged.fit

    @property
    def waiting_purges(self) -> int:
        """How many purged keys wait for their erasure."""
        return len(self._unerased)

    def to_erase(self) -> Erasure:
        """What waits to be erased. `erase` it on any thread, then `erased` it on the thread that writes."""
        purges = []
        for key in sorted(self._unerased):
            raw = self._database.get(key)
            assert raw is not None
            (block_num, tx_num), erased = records.decode_purge(raw)
            if not erased:
                purges.append(PurgedKey(*records.split_purge_key(key), block_num, tx_num))
        return Erasure(tuple((key[1:], mark) for key, mark in self._kind(records.ERASING)), tuple(purges))

    def erase(self, erasure: Erasure) -> bool:
        """Whether nothing is left in files of what was to be erased. Any thread; the others go on."""
        return self._database.erase([key for key, _ in erasure.keys])

    def erased(self, erasure: Erasure) -> None:
        """Remember it, but for what has to be erased again since."""
        changes = Changes(self._database, self._height)
        for key, mark in erasure.keys:
            if changes.get(records.ERASING + key) == mark:
                changes.delete(records.ERASING + key)
        for purge in erasure.purges:
            marker = records.purge_key(purge.namespace, purge.collection, purge.key_hash)
            if changes.get(marker) == records.encode_purge(purge, erased=False):
                changes.put(marker, records.encode_purge(purge, erased=True))
                self._unerased.discard(marker)
        self._database.write(changes.puts, changes.deletes)

    def close(self) -> None:
        """Release the files."""
        if self._kept_height < self._height:
            self._keep_height(self._height)
        self._database.close()

    def _add(self, changes: Changes, needed: Needed, found: PrivateSet | None, is_new: bool) -> None:
        """`is_new`: nothing of its block can be here yet. Each look-up saved is some 1 % of a private transaction."""
        place = needed.place
        for key_hash in needed.key_hashes:
            changes.put(records.index_key(place, key_hash), b"")
        if needed.expires != NEVER:
            changes.put(records.expiry_key(needed.expires, place), b"")
        at = records.place_key(records.SET, place)
        if not is_new and changes.get(at) is not None:
            return  # it came with this very block before
        judged = None if found is None else judge(found.rwset, needed.hashed, self._is_purged_at(place, changes))
        if judged is not None and judged.fit is Fit.COMPLETE:
            changes.put(at, records.encode_set(judged.kept, judged.trimmed))
            if not is_new:
                changes.delete(records.place_key(records.MISSING, place))
        else:
            missing_at = records.place_key(records.MISSING, place)
            if is_new or changes.get(missing_at) is None:
                self._missing[place.namespace, place.collection] += 1
            changes.put(missing_at, records.encode_missing(needed.missing, needed.key_hashes))

    def _is_purged_at(self, place: Place, changes: Changes) -> Callable[[bytes], bool]:
        """See `Changes.is_purged_at`; what is newer than every purge needs no look-up."""
        return changes.is_purged_at(place) if place.block_num <= self._last_purge else _never

    def _keep_height(self, height: int) -> None:
        self._database.write([(records.HEIGHT_KEY, records.encode_number(height))])
        self._kept_height = height

    def _count_missing(self) -> Counter[tuple[str, str]]:
        places = (records.split_place_key(key) for key, _ in self._kind(records.MISSING))
        return Counter((place.namespace, place.collection) for place in places)

    def _first_expiry(self) -> int:
        with closing(self._scanned(records.EXPIRY)) as entries:
            return next((records.split_expiry_key(key)[0] for key, _ in entries), NEVER)

    def _kind(self, kind: bytes) -> list[Entry]:
        with closing(self._scanned(kind)) as entries:
            return list(entries)

    def _scanned(self, kind: bytes) -> Generator[Entry]:
        return self._database.scan(kind, records.behind(kind))

    def _scan(self, start: bytes, stop: bytes) -> list[Entry]:
        with closing(self._database.scan(start, stop)) as entries:
            return list(entries)


def _never(_key_hash: bytes) -> bool:
    return False
