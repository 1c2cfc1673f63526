"""The values that go into a ledger and come out of it, and the two ports by which others read it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from privysharing.protocol.blocks import Block
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.rwsets import UpdateBatch, VersionedValue
from privysharing.protocol.values import value
from services.peer.validation.view import StateView


@value
class KeyWrite:
    """One public write of a valid transaction: what a key's history is made of."""

    namespace: str
    key: str
    tx_num: int


@value
class Commit:
    """One judged block, ready to be stored. Everything but the block follows from it and the state before it."""

    block: Block  # with TRANSACTIONS_FILTER and COMMIT_HASH filled in
    commit_hash: bytes  # empty on a chain that has none
    tx_ids: tuple[TxId, ...]  # one a transaction; empty when it has none
    verdicts: tuple[TxCode, ...]
    updates: UpdateBatch
    writes: tuple[KeyWrite, ...]
    fresh: frozenset[TxId] = frozenset()  # ids known to stand in no earlier block; the others are looked up


@dataclass(frozen=True, slots=True)
class AppendTimes:
    """Seconds that one append took: the synced block file, then the state batch."""

    block_file: float
    state: float


@value
class TxLocation:
    """Where a transaction id was first seen, and the verdict on that transaction."""

    block_num: int
    tx_num: int
    code: TxCode


@dataclass(frozen=True, slots=True)
class KeyModification:
    """queryresult.KeyModification: one entry of a key's history."""

    tx_id: TxId
    value: bytes
    timestamp_ns: int | None
    is_delete: bool


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One key of the state: a public one, or one of a collection's hashed space, under the hash of its key."""

    namespace: str
    collection: str | None
    key: str | bytes
    stored: VersionedValue


class StateSnapshot(StateView, Protocol):
    """The state as one commit left it, whatever is committed meanwhile. Close it: it holds old data on disk."""

    @property
    def height(self) -> int:
        """Number of blocks that made this state."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def hashes(self, namespace: str, collection: str) -> Iterator[tuple[bytes, VersionedValue]]:
        """Every key of a collection's hashed space, by key hash."""
        ...

    def entries(self) -> Iterator[StateEntry]:
        """The whole state in the order of namespaces, collections (public keys first) and keys."""
        ...

    def close(self) -> None:
        """Let the data go. A second call does nothing."""
        ...


class LedgerPort(Protocol):
    """A channel's ledger. `Ledger` keeps it on disk, `MemoryLedger` in dictionaries.

    One caller appends; any thread reads. Reads see whole commits only.
    """

    channel_id: str

    @property
    def height(self) -> int:
        """Number of blocks; the next block bears this number."""
        ...

    @property
    def tip(self) -> bytes:
        """Header hash of the newest block; empty before the first."""
        ...

    @property
    def commit_hash(self) -> bytes:
        """COMMIT_HASH of the newest block; empty where there is none."""
        ...

    @property
    def state(self) -> StateView:
        """The newest state. Only whoever appends may rely on it standing still."""
        ...

    def append(self, commit: Commit) -> AppendTimes:
        """Store the next block durably, then its effects. Raises LedgerFault."""
        ...

    @property
    def view(self) -> StateSnapshot:
        """The newest state as of one height: the same for all who ask between two commits, nobody's to close."""
        ...

    def snapshot(self) -> StateSnapshot:
        """The state at one height."""
        ...

    def block(self, number: int) -> Block | None:
        """A stored block, None beyond the height."""
        ...

    def block_bytes(self, number: int) -> bytes | None:
        """A stored block as marshalled common.Block."""
        ...

    def block_number_by_hash(self, header_hash: bytes) -> int | None:
        """The number of the block with this header hash."""
        ...

    def transaction(self, tx_id: str) -> TxLocation | None:
        """Where a transaction id was first seen."""
        ...

    def known_ids(self, ids: Iterable[TxId]) -> frozenset[TxId]:
        """Those of the ids that stand on the ledger, valid or not."""
        ...

    def history(self, namespace: str, key: str) -> Iterator[KeyModification]:
        """All writes of a key by valid transactions, newest first."""
        ...

    def close(self) -> None:
        """Release files. Nothing is lost without it."""
        ...


__all__ = [
    "AppendTimes",
    "Commit",
    "KeyModification",
    "KeyWrite",
    "LedgerPort",
    "StateEntry",
    "StateSnapshot",
    "StateView",
    "TxLocation",
    "VersionedValue",
]
