"""The reference ledger that ships with the chaincode room: a world state in memory, with Fabric's reads and conflicts.

A `MemoryStub` simulates one invocation on a snapshot of a `MemoryWorld` and records what it reads and writes;
`MemoryWorld.commit` judges such simulations in order, as a committer does: a stale read is MVCC_READ_CONFLICT, a range
that would now answer differently is PHANTOM_READ_CONFLICT, and neither changes anything. Deterministic: ids and times
are arguments. Not here: endorsement, signatures, private data.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from privysharing.chaincode.stub import KeyModification
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import Version


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed value and the height that wrote it."""

    value: bytes
    version: Version


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
        state: Mapping[str, Entry],
        history: Mapping[str, Sequence[KeyModification]],
        *,
        channel_id: str,
        tx_id: str,
        creator: bytes,
        args: Sequence[bytes],
        timestamp_ns: int,
        transient: Mapping[str, bytes],
        decorations: Mapping[str, bytes],
    ) -> None:
        self.channel_id = channel_id
        self.tx_id = tx_id
        self.creator = creator
        self.args = tuple(args)
        self.timestamp_ns = timestamp_ns
        self.transient = transient
        self.decorations = decorations
        self.reads: dict[str, Version | None] = {}
        self.range_reads: list[RangeRead] = []
        self.writes: dict[str, bytes | None] = {}  # None deletes
        self.event: tuple[str, bytes] | None = None
        self._state = state
        self._history = history

    def get_state(self, key: str) -> bytes | None:
        entry = self._state.get(key)
        self.reads[key] = entry.version if entry else None
        return entry.value if entry else None

    def put_state(self, key: str, value: bytes) -> None:
        if not key or not value:
            raise ValueError("a key and its value cannot be empty: an empty write is a delete")
        self.writes[key] = bytes(value)

    def del_state(self, key: str) -> None:
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


class MemoryWorld:
    """One channel's world state and history. Each commit is a block."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self.height = 0
        self.state: dict[str, Entry] = {}
        self.events: list[tuple[str, bytes]] = []
        self._history: dict[str, list[KeyModification]] = {}

    def stub(
        self,
        args: Sequence[bytes],
        *,
        creator: bytes,
        tx_id: str,
        timestamp_ns: int,
        transient: Mapping[str, bytes] | None = None,
        decorations: Mapping[str, bytes] | None = None,
    ) -> MemoryStub:
        """A stub on a snapshot of now: later commits do not change what it sees."""
        return MemoryStub(
            dict(self.state),
            {key: tuple(modifications) for key, modifications in self._history.items()},
            channel_id=self.channel_id,
            tx_id=tx_id,
            creator=creator,
            args=args,
            timestamp_ns=timestamp_ns,
            transient=transient or {},
            decorations=decorations or {},
        )

    def commit(self, *simulated: MemoryStub) -> tuple[TxCode, ...]:
        """Judge one block of simulations in order, and apply the valid ones."""
        verdicts = []
        for index, stub in enumerate(simulated):
            verdict = self._judge(stub)
            if verdict is TxCode.VALID:
                self._apply(stub, Version(self.height, index))
            verdicts.append(verdict)
        self.height += 1
        return tuple(verdicts)

    def _judge(self, stub: MemoryStub) -> TxCode:
        """Applying each valid transaction at once makes a key written earlier in the block a conflict by itself."""
        for key, version in stub.reads.items():
            entry = self.state.get(key)
            if version != (entry.version if entry else None):
                return TxCode.MVCC_READ_CONFLICT
        for read in stub.range_reads:
            if not self._answers_alike(read):
                return TxCode.PHANTOM_READ_CONFLICT
        return TxCode.VALID

    def _answers_alike(self, read: RangeRead) -> bool:
        """A scan that stopped early answers for what it consumed only."""
        now = [(key, entry.version) for key, entry in _in_range(self.state, read.start, read.end)]
        return now == read.results if read.exhausted else now[: len(read.results)] == read.results

    def _apply(self, stub: MemoryStub, version: Version) -> None:
        for key, value in stub.writes.items():
            modification = KeyModification(stub.tx_id, stub.timestamp_ns, value or b"", is_delete=value is None)
            self._history.setdefault(key, []).append(modification)
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = Entry(value, version)
        if stub.event is not None:
            self.events.append(stub.event)


def _in_range(state: Mapping[str, Entry], start: str, end: str) -> Iterator[tuple[str, Entry]]:
    """Code point order, which is the byte order of UTF-8. An empty end is the end of all keys."""
    ordered = sorted(state)
    for key in ordered[bisect_left(ordered, start) :]:
        if end and key >= end:
            return
        yield key, state[key]
