"""What purges and expiry change in a database of private sets: read from it, and collected into one batch."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol

from privysharing.protocol.codec.private_sets import encode_private_set, parse_private_set
from services.peer.private_data import records
from services.peer.private_data.sets import key_hashes, without
from services.peer.private_data.types import Place, PurgedKey

VALUES = (records.SET, records.CARRIED)  # kinds of records that hold values


class Reader(Protocol):
    """The records as they are."""

    def get(self, key: bytes) -> bytes | None: ...

    def scan(self, start: bytes, stop: bytes, *, reverse: bool = False) -> Generator[tuple[bytes, bytes]]: ...


class Changes:
    """What a block changes, while it grows; later changes see the earlier ones."""

    def __init__(self, reader: Reader, block_num: int) -> None:
        self._reader = reader
        self._block_num = block_num
        self._changed: dict[bytes, bytes | None] = {}  # None: deleted

    @property
    def puts(self) -> list[tuple[bytes, bytes]]:
        return [(key, value) for key, value in self._changed.items() if value is not None]

    @property
    def deletes(self) -> list[bytes]:
        return [key for key, value in self._changed.items() if value is None]

    def get(self, key: bytes) -> bytes | None:
        """What a key will hold."""
        return self._changed[key] if key in self._changed else self._reader.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._changed[key] = value

    def delete(self, key: bytes) -> None:
        self._changed[key] = None

    def purge(self, purge: PurgedKey) -> None:
        """Take a key out of all sets up to the transaction that purges it, and remember it: nothing brings it back."""
        marker = records.purge_key(purge.namespace, purge.collection, purge.key_hash)
        known = self.get(marker)
        if known is not None and records.decode_purge(known)[0] >= (purge.block_num, purge.tx_num):
            return
        self.put(marker, records.encode_purge(purge, erased=False))
        prefix = records.index_prefix(purge.namespace, purge.collection, purge.key_hash)
        end = prefix + records.encode_number(purge.block_num + 1)
        for key in self._keys(prefix, end):
            block_num, tx_num = records.split_index_key(key)
            if (block_num, tx_num) <= (purge.block_num, purge.tx_num):
                place = Place(block_num, tx_num, purge.namespace, purge.collection)
                self._trim(place, purge.key_hash)
                self.delete(key)

    def expire(self) -> None:
        """Let go of what goes with the commit of the block, or went with an earlier one."""
        for key in self._keys(records.EXPIRY, records.block_prefix(records.EXPIRY, self._block_num + 1)):
            _, place = records.split_expiry_key(key)
            self.drop(place)
            self.delete(key)

    def drop(self, place: Place) -> None:
        """Forget a set, whether or not it is there."""
        hashes: set[bytes] = set()
        for kind in VALUES:
            at = records.place_key(kind, place)
            raw = self.get(at)
            if raw is not None:
                hashes |= key_hashes(records.decode_set(raw)[0])
                self.delete(at)
                self._erase(at)
        at = records.place_key(records.MISSING, place)
        raw = self.get(at)
        if raw is not None:
            hashes.update(records.decode_missing(place, raw)[1])
            self.delete(at)
        for key_hash in hashes:
            self.delete(records.index_key(place, key_hash))

    def drop_block(self) -> None:
        """Forget everything that came with another block of this number."""
        for kind in (*VALUES, records.MISSING):
            start, stop = (records.block_prefix(kind, self._block_num + more) for more in (0, 1))
            for key in self._keys(start, stop):
                self.drop(records.split_place_key(key))

    def is_purged_at(self, place: Place) -> Callable[[bytes], bool]:
        """Which keys (by hash) are purged from sets of this place, or from newer ones."""

        def is_purged(key_hash: bytes) -> bool:
            known = self.get(records.purge_key(place.namespace, place.collection, key_hash))
            return known is not None and records.decode_purge(known)[0] >= (place.block_num, place.tx_num)

        return is_purged

    def _trim(self, place: Place, key_hash: bytes) -> None:
        for kind in VALUES:
            at = records.place_key(kind, place)
            raw = self.get(at)
            if raw is None:
                continue
            found = parse_private_set(records.decode_set(raw)[0])
            left = without(found, lambda other: other == key_hash)
            if left != found:
                self.put(at, records.encode_set(encode_private_set(left), trimmed=True))
                self._erase(at)
        at = records.place_key(records.MISSING, place)
        raw = self.get(at)
        if raw is not None and all(map(self.is_purged_at(place), records.decode_missing(place, raw)[1])):
            self.delete(at)  # nothing is left that anybody could have
            self.put(records.place_key(records.SET, place), records.encode_set(b"", trimmed=True))

    def _erase(self, key: bytes) -> None:
        self.put(records.ERASING + key, records.encode_number(self._block_num))

    def _keys(self, start: bytes, stop: bytes) -> list[bytes]:
        with closing(self._reader.scan(start, stop)) as entries:
            return [key for key, _ in entries]
