"""Values that a transaction leaves as they are while it gives their keys a new version: it changes their metadata only.

A value is found by the version of its hash. So such a transaction's place gets the value, too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from privysharing.protocol.codec.private_sets import encode_private_set, parse_private_set
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.rwsets import PrivateRwSet, VersionedValue, Write
from services.peer.private_data.needed import Needed
from services.peer.private_data.sets import fitting, is_whole
from services.peer.private_data.types import Place, PrivateSet, PrivateValues


class Hashes(Protocol):
    """A channel's state."""

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None: ...


class Carrying(PrivateValues, Protocol):
    """Where values are."""

    def carried(self, place: Place) -> bytes | None: ...


def carried_on_commit(
    needed: Sequence[Needed], found: Mapping[Place, PrivateSet], before: Hashes, values: PrivateValues
) -> Mapping[Place, bytes]:
    """What the transactions of a block carry on, as far as it is here; `before` is the state before the block."""
    if not any(each.hashed.metadata_writes for each in needed):
        return {}
    written: dict[tuple[str, str, bytes], Write | None] = {}  # in this block so far; None: not known here
    carried: dict[Place, bytes] = {}
    for each in needed:
        place = each.place
        given = found.get(place)
        is_here = given is not None and is_whole(given.rwset, each.hashed)
        set_here = fitting(given.rwset, each.hashed) if given is not None and is_here else None
        for hashed in each.hashed.writes:
            written[place.namespace, place.collection, hashed.key_hash] = None
        if set_here is not None:
            for write in set_here.writes:
                written[place.namespace, place.collection, _sha256(write.key)] = write
        own = {hashed.key_hash for hashed in each.hashed.writes}
        alone = [metadata.key_hash for metadata in each.hashed.metadata_writes if metadata.key_hash not in own]
        latest = [_latest(place, key_hash, written, before, values) for key_hash in alone]
        if kept := [write for write in latest if write is not None]:
            carried[place] = _encode(kept)
    return carried


def carried_on_reconciling(place: Place, private: PrivateSet, now: Hashes, values: Carrying) -> Mapping[Place, bytes]:
    """Where else the values of a set belong that is about to be stored: keys that a later transaction left alone."""
    carried: dict[Place, list[Write]] = {}
    try:
        writes = parse_private_set(private.rwset).writes
    except MalformedMessage:
        return {}  # it will not be stored
    for write in writes:
        key_hash = _sha256(write.key)
        stored = now.get_hashed(place.namespace, place.collection, key_hash)
        if stored is None or stored.value != hashlib.sha256(write.value).digest():
            continue
        at = Place(stored.version.block_num, stored.version.tx_num, place.namespace, place.collection)
        if at > place and values.find(place.namespace, place.collection, key_hash, stored) is None:
            carried.setdefault(at, []).append(write)
    return {at: _encode([*_carried(values.carried(at)), *more]) for at, more in carried.items()}


def _latest(
    place: Place,
    key_hash: bytes,
    written: Mapping[tuple[str, str, bytes], Write | None],
    before: Hashes,
    values: PrivateValues,
) -> Write | None:
    at = (place.namespace, place.collection, key_hash)
    if at in written:
        latest = written[at]
        return None if latest is None or latest.is_delete else latest
    stored = before.get_hashed(*at)
    entry = None if stored is None else values.find(*at, stored)
    return None if entry is None else Write(*entry)


def _carried(raw: bytes | None) -> tuple[Write, ...]:
    return () if raw is None else parse_private_set(raw).writes


def _encode(writes: Sequence[Write]) -> bytes:
    return encode_private_set(PrivateRwSet(tuple(writes)))


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
