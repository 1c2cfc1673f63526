"""What a judge finds wrong, by name."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """The names of the contract's and the histories' faults."""

    # Transactions that peers found valid
    FORBIDDEN = "a valid transaction that the rules forbid"
    HAPPENED_TWICE = "a transaction that happened twice"
    SPENT_TWICE = "a coin spent twice"
    STOLEN = "a coin of somebody else's spent"
    FROM_NOTHING = "coins from nothing"
    COIN_LOST = "a coin lost"
    UNPAID_GRANT = "a grant without payment"
    STRANGERS_GRANT = "a grant by somebody who does not own the asset"
    OTHER_GRANT = "a grant other than was paid for"
    OTHER_ANSWER = "an answer other than the rules give"
    OTHER_WRITE = "a write other than the rules make"
    OTHER_EVENT = "an event other than the rules emit"
    OTHER_STATE = "a state other than the transactions make"
    UNBALANCED = "minted is not held and escrowed and burned"

    # What clients were told
    LOST = "an acknowledged transaction that is not in the chain"
    OTHER_BLOCK = "a transaction in another block than its client was told"
    OTHER_VERDICT = "a verdict other than the client was told"
    OTHER_PAYLOAD = "an answer other than the client was told"
    OUT_OF_ORDER = "committed before a transaction that was acknowledged before it began"
    UNEXPLAINED = "an answer that no block explains"
    STALE = "a read that misses what this peer had acknowledged"
    WENT_BACK = "a session that went back in time"
    NODE_WENT_BACK = "a peer that went back in time"
    FROM_THE_FUTURE = "an answer from a block that did not exist yet"


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding: its name, where it is (a transaction, a key, an operation), and what was there instead of what."""

    kind: Wrong
    place: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.place}" + (f": {self.detail}" if self.detail else "")
