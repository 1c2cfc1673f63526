"""What is done to which node, and when: a function of the seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

MIB = 1024 * 1024

AGAIN_MAX = 3  # kills in a row during one recovery
AGAIN_SECONDS = (0.2, 1.2)  # after its start: imports take the first half second, recovery the next
DOWN_SECONDS_MAX = 2.0
QUIET_SECONDS = (0.3, 2.0)  # before each strike, with everybody at work
STOPPED_SECONDS = (1.0, 6.0)
HEADROOM_BYTES_MAX = MIB // 4  # left on a disk that fills up: nodes write some kilobytes for a transaction


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to all victims at once; each restart but the last is cut short after so many seconds."""

    victims: tuple[str, ...]
    down_s: float = 0.0
    again_after_s: tuple[float, ...] = ()
    waits: bool = True  # until all serve, before anything else happens

    @property
    def kills(self) -> int:
        """How many processes it ends."""
        return len(self.victims) * (1 + len(self.again_after_s))


@dataclass(frozen=True, slots=True)
class Stop:
    """SIGSTOP, and SIGCONT after some seconds."""

    victim: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Restart:
    """SIGTERM, and a new start."""

    victim: str


@dataclass(frozen=True, slots=True)
class FullDisk:
    """The victim's disk fills up but for some bytes, until there is room again."""

    victim: str
    headroom: int


Strike = Kill | Stop | Restart | FullDisk


@dataclass(frozen=True, slots=True)
class Step:
    """A strike, after some seconds of quiet."""

    quiet_s: float
    strike: Strike


def schedule(seed: int, kills: int, nodes: Sequence[str]) -> Iterator[Step]:
    """Strikes with exactly so many kills among them. They begin with one of each kind, in any order."""
    random = Random(seed)
    kinds = ["again", "all", "stop", "restart", "disk"]
    random.shuffle(kinds)
    left = kills
    while kinds or left:
        kind = kinds.pop() if kinds else random.choices(
            ("kill", "again", "all", "stop", "restart", "disk"), (10, 5, 1, 4, 2, 1)
        )[0]  # fmt: skip
        strike = _strike(kind, random, nodes, left)
        if strike is None:
            continue
        if isinstance(strike, Kill):
            left -= strike.kills
        yield Step(random.uniform(*QUIET_SECONDS), strike)


def _strike(kind: str, random: Random, nodes: Sequence[str], left: int) -> Strike | None:
    """None: it would kill more than are left to be killed."""
    if kind == "stop":
        return Stop(random.choice(nodes), random.uniform(*STOPPED_SECONDS))
    if kind == "restart":
        return Restart(random.choice(nodes))
    if kind == "disk":
        return FullDisk(random.choice(nodes), random.randrange(HEADROOM_BYTES_MAX))
    victims = nodes if kind == "all" else random.sample(nodes, random.choice((1, 1, 2)))
    if len(victims) > left:
        victims = random.sample(nodes, 1)
    again = min(random.randint(1, AGAIN_MAX) if kind == "again" else 0, left // len(victims) - 1)
    if again < 0:
        return None
    return Kill(
        tuple(victims),
        down_s=random.uniform(0, DOWN_SECONDS_MAX),
        again_after_s=tuple(random.uniform(*AGAIN_SECONDS) for _ in range(again)),
        waits=random.random() < 0.7,
    )
