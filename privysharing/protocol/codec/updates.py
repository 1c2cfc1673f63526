"""txmgr.Updates: the canonical form of what a block changes, which its commit hash covers."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from privysharing.protocol.codec.varint import bytes_field, message_field
from privysharing.protocol.rwsets import Update, UpdateBatch, Version

Key = TypeVar("Key", str, bytes)

NUMBERS_KEPT_MAX = 1024  # encoded: a block's own number stands with each key, and so do the places in it


def encode_updates(updates: UpdateBatch) -> bytes:
    """Everything but the channel configuration and the keys' metadata (txmgr deterministicBytesForPubAndHashUpdates).

    Sorted by namespace; in each, public keys, then collections by name. A namespace or collection is named where it
    begins, and not again.
    """
    writes: list[bytes] = []
    collections = sorted(updates.hashed)
    for namespace in sorted(set(updates.public) | {namespace for namespace, _ in collections}):
        if not namespace:
            continue  # the channel configuration has no canonical encoding, so Fabric leaves it out
        name = bytes_field(b"\x0a", namespace.encode())
        if _append(writes, name, updates.public.get(namespace, {})):
            name = b""
        for of, collection in collections:
            if of == namespace:
                names = name + bytes_field(b"\x12", collection.encode())
                if _append(writes, names, updates.hashed[of, collection]):
                    name = b""
    return b"".join(writes)


def encode_version(version: Version) -> bytes:
    """A version in bytes that sort as it does (ledger/util EncodeOrderPreservingVarUint64, twice)."""
    return _ordered(version.block_num) + _ordered(version.tx_num)


def _append(writes: list[bytes], names: bytes, changes: Mapping[Key, Update]) -> bool:
    """Add each change as a KVWrite, `names` in front of the first; whether there is one."""
    for key in sorted(changes):
        update = changes[key]
        raw_key = bytes_field(b"\x1a", key.encode() if isinstance(key, str) else key)
        value = b"\x20\x01" if update.value is None else bytes_field(b"\x2a", update.value)
        version = bytes_field(b"\x32", encode_version(update.version))
        writes.append(message_field(b"\x0a", names + raw_key + value + version))
        names = b""
    return bool(changes)


@lru_cache(NUMBERS_KEPT_MAX)
def _ordered(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes((size,)) + number.to_bytes(size, "big")
