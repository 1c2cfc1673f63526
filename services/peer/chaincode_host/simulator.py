"""The transaction simulator: a contract's reads and writes against one snapshot, and the read/write set they come to.

Mirrors kvledger/txmgmt/txmgr: reads see the snapshot and never the simulation's own writes, every read is recorded with
the version that it saw, and nothing is stored.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from privysharing.protocol.codec.rwsets import parse_state_metadata
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.lifecycle_state import definition_keys
from privysharing.protocol.rwsets import VALIDATION_PARAMETER, TxRwSet, Version, VersionedValue
from privysharing.protocol.values import value
from services.peer.chaincode_host.errors import ChaincodeError, LimitExceeded
from services.peer.chaincode_host.ranges import TOTAL_QUERY_LIMIT, RecordedRange
from services.peer.chaincode_host.rwset import RwSetBuilder
from services.peer.private_data.types import PrivateSet, PrivateValues

MIB = 1024 * 1024
NO_TRANSACTION = TxId("")
TOUCHED_BYTES = 256  # what it takes to remember one more key, about


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationLimits:
    """How much one transaction may touch. Beyond it the contract's caller gets an error."""

    keys_max: int = 100_000  # keys read or written, and results of ranges
    key_bytes_max: int = 64 * 1024
    write_bytes_max: int = 10 * MIB  # all keys and values written; sampleconfig configtx.yaml AbsoluteMaxBytes
    query_results_max: int = TOTAL_QUERY_LIMIT  # per range: core.yaml ledger.state.totalQueryLimit

    def __post_init__(self) -> None:
        if min(self.keys_max, self.key_bytes_max, self.write_bytes_max, self.query_results_max) < 1:
            raise ValueError("every simulation limit must be at least 1")


@value
class SimulationResults:
    """What a simulation came to."""

    rwset: TxRwSet
    public: bytes  # rwset.TxReadWriteSet, as endorsers sign it
    private: tuple[PrivateSet, ...] = field(default=(), repr=False)  # what stands behind the hashes
    private_reads: frozenset[tuple[str, str]] = frozenset()  # collections, by namespace, of which values were read

    @property
    def writes(self) -> bool:
        """Whether a transaction with these results would change anything."""
        return any(
            ns.writes or ns.metadata_writes or any(of.writes or of.metadata_writes for of in ns.collections)
            for ns in self.rwset.namespaces
        )


class State(Protocol):
    """What a simulation reads: a channel's state at one height."""

    @property
    def height(self) -> int: ...

    def get(self, namespace: str, key: str) -> VersionedValue | None: ...

    def get_hashed(self, namespace: str, collection: str, key_hash: bytes) -> VersionedValue | None: ...

    def may_have_metadata(self, namespace: str, collection: str = "") -> bool: ...

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]: ...

    def hashes(self, namespace: str, collection: str) -> Iterator[tuple[bytes, VersionedValue]]: ...


def get_of(state: State, namespace: str) -> Callable[[str], bytes | None]:
    """Reads of one namespace that no read set records."""

    def get(key: str) -> bytes | None:
        stored = state.get(namespace, key)
        return stored.value if stored else None

    return get


def get_hash_of(state: State, namespace: str, collection: str) -> Callable[[str], bytes | None]:
    """Reads of one collection's hashes that no read set records."""

    def get_hash(key: str) -> bytes | None:
        stored = state.get_hashed(namespace, collection, _sha256(key))
        return stored.value if stored else None

    return get_hash


class DefinedCollections(Protocol):
    """The collections that a state defines."""

    def find(self, namespace: str, collection: str) -> CollectionConfig | None:
        """A collection of a chaincode, None when there is no such."""
        ...


