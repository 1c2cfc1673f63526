"""What clients did and were told, and the chain that must explain it: plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.simulation.judge.workload import Kind
from tests.simulation.judge.world import Person

VALID = "VALID"


@dataclass(frozen=True, slots=True)
class Committed:
    """A peer told this verdict on the transaction: VALID, or the name of another code."""

    tx_id: str
    block: int
    code: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was ordered. `code` is the contract's; empty where something else refused."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    payload: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened or not. `tx_id` is empty where not even that is known."""

    why: str
    tx_id: str = ""


Told: TypeAlias = Committed | Refused | Answer | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`node`: the peer whose word the outcome is; empty where it is not known.

    `started` and `ended` are seconds of the shared clock. Every clock that had a say in the call, the client's and the
    peers', showed something from `earliest_ns` to `latest_ns` since 1970.
    """

    session: str
    who: Person
    node: str
    kind: Kind
    function: str
    args: tuple[str, ...]
    started: float
    ended: float
    earliest_ns: int
    latest_ns: int
    outcome: Told
    transient: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        call = f"{self.function}({', '.join(self.args)}) of {self.who.party}"
        where = f" at {self.node}" if self.node else ""
        return f"{self.session} {self.started:.6f} to {self.ended:.6f}{where}: {call} -> {self.outcome}"


@dataclass(frozen=True, slots=True)
class Block:
    """Ids and codes of a block's transactions, in order. `made`: when it came into being, where somebody knows."""

    number: int
    transactions: tuple[tuple[str, str], ...]
    made: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the chain an id was found."""

    block: int
    index: int
    code: str


class Chain:
    """A channel's blocks, from the first, with the places of every id."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = blocks
        self._places: dict[str, list[Place]] = {}
        for block in blocks:
            for index, (tx_id, code) in enumerate(block.transactions):
                self._places.setdefault(tx_id, []).append(Place(block.number, index, code))

    def places(self, tx_id: str) -> Sequence[Place]:
        return self._places.get(tx_id, ())

    def first_seen(self, operations: Sequence[Operation]) -> list[float]:
        """For each block, a time before which it did not exist: its own, and when what it holds was called.

        No block is older than the one before it.
        """
        called = {op.outcome.tx_id: op.started for op in operations if isinstance(op.outcome, Committed | Unknown)}
        times, latest = [], float("-inf")
        for block in self.blocks:
            own = [called[tx_id] for tx_id, _ in block.transactions if tx_id in called]
            latest = max([latest, *own, *([] if block.made is None else [block.made])])
            times.append(latest)
        return times
