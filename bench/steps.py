"""A flow of transactions that build on each other: who makes which call, knowing what was committed before."""

from collections.abc import Callable
from dataclasses import dataclass, field

from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Call

OWNER, STAKEHOLDER, MINT = "alice", "doctor", "mint"  # by their labels in a network's wallet


@dataclass(slots=True)
class Flow:
    """One of many that are under way: the n-th of a run, and the transactions that it has committed."""

    run: str
    number: int
    tx_ids: list[TxId] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What no other flow is called."""
        return f"{self.run}-{self.number}"


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a flow."""

    caller: str
    call: Callable[[Flow], Call]
