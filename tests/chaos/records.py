"""What clients handed to the ordering service, and what they were told of it."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId


def digest(envelope: bytes) -> bytes:
    """An envelope's name: not its transaction's id, which other bytes could bear too."""
    return hashlib.sha256(envelope).digest()


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict as a peer told it to a client."""

    code: TxCode
    block_num: int


@dataclass(slots=True)
class Records:
    """See the module. Only grows."""

    ids: dict[bytes, TxId] = field(default_factory=dict)  # of envelopes that were handed to Broadcast
    sends: Counter[bytes] = field(default_factory=Counter)  # how often, at most
    acknowledged: Counter[bytes] = field(default_factory=Counter)  # how often the answer was SUCCESS
    told: dict[TxId, list[Told]] = field(default_factory=dict)
    contested: set[TxId] = field(default_factory=set)  # those that others may have overtaken
    unsettled: set[TxId] = field(default_factory=set)  # nobody could tell what became of them
    configurations: int = 0  # changes of the channel's configuration that were acknowledged
    failures: Counter[str] = field(default_factory=Counter)  # of calls that came to nothing, or to nothing certain

    def send(self, tx_id: TxId, envelope: bytes) -> None:
        """An envelope is about to be handed to an orderer."""
        self.ids[digest(envelope)] = tx_id
        self.sends[digest(envelope)] += 1

    def acknowledge(self, envelope: bytes) -> None:
        """An orderer has answered SUCCESS to one of them."""
        self.acknowledged[digest(envelope)] += 1

    def tell(self, tx_id: TxId, code: TxCode, block_num: int, *, contested: bool) -> None:
        """A peer has told a verdict: the transaction must have been acknowledged."""
        self.told.setdefault(tx_id, []).append(Told(code, block_num))
        if contested:
            self.contested.add(tx_id)

    @property
    def transactions(self) -> set[TxId]:
        """All that were acknowledged."""
        return {self.ids[each] for each in self.acknowledged} | self.told.keys()

    @property
    def progress(self) -> int:
        """Grows whenever the network has kept a promise."""
        return self.acknowledged.total() + len(self.told)
