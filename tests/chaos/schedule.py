"""What is done to which node, and when: a function of the seed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random

MIB = 1024 * 1024

AGAIN_MAX = 3  # kills in a row during one recovery
AGAIN_SECONDS = (0.2, 1.2)  # after its start: imports take the first half second, recovery the next
DOWN_SECONDS_MAX = 2.0
Range = tuple[float, float]
QUIET_SECONDS = (0.3, 2.0)  # before each strike, with everybody at work
STOPPED_SECONDS = (1.0, 6.0)
MEDDLED_MAX = 20
ENSEMBLE_LEADER = "the leader of the ensemble"  # whoever that is when it is struck
# How often each kind of strike comes, once each has been there.
KINDS = {"kill": 10, "again": 5, "all": 1, "stop": 4, "restart": 2, "disk": 1}
KAFKA_KINDS = {
    "orderer": 6,
    "broker": 6,
    "zookeeper": 2,
    "leader": 2,
    "cluster": 1,
    "turn": 1,
    "freeze": 2,
    "cut": 2,
    "meddle": 3,
}
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


@dataclass(frozen=True, slots=True)
class Cut:
    """Nothing passes between one orderer and the brokers for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Meddle:
    """Records that are in the topic already come once more, as a producer's retries may; and others mean nothing."""

    records: int


Strike = Kill | Stop | Restart | FullDisk | Cut | Meddle


@dataclass(frozen=True, slots=True)
class Victims:
    """Whom to strike, by name. `brokers` and `ensemble` are of the network's own Kafka cluster, where it has one."""

    nodes: Sequence[str]
    orderers: Sequence[str] = ()
    brokers: Sequence[str] = ()
    ensemble: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A strike, after some seconds of quiet."""

    quiet_s: float
    strike: Strike


def schedule(
    seed: int, kills: int, victims: Victims, stopped_s: Range = STOPPED_SECONDS, only: Collection[str] = ()
) -> Iterator[Step]:
    """Strikes with exactly so many kills among them. They begin with one of each kind that fits, in any order.

    Processes are stopped, and connections cut, for so many seconds at least and at most. `only` these kinds.
    """
    random = Random(seed)
    weights = KINDS | (KAFKA_KINDS if victims.brokers else {})
    weights = {kind: weight for kind, weight in weights.items() if not only or kind in only}
    kinds = [kind for kind in weights if kind != "kill"]
    random.shuffle(kinds)
    left = kills
    while kinds or left:
        kind = kinds.pop() if kinds else random.choices(list(weights), list(weights.values()))[0]
        strikes = _strikes(kind, random, victims, left, stopped_s)
        left -= sum(strike.kills for strike in strikes if isinstance(strike, Kill))
        for strike in strikes:
            yield Step(random.uniform(*QUIET_SECONDS), strike)


def _strikes(kind: str, random: Random, victims: Victims, left: int, stopped_s: Range) -> list[Strike]:
    """None at all, when they would kill more than are left to be killed."""
    members = [*victims.brokers, *victims.ensemble]
    match kind:
        case "stop":
            return [Stop(random.choice(victims.nodes), random.uniform(*stopped_s))]
        case "freeze":
            frozen = (random.choice(each) for each in (victims.brokers, victims.ensemble, victims.orderers) if each)
            return [Stop(victim, random.uniform(*stopped_s)) for victim in frozen]
        case "cut":
            return [Cut(random.uniform(*stopped_s))]
        case "meddle":
            return [Meddle(random.randint(1, MEDDLED_MAX))]
        case "restart":
            return [Restart(random.choice(victims.nodes))]
        case "disk":
            return [FullDisk(random.choice(victims.nodes), random.randrange(HEADROOM_BYTES_MAX))]
        case "orderer":
            return _kills([random.choice(victims.orderers)], random, left)
        case "broker":
            return _kills([random.choice(victims.brokers)], random, left)
        case "zookeeper":
            return _kills([random.choice(victims.ensemble)] if victims.ensemble else [], random, left)
        case "leader":
            return _kills([ENSEMBLE_LEADER] if victims.ensemble else [], random, left)
        case "cluster":
            return _kills(members, random, left)
        case "turn":
            turns = [_kills([orderer], random, 1) for orderer in victims.orderers]
            return [strike for turn in turns for strike in turn] if len(turns) <= left else []
        case "all":
            return _kills(victims.nodes, random, left) or _kills(random.sample(victims.nodes, 1), random, left)
        case _:
            some = random.sample(victims.nodes, random.choice((1, 1, 2)))
            again = random.randint(1, AGAIN_MAX) if kind == "again" else 0
            return _kills(some[:left], random, left, again)


def _kills(victims: Sequence[str], random: Random, left: int, again: int = 0) -> list[Strike]:
    if not victims or len(victims) > left:
        return []
    again = min(again, left // len(victims) - 1)
    kill = Kill(
        tuple(victims),
        down_s=random.uniform(0, DOWN_SECONDS_MAX),
        again_after_s=tuple(random.uniform(*AGAIN_SECONDS) for _ in range(again)),
        waits=random.random() < 0.7,
    )
    return [kill]