class TxSimulator:
    """One simulation. Not for more than one thread."""

    def __init__(
        self,
        state: State,
        collections: DefinedCollections,
        private: PrivateValues,
        limits: SimulationLimits | None = None,
        tx_id: TxId = NO_TRANSACTION,
    ) -> None:
        """`collections` are those of `state`; `private` the values that this peer holds of them."""
        self.state = state
        self.collections = collections
        self._private = private
        self._limits = limits or SimulationLimits()
        self._tx_id = tx_id
        self._rwset = RwSetBuilder()
        self._ranges: list[tuple[str, RecordedRange]] = []
        self._definitions_read: set[str] = set()  # chaincodes
        self._private_reads: set[tuple[str, str]] = set()  # namespaces and collections
        self._keys = 0
        self._write_bytes = 0
        self._wrote = False
        self._ranged_in_private = False
        self._broken: LimitExceeded | None = None

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return self._write_bytes + TOUCHED_BYTES * self._keys

    def get(self, namespace: str, key: str) -> bytes | None:
        """The value of a key, None when it does not exist."""
        stored = self.read(namespace, key)
        return stored.value if stored else None

    def read(self, namespace: str, key: str) -> VersionedValue | None:
        """A key with its version and metadata, None when it does not exist."""
        self._count_key()
        if not key.isascii():
            _check_text(key)
        stored = self.state.get(namespace, key)
        self._rwset.read(namespace, key, stored.version if stored else None)
        return stored

    def saw(self, namespace: str, key: str, version: Version) -> None:
        """Record a read of a key whose version is known, from this state, without looking it up again."""
        self._count_key()
        self._rwset.read(namespace, key, version)

    def put(self, namespace: str, key: str, value: bytes) -> None:
        """Write a value; an empty one is a delete (FAB-18386)."""
        self._count_write(key, len(value))
        self._rwset.write(namespace, key, value)

    def delete(self, namespace: str, key: str) -> None:
        """Delete a key, whether or not it exists."""
        self.put(namespace, key, b"")

    def validation_parameter(self, namespace: str, key: str) -> bytes | None:
        """A key's own endorsement policy, None when it has none. A read of the key."""
        return _validation_parameter(self.read(namespace, key))

    def put_validation_parameter(self, namespace: str, key: str, policy: bytes) -> None:
        """Replace a key's metadata by its own endorsement policy."""
        self._count_write(key, len(policy))
        self._rwset.write_metadata(namespace, key, ((VALIDATION_PARAMETER, policy),))

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Keys from `start` up to, not including, `end`; an empty `end` means all that follow."""
        results = self._counted(self.state.range(namespace, start, end))
        recorded = RecordedRange(start, end, results, self._limits.query_results_max)
        self._ranges.append((namespace, recorded))
        return recorded

    def collection(self, namespace: str, collection: str) -> CollectionConfig | None:
        """A collection of a chaincode, None when there is no such. The read set says on which definition it rests."""
        if namespace not in self._definitions_read:
            self._definitions_read.add(namespace)
            if namespace != LIFECYCLE:
                for key in definition_keys(namespace):
                    self.read(LIFECYCLE, key)
        return self.collections.find(namespace, collection)

    def get_private(self, namespace: str, collection: str, key: str) -> bytes | None:
        """A private value that this peer holds; the read set names its hash only.

        Raises ChaincodeError when the ledger has a value that this peer does not.
        """
        self._check_collection(namespace, collection)
        stored = self._stored_hash(namespace, collection, key)
        found = None
        if stored is not None:
            found = self._private.find(namespace, collection, _sha256(key), stored)
            if found is None:
                raise ChaincodeError(
                    "private data matching public hash version is not available. Public hash version = "
                    f"{_height(stored.version)}, Private data version = <nil>"
                )
        self._rwset.read_hashed(namespace, collection, key, stored.version if stored else None)
        self._private_reads.add((namespace, collection))
        return found[1] if found else None

    def get_private_hash(self, namespace: str, collection: str, key: str) -> bytes | None:
        """The hash of a private value: every peer of the channel has it."""
        stored = self._hashed(namespace, collection, key)
        return stored.value if stored else None

    def put_private(self, namespace: str, collection: str, key: str, value: bytes) -> None:
        """Write a private value: its hash goes into the read/write set, the value to members. An empty one deletes."""
        self._check_collection(namespace, collection)
        self._count_write(key, len(value))
        self._rwset.write_private(namespace, collection, key, value)

    def delete_private(self, namespace: str, collection: str, key: str) -> None:
        """Delete a private key, whether or not it exists."""
        self.put_private(namespace, collection, key, b"")

    def purge_private(self, namespace: str, collection: str, key: str) -> None:
        """Delete a private key, and all that members keep of its past."""
        self._check_collection(namespace, collection)
        self._count_write(key, 0)
        self._rwset.write_private(namespace, collection, key, b"", purge=True)

    def private_validation_parameter(self, namespace: str, collection: str, key: str) -> bytes | None:
        """A private key's own endorsement policy, which is public. A read of the key."""
        return _validation_parameter(self._hashed(namespace, collection, key))

    def put_private_validation_parameter(self, namespace: str, collection: str, key: str, policy: bytes) -> None:
        """Replace a private key's metadata by its own endorsement policy."""
        self._check_collection(namespace, collection)
        self._count_write(key, len(policy))
        self._rwset.write_private_metadata(namespace, collection, key, ((VALIDATION_PARAMETER, policy),))

    def private_range(self, namespace: str, collection: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Private values from `start` up to, not including, `end`. Not recorded: a transaction that writes may not ask.

        Raises ChaincodeError when this peer lacks any value of the collection: it cannot know which keys those have.
        """
        if self._wrote:
            raise ChaincodeError(
                f"txid [{self._tx_id}]: unsuppored transaction. Queries on pvt data is supported only in a read-only "
                "transaction"
            )
        self._ranged_in_private = True
        self._check_collection(namespace, collection)
        found, missing = [], set()
        for key_hash, stored in self.state.hashes(namespace, collection):
            self._count_key()
            entry = self._private.find(namespace, collection, key_hash, stored)
            if entry is None:
                missing.add(stored.version)
            elif start <= entry[0] and (not end or entry[0] < end):
                found.append(entry)
        if missing:
            raise ChaincodeError(
                f"private data of collection {collection} is incomplete on this peer: it lacks what {len(missing)} "
                "transactions wrote"
            )
        return islice(sorted(found), self._limits.query_results_max)

    def results(self) -> SimulationResults:
        """What it all came to. Call it once; nothing may follow. Raises what broke the simulation, if anything did."""
        if self._broken is not None:
            raise self._broken
        for namespace, recorded in self._ranges:
            self._rwset.range_query(namespace, recorded.recorded())
        rwset, public, private = self._rwset.build()
        return SimulationResults(rwset, public, private, frozenset(self._private_reads))

    def _check_collection(self, namespace: str, collection: str) -> None:
        """Txmgr collNameValidator validateCollName."""
        if self.collection(namespace, collection) is None:
            raise ChaincodeError(
                f"collection [{collection}] not defined in the collection config for chaincode [{namespace}]"
            )

    def _stored_hash(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        self._count_key()
        if not key.isascii():
            _check_text(key)
        return self.state.get_hashed(namespace, collection, _sha256(key))

    def _hashed(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        self._check_collection(namespace, collection)
        stored = self._stored_hash(namespace, collection, key)
        self._rwset.read_hashed(namespace, collection, key, stored.version if stored else None)
        return stored

    def _counted(self, results: Iterator[tuple[str, VersionedValue]]) -> Iterator[tuple[str, VersionedValue]]:
        for found in results:
            self._count_key()
            yield found

    def _count_write(self, key: str, size: int) -> None:
        if self._ranged_in_private:
            raise ChaincodeError(
                f"txid [{self._tx_id}]: unsuppored transaction. Transaction has already performed queries on pvt data. "
                "Writes are not allowed"
            )
        self._wrote = True
        self._count_key()
        key_size = len(key)
        if not key.isascii():
            _check_text(key)
            key_size = len(key.encode())
        if key_size > self._limits.key_bytes_max:
            raise self._break(f"key of {key_size} bytes, at most {self._limits.key_bytes_max} are allowed")
        self._write_bytes += key_size + size
        if self._write_bytes > self._limits.write_bytes_max:
            raise self._break(f"a transaction may write at most {self._limits.write_bytes_max} bytes")

    def _count_key(self) -> None:
        self._keys += 1
        if self._keys > self._limits.keys_max:
            raise self._break(f"a transaction may touch at most {self._limits.keys_max} keys")

    def _break(self, why: str) -> LimitExceeded:
        """A contract that catches the error does not get away with half a simulation."""
        self._broken = LimitExceeded(why)
        return self._broken


def _validation_parameter(stored: VersionedValue | None) -> bytes | None:
    if stored is None or not stored.metadata:
        return None
    return parse_state_metadata(stored.metadata).get(VALIDATION_PARAMETER)


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _check_text(key: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        raise ChaincodeError("a key must be valid UTF-8")


def _height(version: Version) -> str:
    return f"{{BlockNum: {version.block_num}, TxNum: {version.tx_num}}}"
