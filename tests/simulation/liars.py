"""Who lies in a run, what each of them says, and what may never come of it.

Liars have the keys of their role and nothing more. `lying_clients` go to the orderers with envelopes of their own
making, `lying_endorsers` answer proposals, `lying_fellows` tell other peers of private data, `lying_orderers` take
envelopes and hand out blocks. There is at most one of each that lies: what coalitions could do is in the threat model.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.judge.ledger.codes import Code
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.loop import SimulatedLoop

ENDORSERS = 3  # of the simulated town
FELLOWS = 2  # there: peers of members of the collection, but for the first
HONEST = "honest"  # the mood of a liar who does not lie
MOOD_S = 1.0  # mean time for which a liar sticks to one kind of lie


@dataclass(frozen=True, slots=True)
class Liars:
    """Who lies, as a seed has it: numbers among those of a role."""

    client: bool = False
    endorser: int | None = None
    fellow: int | None = None
    orderer: int | None = None
    twins: int | None = None  # the block of the run from which on the orderer tells two stories
    lies: tuple[str, ...] = ()  # that nodes tell, and nothing else; all of them now and then, if none is named
    alone: bool = False  # nothing else goes wrong: everybody else must be served

    @classmethod
    def of(cls, seed: int, orderers: int) -> "Liars":
        """Those of a seed, with so many orderers."""
        chance = random.Random(f"liars {seed}")
        gossip = random.Random(f"lying fellow {seed}")
        client, endorser = chance.random() < 0.3, chance.random() < 0.3
        orderer = chance.random() < (0.5 if orderers > 1 else 0.15)
        twins = orderers == 1 or chance.random() < 0.5
        return cls(
            client=client,
            endorser=chance.randrange(ENDORSERS) if endorser else None,
            # The first of them is asked most: it is never without a disk, as the other one is.
            fellow=(0 if gossip.random() < 0.7 else gossip.randrange(FELLOWS)) if gossip.random() < 0.3 else None,
            # Every peer asks the first orderer first.
            orderer=(0 if chance.random() < 0.5 else chance.randrange(orderers)) if orderer else None,
            twins=chance.randint(1, 12) if orderer and twins else None,
            alone=(client or endorser or orderer) and chance.random() < 0.3,
        )

    def __str__(self) -> str:
        found = [
            "a lying client" if self.client else "",
            "" if self.endorser is None else f"endorser {self.endorser} lies",
            "" if self.fellow is None else f"fellow {self.fellow} lies",
            "" if self.orderer is None else f"orderer {self.orderer} lies",
            "" if self.twins is None else f"with two stories from block {self.twins} on",
        ]
        return ", ".join(filter(None, found)) or "nobody lies"


@dataclass(slots=True)
class Told:
    """The lies of a run."""

    met: Counter[str] = field(default_factory=Counter)
    forged: dict[bytes, str] = field(default_factory=dict)  # what must never be valid, by the hash of the envelope

    def tell(self, liar: str, lie: str) -> None:
        """Count a lie."""
        self.met[f"{liar}: {lie}"] += 1

    def forge(self, envelope: bytes, lie: str) -> None:
        """Remember an envelope that nothing may come of."""
        self.forged[hashlib.sha256(envelope).digest()] = lie

    def faults(self, model: LedgerModel) -> Iterator[str]:
        """What came of lies all the same; and of honest envelopes that were handed in many times."""
        valid: dict[str, int] = {}
        for block in model.blocks:
            for envelope, code, tx_id in zip(block.data, block.codes, block.tx_ids, strict=True):
                if code is not Code.VALID or not tx_id:
                    continue
                if lie := self.forged.get(hashlib.sha256(envelope).digest()):
                    yield f"a lie is valid in block {block.number}: {lie}, transaction {tx_id}"
                if tx_id in valid:
                    yield f"transaction {tx_id} is valid in block {valid[tx_id]} and in block {block.number}"
                valid[tx_id] = block.number


class Moods:
    """What a liar is up to: one thing for a while, then another."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random, moods: Sequence[str]) -> None:
        self._loop = loop
        self._chance = chance
        self._moods = moods
        self._mood = moods[0]
        self._until = 0.0

    def now(self) -> str:
        """The mood of the moment."""
        if self._loop.now >= self._until:
            self._mood = self._chance.choice(self._moods)
            self._until = self._loop.now + self._chance.expovariate(1 / MOOD_S)
        return self._mood
