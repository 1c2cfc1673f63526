"""Finding a block's private sets on this peer alone."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

from services.peer.private_data.types import Missing, Place, PrivateSet, TransientStore


class KeptSets:
    """See `types.Resolver`: what the transient store has, for a peer that has no fellows."""

    def __init__(self, store: TransientStore) -> None:
        self._store = store

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        """See `Resolver.find`."""
        del block_num
        return await asyncio.to_thread(kept_sets, self._store, needed)


def kept_sets(store: TransientStore, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
    """Those of the sets that were endorsed here, or pushed to here."""
    found: dict[Place, PrivateSet] = {}
    for each in needed:
        for kept in store.sets_of(each.tx_id):
            if (kept.namespace, kept.collection) == (each.place.namespace, each.place.collection):
                found[each.place] = kept
                if hashlib.sha256(kept.rwset).digest() == each.rwset_hash:
                    break
    return found
