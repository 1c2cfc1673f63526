"""The transaction simulator: a contract's reads and writes against one snapshot, and the read/write set they come to.

Mirrors kvledger/txmgmt/txmgr: reads see the snapshot and never the simulation's own writes, every read is recorded with
the version that it saw, and nothing is stored.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from privysharing.protocol.codec.rwsets import encode_tx_rwset
from privysharing.protocol.rwsets import TxRwSet, Version, VersionedValue
from privysharing.protocol.values import value
from services.peer.chaincode_host.errors import ChaincodeError, LimitExceeded
from services.peer.chaincode_host.ranges import TOTAL_QUERY_LIMIT, RecordedRange
from services.peer.chaincode_host.rwset import PrivateWrites, RwSetBuilder
from services.peer.private_data import PrivateValues

MIB = 1024 * 1024


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
    private: tuple[PrivateWrites, ...] = field(repr=False)

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

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]: ...


def get_of(state: State, namespace: str) -> Callable[[str], bytes | None]:
    """Reads of one namespace that no read set records."""

    def get(key: str) -> bytes | None:
        stored = state.get(namespace, key)
        return stored.value if stored else None

    return get


def get_hash_of(state: State, namespace: str, collection: str) -> Callable[[str], bytes | None]:
    """Reads of one collection's hashes that no read set records."""

    def get_hash(key: str) -> bytes | None:
        stored = state.get_hashed(namespace, collection, hashlib.sha256(key.encode()).digest())
        return stored.value if stored else None

    return get_hash


class TxSimulator:
    """One simulation. Not for more than one thread."""

    def __init__(self, state: State, private_values: PrivateValues, limits: SimulationLimits | None = None) -> None:
        self.state = state
        self._private_values = private_values
        self._limits = limits or SimulationLimits()
        self._rwset = RwSetBuilder()
        self._ranges: list[tuple[str, RecordedRange]] = []
        self._keys = 0
        self._write_bytes = 0
        self._broken: LimitExceeded | None = None

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

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Keys from `start` up to, not including, `end`; an empty `end` means all that follow."""
        results = self._counted(self.state.range(namespace, start, end))
        recorded = RecordedRange(start, end, results, self._limits.query_results_max)
        self._ranges.append((namespace, recorded))
        return recorded

    def get_private(self, namespace: str, collection: str, key: str) -> bytes | None:
        """A private value that this peer holds; the read set names its hash only.

        Raises ChaincodeError when the ledger has a value that this peer never saw.
        """
        stored = self._hashed(namespace, collection, key)
        if stored is None:
            return None
        value = self._private_values.get(stored.value)
        if value is None:
            raise ChaincodeError(
                "private data matching public hash version is not available. Public hash version = "
                f"{_height(stored.version)}, Private data version = <nil>"
            )
        return value

    def get_private_hash(self, namespace: str, collection: str, key: str) -> bytes | None:
        """The hash of a private value: every peer of the channel has it."""
        stored = self._hashed(namespace, collection, key)
        return stored.value if stored else None

    def put_private(self, namespace: str, collection: str, key: str, value: bytes) -> None:
        """Write a private value: its hash goes into the read/write set, the value to the collection's members."""
        self._count_write(key, len(value))
        self._rwset.write_private(namespace, collection, key, value)

    def results(self) -> SimulationResults:
        """What it all came to. Call it once; nothing may follow. Raises what broke the simulation, if anything did."""
        if self._broken is not None:
            raise self._broken
        for namespace, recorded in self._ranges:
            self._rwset.range_query(namespace, recorded.recorded())
        rwset = self._rwset.build()
        return SimulationResults(rwset, encode_tx_rwset(rwset), self._rwset.private_writes())

    def _hashed(self, namespace: str, collection: str, key: str) -> VersionedValue | None:
        self._count_key()
        stored = self.state.get_hashed(namespace, collection, hashlib.sha256(key.encode()).digest())
        self._rwset.read_hashed(namespace, collection, key, stored.version if stored else None)
        return stored

    def _counted(self, results: Iterator[tuple[str, VersionedValue]]) -> Iterator[tuple[str, VersionedValue]]:
        for found in results:
            self._count_key()
            yield found

    def _count_write(self, key: str, size: int) -> None:
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


def _check_text(key: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in key):
        raise ChaincodeError("a key must be valid UTF-8")


def _height(version: Version) -> str:
    return f"{{BlockNum: {version.block_num}, TxNum: {version.tx_num}}}"
