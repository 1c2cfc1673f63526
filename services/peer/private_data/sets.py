"""Whether a private set is what a block has the hashes of, and what is left of it after purges. Pure."""

import hashlib
from collections.abc import Callable
from dataclasses import field
from enum import Enum, auto

from privysharing.protocol.codec.private_sets import encode_private_set, parse_private_set
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.rwsets import CollectionHashedRwSet, HashedWrite, PrivateRwSet, VersionedValue, Write
from privysharing.protocol.values import value

IsPurged = Callable[[bytes], bool]  # by key hash, as of the place of the set in question


class Fit(Enum):
    """How a found set fits a block's hashes."""

    COMPLETE = auto()  # it holds all that this peer may have
    TRIMMED = auto()  # what it holds is right, but its owner has purged more than this peer: it may be asked later
    WRONG = auto()


@value
class Judged:
    """A found set: how it fits, and what of it may be stored, if it is complete."""

    fit: Fit
    kept: bytes = field(default=b"", repr=False)
    trimmed: bool = False  # whether purges have taken keys from it


def is_whole(raw: bytes, hashed: CollectionHashedRwSet) -> bool:
    """Whether these are the very bytes that were endorsed."""
    return hashlib.sha256(raw).digest() == hashed.private_rwset_hash


def judge(raw: bytes, hashed: CollectionHashedRwSet, is_purged: IsPurged) -> Judged:
    """Judge what another peer gave for a set (kvledger hashcheck_pvtdata).

    A peer that has purged some keys honestly serves a set with another hash: so it is the keys that are compared. They
    are in what was endorsed, too: a hash of something else would have what nobody can purge, or even read, stored here.
    """
    found = fitting(raw, hashed)
    if found is None:
        return Judged(Fit.WRONG)
    whole = is_whole(raw, hashed)
    written = {write.key_hash for write in hashed.writes} | {write.key_hash for write in hashed.metadata_writes}
    if not whole and not all(map(is_purged, written - _key_hashes(found))):
        return Judged(Fit.TRIMMED)
    kept = encode_private_set(without(found, is_purged) if any(map(is_purged, written)) else found)
    return Judged(Fit.COMPLETE, kept, kept != raw or not whole)


def fitting(raw: bytes, hashed: CollectionHashedRwSet) -> PrivateRwSet | None:
    """What a set holds, if that is nothing but what a block has the hashes of, if maybe not all of it."""
    try:
        found = parse_private_set(raw)
    except MalformedMessage:
        return None
    writes = {write.key_hash: write for write in hashed.writes}
    for write in found.writes:
        if not _fits(write, writes.pop(_sha256(write.key), None)):  # nor does it when it comes twice
            return None
    metadata = {write.key_hash for write in hashed.metadata_writes}
    for key in found.metadata_keys:
        if (key_hash := _sha256(key)) not in metadata:
            return None
        metadata.remove(key_hash)
    return found


def is_bare(raw: bytes) -> bool:
    """Whether a set holds what it writes and nothing else: what is hidden in one, nobody could purge."""
    try:
        return encode_private_set(parse_private_set(raw)) == raw
    except MalformedMessage:
        return False


def without(private: PrivateRwSet, is_purged: IsPurged) -> PrivateRwSet:
    """What purges leave of a set."""
    return PrivateRwSet(
        tuple([write for write in private.writes if not is_purged(_sha256(write.key))]),
        tuple([key for key in private.metadata_keys if not is_purged(_sha256(key))]),
    )


def key_hashes(raw: bytes) -> set[bytes]:
    """Hashes of the keys that a set is about."""
    return _key_hashes(parse_private_set(raw))


def value_in(raw: bytes, key_hash: bytes, stored: VersionedValue) -> tuple[str, bytes] | None:
    """Key and value of a hash, if the set holds just that."""
    for write in parse_private_set(raw).writes:
        if _sha256(write.key) == key_hash and hashlib.sha256(write.value).digest() == stored.value:
            return write.key, write.value
    return None


def _key_hashes(private: PrivateRwSet) -> set[bytes]:
    return {_sha256(write.key) for write in private.writes} | {_sha256(key) for key in private.metadata_keys}


def _fits(write: Write, hashed: HashedWrite | None) -> bool:
    if hashed is None or write.is_delete != hashed.is_delete:
        return False
    return not write.value if write.is_delete else hashlib.sha256(write.value).digest() == hashed.value_hash


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
