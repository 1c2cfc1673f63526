"""What there is on a channel: records under their keys, and one call that looks at them and would change them."""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.judge.forms import (
    INTEGER_MAX,
    Key,
    Record,
    Refusal,
    latest_first,
    read_moment,
    require,
    show_moment,
)

ACCESS_DENIED = "ACCESS_DENIED"
BAD_VALUE = "BAD_VALUE"

_EDGES = {"grant": ("not_before", "not_after"), "request": ("expires_at",)}  # moments at which something begins or ends


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls, as his certificate says. `party` is `<common name>@<MSP id>`."""

    party: str
    admin: bool = False
    auditor: bool = False

    @property
    def of_the_ministry(self) -> bool:
        return self.party.endswith("@MinistryMSP")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the contract. `moments`: the proposal's timestamp, then every other clock that may refuse."""

    who: Person
    function: str
    args: tuple[bytes, ...]
    moments: tuple[int, ...]
    tx_id: str = ""
    transient: Mapping[str, bytes] = field(default_factory=dict)


class World:
    """All records, on shelves by kind and first part of the key, and every coin that ever was with its holder."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.coins_ever: dict[str, str] = {}
        self._shelves: dict[Key, dict[Key, Record]] = {}
        self._kinds: dict[str, set[Key]] = {}
        self._edges: list[int] = []

    def get(self, key: Key) -> Record | None:
        return self._shelves.get(key[:2], {}).get(key)

    def shelf(self, kind: str, first: str) -> Mapping[Key, Record]:
        return self._shelves.get((kind, first), {})

    def everything(self, kind: str) -> Iterator[tuple[Key, Record]]:
        for shelf in self._kinds.get(kind, ()):
            yield from self._shelves[shelf].items()

    def records(self) -> dict[Key, Record]:
        return {key: record for shelf in self._shelves.values() for key, record in shelf.items()}

    def instants(self, earliest: int, latest: int) -> list[int]:
        """Moments from the earliest to the latest, one for each stretch in which time alone changes no answer.

        The latest, too: whether a time that is sold has passed already depends on how far two clocks are apart.
        """
        return [earliest, *self._edges[bisect_right(self._edges, earliest) : bisect_right(self._edges, latest)], latest]

    def apply(self, changes: Mapping[Key, Record | None]) -> None:
        for key, record in changes.items():
            shelf = self._shelves.setdefault(key[:2], {})
            self._kinds.setdefault(key[0], set()).add(key[:2])
            if record is None:
                shelf.pop(key, None)
                continue
            shelf[key] = record
            if key[0] == "coin":
                self.coins_ever[key[2]] = key[1]
            for name in _EDGES.get(key[0], ()):
                self._remember_edge(read_moment(record[name]))

    def _remember_edge(self, moment: int) -> None:
        place = bisect_left(self._edges, moment)
        if self._edges[place : place + 1] != [moment]:
            self._edges.insert(place, moment)


@dataclass(slots=True)
class Scene:
    """A call at work. It sees the world as it was before it, and collects what would become of it.

    `looked_at`: the shelves, and whole kinds, that the answer depends on.
    """

    world: World
    call: Call
    changes: dict[Key, Record | None] = field(default_factory=dict)
    event: tuple[str, Record] | None = None
    looked_at: set[Key] = field(default_factory=set)
    coins_made: int = 0

    @property
    def me(self) -> str:
        return self.call.who.party

    @property
    def now(self) -> int:
        show_moment(self.call.moments[0])
        return self.call.moments[0]

    def get(self, *key: str) -> Record | None:
        self.looked_at.add(key[:2])
        return self.world.get(key)

    def on_shelf(self, kind: str, *parts: str) -> list[tuple[Key, Record]]:
        """Every record whose key begins so, in the order of keys. Without parts, of a whole kind."""
        self.looked_at.add((kind, *parts[:1]))
        found: Iterable[tuple[Key, Record]]
        found = self.world.shelf(kind, parts[0]).items() if parts else self.world.everything(kind)
        start = (kind, *parts)
        return sorted((entry for entry in found if entry[0][: len(start)] == start), key=lambda entry: entry[0])

    def put(self, *key: str, **fields: object) -> Record:
        self.changes[key] = fields
        return fields

    def remove(self, *key: str) -> None:
        self.changes[key] = None

    def act(self, owner: str, name: str, what: str, **details: object) -> None:
        """Enter into the journal of an asset what was done with it."""
        moment, tx_id = self.now, self.call.tx_id
        self.put(
            *("journal", owner, name, latest_first(moment), tx_id),
            docType="act",
            version=1,
            act=what,
            asset=f"{owner}/{name}",
            by=self.me,
            time=show_moment(moment),
            tx_id=tx_id,
            details=details,
        )

    def pay(self, holder: str, amount: int) -> None:
        """A new coin; none for nothing."""
        if amount:
            coin = hashlib.sha256(f"{self.call.tx_id}:{self.coins_made}".encode()).hexdigest()
            self.coins_made += 1
            self.put("coin", holder, coin, docType="coin", version=1, id=coin, holder=holder, amount=amount)

    def spend(self, coins: Sequence[str], price: int) -> None:
        """Coins of the caller's for a price; the change comes back."""
        require(len(coins) == len(set(coins)) and len(coins) <= 256, BAD_VALUE, "a coin named twice, or too many")
        worth = 0
        for coin in coins:
            require("\0" not in coin and "\U0010ffff" not in coin, BAD_VALUE, "not a coin id")
            found = self.get("coin", self.me, coin)
            if found is None:
                raise Refusal("COIN_NOT_FOUND", self._what_became_of(coin))
            worth += found["amount"]
            self.remove("coin", self.me, coin)
        require(worth <= INTEGER_MAX, BAD_VALUE, "more coins than can be counted")
        require(worth >= price, "NOT_ENOUGH_COINS", f"{worth} coins for {price}")
        self.pay(self.me, worth - price)

    def _what_became_of(self, coin: str) -> str:
        holder = self.world.coins_ever.get(coin)
        if holder is None:
            return NEVER_WAS
        return SPENT_BEFORE if holder == self.me else OF_ANOTHER


NEVER_WAS = "a coin that never was"
SPENT_BEFORE = "a coin that was spent before"
OF_ANOTHER = "a coin of somebody else's"
