"""The reference ledger that ships with the chaincode room: a world state in memory, with Fabric's reads and conflicts.

A `MemoryStub` simulates one invocation on a snapshot of a `MemoryWorld` and records what it reads and writes;
`MemoryWorld.commit` judges such simulations in order, as a committer does: a stale read, public or hashed, is
MVCC_READ_CONFLICT, a range that would now answer differently is PHANTOM_READ_CONFLICT, and neither changes anything.
Deterministic: ids and times are arguments. Not here: endorsement, signatures, definitions of collections (every name is
one, whose values a stub holds unless it is told otherwise), blocks to live.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from privysharing.chaincode.stub import KeyModification
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import HashedWrite, Version

PUBLIC = ""  # stands for no collection
Place = tuple[str, str]  # collection, key
HashedPlace = tuple[str, bytes]  # collection, key hash


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed value (in the hashed space: its hash), the height that wrote it, and the key's own policy."""

    value: bytes
    version: Version
    parameter: bytes = b""


class NotHeld(Exception):
    """The ledger has the hash of a private value that this peer does not hold."""


@dataclass(slots=True)
class RangeRead:
    """What a range scan was asked and what it had answered when its consumer stopped."""

    start: str
    end: str
    results: list[tuple[str, Version]] = field(default_factory=list)
    exhausted: bool = False


