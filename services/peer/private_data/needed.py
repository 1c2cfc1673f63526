"""What a block says about private data: which sets this peer should hold, and which keys are purged. Pure."""

from collections.abc import Iterator, Sequence

from privysharing.protocol.codes import TxCode
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.lifecycle_state import collections_key_owner
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.rwsets import CollectionHashedRwSet
from privysharing.protocol.values import value
from services.peer.private_data.collections import Collections
from services.peer.private_data.types import Missing, Place, PurgedKey

NEVER = 2**64 - 1


@value
class Needed:
    """A private set that this peer should hold, and everything by which it is known."""

    missing: Missing
    hashed: CollectionHashedRwSet
    expires: int = NEVER  # the block with whose commit it goes

    @property
    def place(self) -> Place:
        """Where it belongs."""
        return self.missing.place

    @property
    def key_hashes(self) -> tuple[bytes, ...]:
        """Hashes of the keys that it is about, each once."""
        hashed = self.hashed
        written = [write.key_hash for write in hashed.writes]
        return tuple(dict.fromkeys(written + [write.key_hash for write in hashed.metadata_writes]))


@value
class PrivatePart:
    """What one block asks of a member of the collections that it writes to."""

    needed: tuple[Needed, ...] = ()
    purges: tuple[PurgedKey, ...] = ()  # in the order of the block
    redefined: tuple[str, ...] = ()  # chaincodes whose collections change: others may be members from now on


NOTHING = PrivatePart()


def expiring_block(block_num: int, block_to_live: int) -> int:
    """The block with whose commit goes what this one wrote (pvtdatapolicy ComputeExpiringBlock)."""
    return min(block_num + block_to_live + 1, NEVER) if block_to_live else NEVER


def private_part(
    block_num: int,
    transactions: Sequence[ReadTransaction],
    verdicts: Sequence[TxCode],
    collections: Collections,
    msp_id: str,
) -> PrivatePart:
    """What the valid transactions write to collections that the organisation belongs to."""
    needed: list[Needed] = []
    purges: list[PurgedKey] = []
    held: dict[tuple[str, str], CollectionConfig | None] = {}  # None: not by this organisation
    for tx_num, tx_id, namespace, hashed in _written(transactions, verdicts):
        name = namespace, hashed.collection
        if name not in held:
            held[name] = collections.find(*name) if msp_id in collections.members(*name) else None
        config = held[name]
        if config is None:
            continue
        place = Place(block_num, tx_num, *name)
        expires = expiring_block(block_num, config.block_to_live)
        needed.append(Needed(Missing(place, tx_id, hashed.private_rwset_hash), hashed, expires))
        purges += [
            PurgedKey(namespace, hashed.collection, write.key_hash, block_num, tx_num)
            for write in hashed.writes
            if write.is_purge
        ]
    return PrivatePart(tuple(needed), tuple(purges), _redefined(transactions, verdicts))


def _redefined(transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]) -> tuple[str, ...]:
    return tuple(
        chaincode
        for tx, verdict in zip(transactions, verdicts, strict=True)
        if verdict is TxCode.VALID and tx.endorsed is not None
        for ns in tx.endorsed.rwset.namespaces
        if ns.namespace == LIFECYCLE
        for write in ns.writes
        if (chaincode := collections_key_owner(write.key)) is not None
    )


def _written(
    transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]
) -> Iterator[tuple[int, TxId, str, CollectionHashedRwSet]]:
    """Transaction, namespace and set of every collection that a valid transaction writes to."""
    for tx_num, (tx, verdict) in enumerate(zip(transactions, verdicts, strict=True)):
        if verdict is not TxCode.VALID or tx.endorsed is None:
            continue
        for ns in tx.endorsed.rwset.namespaces:
            for hashed in ns.collections:
                if hashed.writes or hashed.metadata_writes:
                    yield tx_num, tx.tx_id, ns.namespace, hashed
