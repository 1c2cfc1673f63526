"""What a seed stands for: the size of the network, the load, what goes wrong and who lies."""

import random
from dataclasses import dataclass, replace

from tests.simulation.faults import (
    CLOCK_JUMP_S_MAX,
    MISFORTUNES,
    SILENCING,
    WIPING,
    Misfortune,
    clock_jumps,
    left_alone,
)
from tests.simulation.liars import Liars

UNARY_SHARE = 0.3  # of runs whose clients use Fabric's own calls only
ALONE_WITH_LIARS = 2  # times that a peer needs everything, where a fellow lies: who needs nothing asks nobody


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed stands for."""

    seed: int
    orderers: int
    block_transactions: int
    clients: int
    calls: int  # of each client
    misfortunes: tuple[tuple[float, Misfortune], ...]
    liars: Liars
    acts: int = 0  # of officials
    batches: bool = True  # whether clients use our own calls, or Fabric's only

    @classmethod
    def of(cls, seed: int) -> "Plan":
        """The plan of a seed."""
        chance = random.Random(f"plan {seed}")
        length_s = chance.uniform(5.0, 40.0)
        orderers = chance.choice((1, 3))
        liars = Liars.of(seed, orderers)
        plan = cls(
            seed=seed,
            orderers=orderers,
            block_transactions=chance.choice((1, 3, 10)),
            clients=chance.randint(2, 5),
            calls=chance.randint(8, 20),
            misfortunes=_misfortunes(chance, length_s, liars),
            liars=liars,
            # Who is told two stories would follow two configurations, and an endorser that lies shows any.
            acts=0 if liars.alone or liars.endorser is not None or liars.twins else chance.choice((0, 2, 4)),
            batches=random.Random(f"transport {seed}").random() > UNARY_SHARE,
        )
        if liars.twins is not None:  # whoever has seen two stories is to keep both
            plan = replace(plan, misfortunes=tuple(each for each in plan.misfortunes if each[1] not in WIPING))
        return replace(plan, misfortunes=()) if liars.alone else plan

    @property
    def everybody_is_heard(self) -> bool:
        """Whether nothing keeps peers from telling each other what they were given."""
        return not any(what in SILENCING for _, what in self.misfortunes)

    @property
    def clocks_are_right(self) -> bool:
        """More or less."""
        return not any(what is clock_jumps for _, what in self.misfortunes)

    @property
    def clocks_apart_ms(self) -> int:
        """How far any two clocks may be from each other."""
        return 1000 if self.clocks_are_right else 2 * CLOCK_JUMP_S_MAX * 1000

    def __str__(self) -> str:
        what = ", ".join(f"{misfortune.__name__} at {when:.2f}" for when, misfortune in self.misfortunes)
        return (
            f"seed {self.seed}: {self.orderers} orderers, blocks of {self.block_transactions}, "
            f"{self.clients} clients with {self.calls} calls; {self.acts} acts of officials; {self.liars}; {what}"
        )


def _misfortunes(chance: random.Random, length_s: float, liars: Liars) -> tuple[tuple[float, Misfortune], ...]:
    """What goes wrong within a time, and when."""
    found = [(chance.uniform(0.0, length_s), chance.choice(MISFORTUNES)) for _ in range(chance.randint(1, 8))]
    if liars.fellow is not None:
        found += ((chance.uniform(0.0, length_s), left_alone) for _ in range(ALONE_WITH_LIARS))
    return tuple(sorted(found, key=lambda each: each[0]))
