"""Who owes which private values, as the blocks tell: hashes are all that there is to go by, and enough.

A member of a collection holds, of every valid transaction, the private set that the block has the hash of, and of every
hashed key that stands in the state the value; without what was purged, and without what outlived its blocks to live.
Whoever is no member holds nothing.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.simulation.judge.ledger.codes import LedgerFault, Wrong
from tests.simulation.judge.ledger.endorsement import IMPLICIT_COLLECTION, committed_collections
from tests.simulation.judge.ledger.messages import Unreadable, kvrwset, principals, read
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.state import Version

SetPlace = tuple[int, int, str, str]  # block, place of the transaction in it, namespace, collection
ValuePlace = tuple[str, str, str]  # namespace, collection, key
_Purges = Mapping[tuple[str, str, bytes], Version]  # the newest one of each key


@dataclass(frozen=True, slots=True)
class PrivateObservation:
    """All the private data that a peer holds of a channel, as of one height."""

    sets: Mapping[SetPlace, bytes] = field(repr=False)  # marshalled KVRWSets
    values: Mapping[ValuePlace, tuple[bytes, Version]] = field(repr=False)  # of the state


@dataclass(frozen=True, slots=True)
class Collection:
    """What a definition says of who holds private data, and for how many blocks (0: for good)."""

    members: frozenset[str]
    block_to_live: int = 0

    def has_expired(self, block: int, height: int) -> bool:
        """Whether what a block wrote is gone when there are so many (pvtstatepurgemgmt, expiryBlk)."""
        return self.block_to_live > 0 and block + self.block_to_live + 1 < height


@dataclass(frozen=True, slots=True)
class OwedSet:
    """A private set that a valid transaction is known to have written."""

    place: SetPlace
    tx_id: str
    set_hash: bytes
    writes: Mapping[bytes, bytes]  # hashes of keys and values; b"" of a value that is deleted


def check_private(model: LedgerModel, msp_id: str, held: PrivateObservation) -> Iterator[LedgerFault]:
    """All that a peer of an organisation has wrong, when it has as many blocks as the model."""
    owed = {each.place: each for each in _owed(model)}
    purges = _purges(model)
    collections: dict[tuple[str, str], Collection | None] = {}
    for place in sorted(owed.keys() | held.sets.keys()):
        block, index, *name = place
        where = namespace, collection = name[0], name[1]
        config = collections.setdefault(where, _collection(model, namespace, collection))
        found, right = held.sets.get(place), owed.get(place)
        kept = (
            config is not None
            and msp_id in config.members
            and right is not None
            and not config.has_expired(block, model.height)
        )
        if not kept:
            if found is not None:
                yield LedgerFault(Wrong.UNDUE_PRIVATE_SET, block, index, repr(name))
        else:
            assert right is not None
            yield from _check_set(right, found, purges)
    yield from _check_values(model, msp_id, held)


def _check_set(right: OwedSet, found: bytes | None, purges: _Purges) -> Iterator[LedgerFault]:
    """A set is what the transaction wrote, but for keys that were purged since, or by it."""
    block, index, namespace, collection = right.place
    purged = {key for key in right.writes if purges.get((namespace, collection, key), (-1, -1)) >= (block, index)}
    where = repr((namespace, collection))
    if found is None:
        if set(right.writes) - purged:
            yield LedgerFault(Wrong.MISSING_PRIVATE_SET, block, index, where)
        return
    if not purged:
        if hashlib.sha256(found).digest() != right.set_hash:
            yield LedgerFault(Wrong.OTHER_PRIVATE_SET, block, index, where)
        return
    try:
        writes = read(kvrwset.KVRWSet, found).writes
    except Unreadable as error:
        yield LedgerFault(Wrong.OTHER_PRIVATE_SET, block, index, where, str(error))
        return
    told = {_hash(write.key.encode()): _hash(write.value) if write.value else b"" for write in writes}
    if left := purged & {key for key, value in told.items() if value}:
        yield LedgerFault(Wrong.PURGED_AND_KEPT, block, index, where, f"{len(left)} values")
    if {key: value for key, value in told.items() if key not in purged} != {
        key: value for key, value in right.writes.items() if key not in purged
    }:
        yield LedgerFault(Wrong.OTHER_PRIVATE_SET, block, index, where, "beside what was purged")


def _check_values(model: LedgerModel, msp_id: str, held: PrivateObservation) -> Iterator[LedgerFault]:
    """A value stands in the private state wherever its hash does in everybody's, with the same version."""
    told = {
        (namespace, collection, _hash(key.encode())): (_hash(value), version)
        for (namespace, collection, key), (value, version) in held.values.items()
    }
    right = {
        (namespace, collection, key): (entry.value, entry.version)
        for (namespace, collection, key), entry in model.state_at(model.height).items()
        if collection and isinstance(key, bytes) and _is_member(model, namespace, collection, msp_id)
    }
    for place in sorted(told.keys() | right.keys()):
        if told.get(place) != right.get(place):
            kind = Wrong.MISSING_PRIVATE_VALUE if place not in told else Wrong.WRONG_PRIVATE_VALUE
            yield LedgerFault(kind, place=repr(place), detail=f"{told.get(place)}, not {right.get(place)}")


def _owed(model: LedgerModel) -> Iterator[OwedSet]:
    for transaction, version in model.valid:
        for namespace in transaction.namespaces:
            for part in namespace.collections:
                if part.set_hash:
                    writes = {each.key_hash: each.value_hash for each in part.hashed.hashed_writes}
                    place = (*version, namespace.name, part.collection)
                    yield OwedSet(place, transaction.tx_id, part.set_hash, writes)


def _purges(model: LedgerModel) -> _Purges:
    found: dict[tuple[str, str, bytes], Version] = {}
    for transaction, version in model.valid:
        for namespace in transaction.namespaces:
            for part in namespace.collections:
                for write in part.hashed.hashed_writes:
                    if write.is_purge:
                        found[namespace.name, part.collection, write.key_hash] = version
    return found


def _is_member(model: LedgerModel, namespace: str, collection: str, msp_id: str) -> bool:
    config = _collection(model, namespace, collection)
    return config is not None and msp_id in config.members


def _collection(model: LedgerModel, namespace: str, name: str) -> Collection | None:
    """As the definition says that is committed now."""
    if name.startswith(IMPLICIT_COLLECTION):
        return Collection(frozenset({name.removeprefix(IMPLICIT_COLLECTION)}))
    for each in committed_collections(model.state, namespace):
        if each.name == name:
            policy = each.member_orgs_policy.signature_policy
            roles = [read(principals.MSPRole, identity.principal) for identity in policy.identities]
            return Collection(frozenset(role.msp_identifier for role in roles), each.block_to_live)
    return None


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
