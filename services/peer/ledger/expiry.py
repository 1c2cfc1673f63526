"""Which hashes of private data go by themselves, and when (txmgmt/pvtstatepurgemgmt).

A collection with `block_to_live` n lets go, with the commit of block k+n+1, of what block k wrote and nobody wrote
since: on every peer, whether or not it holds the values. Commit hashes do not cover it.
"""

from collections.abc import Iterator

from privysharing.protocol.rwsets import HashedKey, UpdateBatch, VersionedValue
from services.peer.private_data.collections import Collections, PublicState
from services.peer.private_data.needed import expiring_block

NEVER = expiring_block(0, 0)


def expiries(updates: UpdateBatch, block_num: int, before: PublicState) -> Iterator[tuple[int, HashedKey]]:
    """The hashes that a block writes and that will go again: each with the block that makes it go.

    `before` is the state before the block: how long data lives never changes.
    """
    for (namespace, collection), hashes in updates.hashed.items():
        config = Collections.defined(before, namespace).get(collection)
        if config is None or not config.block_to_live:
            continue
        expires = expiring_block(block_num, config.block_to_live)
        for key_hash, update in hashes.items():
            if update.value is not None:
                yield expires, (namespace, collection, key_hash)


def goes(key: HashedKey, written_in: int, stored: VersionedValue | None, updates: UpdateBatch) -> bool:
    """Whether a hash that expires with a block is still the one that was written then, and the block writes no other.

    `stored` is what the state before the block has of it.
    """
    namespace, collection, key_hash = key
    if stored is None or stored.version.block_num != written_in:
        return False
    return key_hash not in updates.hashed.get((namespace, collection), ())