class MemoryStub:
    """One simulated invocation (a `stub.Stub`). Nothing changes until the world commits it."""

    def __init__(
        self,
        world: "MemoryWorld",
        *,
        tx_id: str,
        creator: bytes,
        args: Sequence[bytes],
        timestamp_ns: int,
        transient: Mapping[str, bytes],
        decorations: Mapping[str, bytes],
        holds: Container[str] | None,
    ) -> None:
        self.channel_id = world.channel_id
        self.tx_id = tx_id
        self.creator = creator
        self.args = tuple(args)
        self.timestamp_ns = timestamp_ns
        self.transient = transient
        self.decorations = decorations
        self.reads: dict[str, Version | None] = {}
        self.range_reads: list[RangeRead] = []
        self.writes: dict[str, bytes | None] = {}  # None deletes
        self.hashed_reads: dict[Place, Version | None] = {}
        self.private_writes: dict[Place, bytes | None] = {}
        self.purges: set[Place] = set()
        self.parameters: dict[Place, bytes] = {}  # of public keys, too
        self.event: tuple[str, bytes] | None = None
        self._holds = holds
        self._ranged_privately = False
        self._state = dict(world.state)
        self._private = dict(world.private)
        self._hashed = dict(world.hashed)
        self._history = {key: tuple(modifications) for key, modifications in world.history.items()}

    def get_state(self, key: str) -> bytes | None:
        entry = self._read(key)
        return entry.value if entry else None

    def put_state(self, key: str, value: bytes) -> None:
        self._require_no_private_range()
        self.writes[key] = _some(key, value)

    def del_state(self, key: str) -> None:
        self._require_no_private_range()
        self.writes[key] = None

    def get_range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        read = RangeRead(start, end)
        self.range_reads.append(read)
        for key, entry in _in_range(self._state, start, end):
            read.results.append((key, entry.version))
            yield key, entry.value
        read.exhausted = True

    def get_history(self, key: str) -> Iterator[KeyModification]:
        return iter(reversed(self._history.get(key, ())))

    def set_event(self, name: str, payload: bytes) -> None:
        self.event = (name, payload)

    def get_private(self, collection: str, key: str) -> bytes | None:
        hashed = self._read_hashed(collection, key)
        if hashed is None:
            return None
        if self._holds is not None and collection not in self._holds:
            raise NotHeld(f"{collection} is not held here")
        return self._private[collection, key].value

    def get_private_hash(self, collection: str, key: str) -> bytes | None:
        hashed = self._read_hashed(collection, key)
        return hashed.value if hashed else None

    def put_private(self, collection: str, key: str, value: bytes) -> None:
        self._write_private(collection, key, _some(key, value))

    def del_private(self, collection: str, key: str) -> None:
        self._write_private(collection, key, None)

    def purge_private(self, collection: str, key: str) -> None:
        self._write_private(collection, key, None)
        self.purges.add((collection, key))

    def get_private_range(self, collection: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        if self.writes or self.private_writes or self.parameters:
            raise RuntimeError("a transaction that writes cannot range over private keys")
        self._ranged_privately = True
        held = {key: entry for (place, key), entry in self._private.items() if place == collection}
        return ((key, entry.value) for key, entry in _in_range(held, start, end))

    def get_validation_parameter(self, key: str, collection: str = PUBLIC) -> bytes | None:
        entry = self._read_hashed(collection, key) if collection else self._read(key)
        return (entry.parameter if entry else b"") or None

    def set_validation_parameter(self, key: str, policy: bytes, collection: str = PUBLIC) -> None:
        self._require_no_private_range()
        self.parameters[collection, key] = policy

    def hashed_writes(self) -> Iterator[tuple[str, HashedWrite]]:
        """What everybody sees of the private writes."""
        for (collection, key), value in sorted(self.private_writes.items()):
            value_hash = b"" if value is None else _sha256(value)
            yield (
                collection,
                HashedWrite(_key_hash(key), value_hash, value is None, (collection, key) in self.purges),
            )

    def _read(self, key: str) -> Entry | None:
        entry = self._state.get(key)
        self.reads[key] = entry.version if entry else None
        return entry

    def _read_hashed(self, collection: str, key: str) -> Entry | None:
        entry = self._hashed.get((collection, _key_hash(key)))
        self.hashed_reads[collection, key] = entry.version if entry else None
        return entry

    def _write_private(self, collection: str, key: str, value: bytes | None) -> None:
        self._require_no_private_range()
        self.private_writes[collection, key] = value
        self.purges.discard((collection, key))

    def _require_no_private_range(self) -> None:
        if self._ranged_privately:
            raise RuntimeError("a transaction that ranged over private keys cannot write")


class MemoryWorld:
    """One channel's world state, private values included, and history. Each commit is a block."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self.height = 0
        self.state: dict[str, Entry] = {}
        self.private: dict[Place, Entry] = {}
        self.hashed: dict[HashedPlace, Entry] = {}
        self.events: list[tuple[str, bytes]] = []
        self.history: dict[str, list[KeyModification]] = {}

    def stub(
        self,
        args: Sequence[bytes],
        *,
        creator: bytes,
        tx_id: str,
        timestamp_ns: int,
        transient: Mapping[str, bytes] | None = None,
        decorations: Mapping[str, bytes] | None = None,
        holds: Container[str] | None = None,
    ) -> MemoryStub:
        """A stub on a snapshot of now: later commits do not change what it sees.

        `holds`: the collections whose values the peer keeps; all of them unless it is told otherwise.
        """
        return MemoryStub(
            self,
            tx_id=tx_id,
            creator=creator,
            args=args,
            timestamp_ns=timestamp_ns,
            transient=transient or {},
            decorations=decorations or {},
            holds=holds,
        )

    def commit(self, *simulated: MemoryStub) -> tuple[TxCode, ...]:
        """Judge one block of simulations in order, and apply the valid ones."""
        verdicts = []
        changed: set[str | HashedPlace] = set()  # by this block
        for index, stub in enumerate(simulated):
            verdict = self._judge(stub, changed)
            if verdict is TxCode.VALID:
                version = Version(self.height, index)
                changed |= self._apply(stub, version) | self._apply_private(stub, version)
                if stub.event is not None:
                    self.events.append(stub.event)
            verdicts.append(verdict)
        self.height += 1
        return tuple(verdicts)

    def _judge(self, stub: MemoryStub, changed: Container[str | HashedPlace]) -> TxCode:
        """A key written earlier in the block is a conflict, whatever version was read."""
        for key, version in stub.reads.items():
            if key in changed or version != _version(self.state.get(key)):
                return TxCode.MVCC_READ_CONFLICT
        for read in stub.range_reads:
            if not self._answers_alike(read):
                return TxCode.PHANTOM_READ_CONFLICT
        for (collection, name), version in stub.hashed_reads.items():
            place = (collection, _key_hash(name))
            if place in changed or version != _version(self.hashed.get(place)):
                return TxCode.MVCC_READ_CONFLICT
        return TxCode.VALID

    def _answers_alike(self, read: RangeRead) -> bool:
        """A scan that stopped early answers for what it consumed only."""
        now = [(key, entry.version) for key, entry in _in_range(self.state, read.start, read.end)]
        return now == read.results if read.exhausted else now[: len(read.results)] == read.results

    def _apply(self, stub: MemoryStub, version: Version) -> set[str | HashedPlace]:
        """The public part; the keys that it changed."""
        for key, value in stub.writes.items():
            modification = KeyModification(stub.tx_id, stub.timestamp_ns, value or b"", is_delete=value is None)
            self.history.setdefault(key, []).append(modification)
            _write(self.state, key, value, version)
        set_now = {key: policy for (collection, key), policy in stub.parameters.items() if collection == PUBLIC}
        return {*stub.writes, *_set_parameters(self.state, set_now, version)}

    def _apply_private(self, stub: MemoryStub, version: Version) -> set[str | HashedPlace]:
        """The private part, values and hashes; the hashed keys that it changed."""
        for place, value in stub.private_writes.items():
            _write(self.private, place, value, version)
        hashes = {(collection, write.key_hash): write.value_hash or None for collection, write in stub.hashed_writes()}
        for hashed_place, value_hash in hashes.items():
            _write(self.hashed, hashed_place, value_hash, version)
        own = {place: policy for place, policy in stub.parameters.items() if place[0] != PUBLIC}
        _set_parameters(self.private, own, version)
        hashed = {(collection, _key_hash(key)): policy for (collection, key), policy in own.items()}
        return {*hashes, *_set_parameters(self.hashed, hashed, version)}


_Key = TypeVar("_Key")


def _write(state: dict[_Key, Entry], key: _Key, value: bytes | None, version: Version) -> None:
    """A value that is written anew keeps the key's own policy."""
    before = state.pop(key, None)
    if value is not None:
        state[key] = Entry(value, version, before.parameter if before else b"")


def _set_parameters(state: dict[_Key, Entry], policies: Mapping[_Key, bytes], version: Version) -> set[_Key]:
    """The keys that are there to have a policy."""
    present = {key: policy for key, policy in policies.items() if key in state}
    for key, policy in present.items():
        state[key] = replace(state[key], version=version, parameter=policy)
    return set(present)


def _version(entry: Entry | None) -> Version | None:
    return entry.version if entry else None


def _some(key: str, value: bytes) -> bytes:
    if not key or not value:
        raise ValueError("a key and its value cannot be empty: an empty write is a delete")
    return bytes(value)


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def _key_hash(key: str) -> bytes:
    return _sha256(key.encode())


def _in_range(state: Mapping[str, Entry], start: str, end: str) -> Iterator[tuple[str, Entry]]:
    """Code point order, which is the byte order of UTF-8. An empty end is the end of all keys."""
    ordered = sorted(state)
    for key in ordered[bisect_left(ordered, start) :]:
        if end and key >= end:
            return
        yield key, state[key]
