"""txmgr.Updates: the canonical form of what a block changes, which its commit hash covers."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from privysharing.protocol.rwsets import Update, UpdateBatch, Version
from privysharing.wire.ledger.kvledger.txmgmt.txmgr import updates_pb2

Key = TypeVar("Key", str, bytes)

NUMBERS_KEPT_MAX = 1024  # encoded: a block's own number stands with each key, and so do the places in it


def encode_updates(updates: UpdateBatch) -> bytes:
    """Everything but the channel configuration and the keys' metadata (txmgr deterministicBytesForPubAndHashUpdates).

    Sorted by namespace; in each, public keys, then collections by name. A namespace or collection is named where it
    begins, and not again.
    """
    message = updates_pb2.Updates()
    collections = sorted(updates.hashed)
    for namespace in sorted(set(updates.public) | {namespace for namespace, _ in collections}):
        if not namespace:
            continue  # the channel configuration has no canonical encoding, so Fabric leaves it out
        first = len(message.kvwrites)
        _append(message, updates.public.get(namespace, {}))
        for of, collection in collections:
            if of == namespace:
                start = len(message.kvwrites)
                _append(message, updates.hashed[of, collection])
                if len(message.kvwrites) > start:
                    message.kvwrites[start].collection = collection
        if len(message.kvwrites) > first:
            message.kvwrites[first].namespace = namespace
    return message.SerializeToString()


def encode_version(version: Version) -> bytes:
    """A version in bytes that sort as it does (ledger/util EncodeOrderPreservingVarUint64, twice)."""
    return _ordered(version.block_num) + _ordered(version.tx_num)


def _append(message: updates_pb2.Updates, writes: Mapping[Key, Update]) -> None:
    for key in sorted(writes):
        update = writes[key]
        message.kvwrites.add(
            key=key.encode() if isinstance(key, str) else key,
            isDelete=update.value is None,
            value=update.value or b"",
            version_bytes=encode_version(update.version),
        )


@lru_cache(NUMBERS_KEPT_MAX)
def _ordered(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes((size,)) + number.to_bytes(size, "big")
