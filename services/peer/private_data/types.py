"""Private sets, the places in blocks that they belong to, and the ports by which they are kept and found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.private_data import PrivateSet, PushedTransaction
from privysharing.protocol.rwsets import VersionedValue
from privysharing.protocol.values import value


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a channel's blocks a private set belongs."""

    block_num: int
    tx_num: int
    namespace: str
    collection: str


@value
class Missing:
    """A set that this peer should hold and does not, or not wholly."""

    place: Place
    tx_id: TxId
    rwset_hash: bytes  # SHA-256 of the whole set, as the block has it


@value
class PurgedKey:
    """A key whose values up to here are gone from this peer's files, for good."""

    namespace: str
    collection: str
    key_hash: bytes
    block_num: int  # of the newest transaction that purged it
    tx_num: int


@value
class PrivateResults:
    """What a simulation wrote in private, before it is spread to those who may have it."""

    channel_id: str
    tx_id: TxId
    height: int  # of the state that was simulated on
    sets: tuple[PrivateSet, ...]
    collections: Mapping[tuple[str, str], CollectionConfig]  # by namespace and collection; of each of the sets

    @property
    def size(self) -> int:
        """In bytes, of what may be large."""
        return sum(len(each.rwset) for each in self.sets)


@dataclass(frozen=True, slots=True)
class ToKeep:
    """A transaction's sets, and the organisations that want them kept: there has to be room for one of them."""

    transaction: PushedTransaction
    wanted_by: Sequence[str]  # MSP ids; nobody in particular when empty


class TransientStore(Protocol):
    """Private sets of one channel between endorsement and commit. Any thread calls."""

    def keep(self, tx_id: TxId, height: int, sets: Sequence[PrivateSet]) -> None:
        """Remember a transaction's sets, simulated at that height; they are durable when this returns.

        Calls at one time share a sync. Raises DiskFault.
        """
        ...

    def keep_all(self, all_to_keep: Sequence[ToKeep]) -> Sequence[Exception | None]:
        """The same for many, with one sync: for each of them why there is no room, None when it is durable."""
        ...

    def sets_of(self, tx_id: TxId) -> Iterator[PrivateSet]:
        """What was kept for a transaction; of one collection several sets, if endorsers differed."""
        ...

    def committed(self, tx_ids: Iterable[TxId], height: int) -> None:
        """Forget these transactions' sets, and those that were simulated too long before this height."""
        ...


class PrivateData(Protocol):
    """The committed private sets of one channel that this peer holds. Any thread reads."""

    def sets_of_block(self, block_num: int) -> Mapping[tuple[int, str, str], PrivateSet]:
        """By transaction, namespace and collection; without what is purged or expired."""
        ...

    def get_set(self, place: Place) -> tuple[PrivateSet, bool] | None:
        """A set, and whether purges have taken keys from it: its hash is not the block's then."""
        ...

    def missing(self, limit: int, before: Place | None = None) -> Sequence[Missing]:
        """Sets that this peer should hold and does not, newest first; only those before a place, if one is given."""
        ...

    def missing_count(self) -> Mapping[tuple[str, str], int]:
        """How many sets are missing, by namespace and collection; nothing for those of which none is."""
        ...

    def reconciled(self, found: Mapping[Place, PrivateSet]) -> Sequence[Place]:
        """Store what others had of missing sets; the places whose sets were wrong, against the block's hashes.

        Whatever purges took from either side is allowed for. Waits for the thread that stores blocks.
        """
        ...

    def purged(self, namespace: str, collection: str, key_hash: bytes) -> PurgedKey | None:
        """The newest purge of a key, once nothing of it is left in this peer's files; None before, or without one."""
        ...

    @property
    def last_purge(self) -> int:
        """The newest block that purges anything that is held here, known before anybody sees its state; else -1."""
        ...


class PrivateValues(Protocol):
    """The private values that this peer holds, as simulations of one channel read them. Any thread calls."""

    def find(
        self, namespace: str, collection: str, key_hash: bytes, stored: VersionedValue
    ) -> tuple[str, bytes] | None:
        """Key and value of a hash that a state of the channel holds; None when this peer does not have the value."""
        ...


class Resolver(Protocol):
    """Finds the private sets of a block that this peer lacks, before the block is stored."""

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        """Those of the sets that were found in bounded time. The caller verifies them; without them it commits too."""
        ...


__all__ = [
    "Missing",
    "Place",
    "PrivateData",
    "PrivateResults",
    "PrivateSet",
    "PrivateValues",
    "PurgedKey",
    "Resolver",
    "ToKeep",
    "TransientStore",
]
