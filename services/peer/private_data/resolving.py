"""Finding a block's private sets on this peer alone."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from services.peer.private_data.types import Missing, Place, PrivateSet, TransientStore


class Alone:
    """See `types.Resolver`: for a peer that has no fellows."""

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        """See `Resolver.find`."""
        del block_num, needed
        return {}


def kept_sets(store: TransientStore, needed: Iterable[Missing]) -> tuple[Mapping[Place, PrivateSet], Sequence[Missing]]:
    """Those of the sets that were endorsed here, or pushed to here, and those that were not as they are in the block.

    What was endorsed otherwise is among both.
    """
    found: dict[Place, PrivateSet] = {}
    lacking: list[Missing] = []
    for each in needed:
        for kept in store.sets_of(each.tx_id):
            if (kept.namespace, kept.collection) == (each.place.namespace, each.place.collection):
                found[each.place] = kept
                if hashlib.sha256(kept.rwset).digest() == each.rwset_hash:
                    break
        else:
            lacking.append(each)
    return found, lacking
