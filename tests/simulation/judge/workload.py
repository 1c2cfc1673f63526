"""Calls that several people of the demo network might make, in a world so small that they get in each other's way.

From one `random.Random` comes a stream of calls: honest ones, clumsy ones (a coin that is spent by now, a request that
is open already) and dishonest ones (another's coin, another's asset). The workload knows only what its people have been
answered, so it serves a simulation and real processes alike, one for everybody or one for each client.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tests.simulation.judge.forms import Json
from tests.simulation.judge.world import Person

MINT = Person("mint@MinistryMSP")
ADMIN = Person("Admin@MinistryMSP", admin=True)
ALICE, BOB = Person("alice@CitizensMSP"), Person("bob@CitizensMSP")
DOCTOR, OFFICER = Person("doctor@MedicalMSP"), Person("officer@PoliceMSP")
MALLORY = Person("mallory@CitizensMSP")  # owns nothing, and nobody shares with her
OWNERS = (ALICE, BOB)
READERS = (DOCTOR, OFFICER, ALICE, BOB)
PEOPLE = (ALICE, BOB, DOCTOR, OFFICER, MALLORY, MINT, ADMIN)

_NAMES = {"pulse": "heart_rate", "sugar": "blood_sugar", "fever": "body_temperature", "wine": "blood_alcohol"}
_PRIVATE = ("wine",)
COLLECTION = "critical"
_REMEMBERED = 12  # coins that were spent, and requests that were filed

Kind = Literal["submit", "evaluate"]
_Sought = tuple[str, str]  # an asset, and who wants to read it


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that somebody is about to make."""

    who: Person
    kind: Kind
    function: str
    args: tuple[str, ...]
    transient: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def collections(self) -> tuple[str, ...]:
        """Those whose members alone are to be asked."""
        deletes = self.function == "DeleteAsset" and self.is_private
        return (COLLECTION,) if deletes or self.function == "AddPrivateReadings" else ()

    @property
    def is_private(self) -> bool:
        """Whether it begins with an asset whose readings members alone have."""
        return bool(self.args) and _name(self.args[0]) in _PRIVATE


def submit(who: Person, function: str, *args: Json, transient: Mapping[str, bytes] | None = None) -> Planned:
    return Planned(who, "submit", function, tuple(_argument(arg) for arg in args), transient or {})


def evaluate(who: Person, function: str, *args: Json) -> Planned:
    return Planned(who, "evaluate", function, tuple(_argument(arg) for arg in args))


def _name(asset: str) -> str:
    return asset.rpartition("/")[2]


def _level(name: str) -> str:
    return "private" if name in _PRIVATE else "plain"


def _argument(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class Workload:
    """`plan` says what is called next; `learn` tells what came of it. `day_seconds`: how long a paid day lasts."""

    def __init__(self, random: Random, day_seconds: int = 86_400) -> None:
        self._random = random
        self._day_seconds = day_seconds
        self._coins: dict[str, list[str]] = {person.party: [] for person in PEOPLE}
        self._spent: dict[str, list[str]] = {person.party: [] for person in PEOPLE}
        self._filed: list[_Sought] = []
        self._granted: list[_Sought] = []
        self._recent: list[Planned] = []
        self._payments = 0
        self._moves: list[tuple[int, Callable[[], Planned]]] = [
            (4, self._create),
            (8, self._add_reading),
            (8, self._add_private_readings),
            (4, self._update),
            (2, self._delete),
            (3, self._purge),
            (6, self._mint),
            (7, self._transfer),
            (2, self._burn),
            (13, self._request),
            (13, self._share),
            (4, self._close_request),
            (3, self._revoke),
            (2, self._profile),
            (1, self._configure),
            (14, self._read_asset),
            (8, self._look_at_coins),
            (10, self._look_around),
            (12, self._again),
        ]
        self._weights = [weight for weight, _ in self._moves]

    def opening(self) -> list[Planned]:
        """What everything else begins with; to be committed one after the other."""
        settings = {"day_seconds": self._day_seconds}
        return [
            submit(ADMIN, "ConfigureChannel", settings),
            *(submit(owner, "CreateAsset", _NAMES[name], name, _level(name)) for owner in OWNERS for name in _NAMES),
            *(submit(MINT, "MintCoins", person.party, 9, self._payment()) for person in READERS for _ in range(3)),
        ]

    def plan(self) -> Planned:
        _, move = self._random.choices(self._moves, self._weights)[0]
        planned = move()
        if planned.kind == "submit":
            self._recent = [planned, *self._recent][:3]
        return planned

    def learn(self, planned: Planned, payload: bytes) -> None:
        """The answer to a call, or to a transaction that is committed."""
        who, args = planned.who.party, planned.args
        match planned.function:
            case "MyCoins":
                self._coins[who] = [coin["id"] for coin in json.loads(payload)["coins"]]
            case "TransferCoins" | "BurnCoins":
                self._forget_coins(who, args[-1])
            case "FileRequest":
                self._forget_coins(who, args[-1])
                self._filed = [(args[0], who), *self._filed][:_REMEMBERED]
            case "ShareAsset":
                shared = [(args[1], stakeholder) for stakeholder in json.loads(args[3])]
                self._filed = [sought for sought in self._filed if sought not in shared]
                self._granted = [*shared, *self._granted][:_REMEMBERED]
            case "DeclineRequest" | "CancelRequest":
                closed = (args[0], args[1] if planned.function == "DeclineRequest" else who)
                self._filed = [sought for sought in self._filed if sought != closed]

    def _forget_coins(self, who: str, coins: str) -> None:
        """Not altogether: some will be spent again."""
        self._spent[who] = [*json.loads(coins), *self._spent[who]][:_REMEMBERED]
        self._coins[who] = [coin for coin in self._coins[who] if coin not in self._spent[who]]

    # Who, what, how many

    def _chance(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

    def _person(self) -> Person:
        return self._random.choice(PEOPLE)

    def _place(self) -> tuple[Person, str, str]:
        """An asset that there may be: owner, id, type. The owner is sometimes not the one who acts."""
        owner, name = self._random.choice(OWNERS), self._random.choice(list(_NAMES))
        return self._someone(owner), f"{owner.party}/{name}", _NAMES[name]

    def _private(self, text: str) -> tuple[str, str]:
        """A private asset of the same owner: id, type."""
        name = self._random.choice(_PRIVATE)
        return f"{text.rpartition('/')[0]}/{name}", _NAMES[name]

    def _someone(self, proper: Person) -> Person:
        """Who should do it; now and then somebody else tries."""
        return self._person() if self._chance(12) else proper

    def _spending(self, who: Person) -> list[str]:
        """Coins to pay with: one's own; now and then some that are spent, or another's, or none that ever were."""
        if self._chance(25):
            return ["no-such-coin"]
        holder = self._person() if self._chance(20) else who
        coins = (self._spent if self._chance(12) else self._coins)[holder.party]
        return self._random.sample(coins, min(self._random.randint(2, 4), len(coins)))

    def _sought(self, among: list[_Sought]) -> tuple[Person, str, str, str]:
        """An asset that somebody seeks or has sought to read, most often one of these: its owner, id, type, and who."""
        owner, text, kind = self._place()
        if not among or self._chance(5):
            return owner, text, kind, self._random.choice(READERS).party
        text, who = self._random.choice(among)
        proper, _, name = text.rpartition("/")
        return self._someone(Person(proper)), text, _NAMES[name], who

    def _payment(self) -> str:
        self._payments += 1
        return f"payment-{self._random.randrange(10**12)}" if self._payments % 9 else "payment-twice"

    # Moves

    def _create(self) -> Planned:
        owner, text, kind = self._place()
        if self._chance(2):  # what is purged is soon there again
            text, kind = self._private(text)
        name = _name(text)
        return submit(owner, "CreateAsset", "income" if self._chance(12) else kind, name, _level(name))

    def _add_reading(self) -> Planned:
        owner, text, _ = self._place()
        values = [self._random.randint(40, 180) for _ in range(self._random.randint(1, 3))]
        if len(values) == 1:
            return submit(owner, "AddReading", text, values[0], "bpm")
        dated: list[Json] = [{"value": value, "unit": "bpm"} for value in values]
        dated[0]["time"] = f"2019-0{self._random.randint(1, 9)}-01T12:00:00.5+01:00"
        return submit(owner, "AddReadings", text, dated)

    def _add_private_readings(self) -> Planned:
        owner, text, _ = self._place()
        text = text if self._chance(12) else self._private(text)[0]
        readings = [self._private_reading() for _ in range(self._random.randint(1, 3))]
        if self._chance(12):
            del readings[-1]["salt"]
        return submit(owner, "AddPrivateReadings", text, transient={"readings": json.dumps(readings).encode()})

    def _private_reading(self) -> dict[str, Json]:
        """Nobody else would ever write the like, so that it is known again wherever it is found."""
        key, salt, value = (self._random.randbytes(size).hex() for size in (16, 32, 12))
        return {"key": key, "salt": salt, "value": value, "unit": "permille"}

    def _update(self) -> Planned:
        owner, text, _ = self._place()
        statuses = ("active", "active", "active", "retired", "asleep")
        return submit(owner, "UpdateAsset", text, {"status": self._random.choice(statuses), "description": "worn"})

    def _delete(self) -> Planned:
        owner, text, _ = self._place()
        requesters = [DOCTOR.party] if self._chance(3) else []
        return submit(owner, "DeleteAsset", text, requesters)

    def _purge(self) -> Planned:
        """Deleting what is private purges its readings."""
        owner, text, _ = self._place()
        return submit(owner, "DeleteAsset", self._private(text)[0])

    def _mint(self) -> Planned:
        to = self._random.choice((*READERS, MINT)).party
        return submit(self._someone(MINT), "MintCoins", to, self._random.randint(1, 9), self._payment())

    def _transfer(self) -> Planned:
        payer, payee = self._someone(self._random.choice(READERS)), self._person().party
        if not self._coins[payer.party] and not self._chance(4):
            return evaluate(payer, "MyCoins")
        return submit(payer, "TransferCoins", payee, self._random.randint(1, 3), self._spending(payer))

    def _burn(self) -> Planned:
        who = self._someone(MINT)
        return submit(who, "BurnCoins", self._random.randint(1, 4), self._payment(), self._spending(who))

    def _request(self) -> Planned:
        _, text, _ = self._place()
        others = [reader for reader in READERS if not text.startswith(reader.party)]
        new = [reader for reader in others if (text, reader.party) not in self._filed]
        who = self._random.choice(READERS if self._chance(12) else new or others)
        if not self._coins[who.party] and not self._chance(4):
            return evaluate(who, "MyCoins")
        return submit(who, "FileRequest", text, self._random.randint(1, 3), "study", self._spending(who))

    def _share(self) -> Planned:
        owner, text, kind, who = self._sought(self._filed)
        others = [self._random.choice(READERS).party] if self._chance(6) else []
        return submit(owner, "ShareAsset", kind, text, self._random.choice((1, 1, 1, 2)), [who, *others])

    def _close_request(self) -> Planned:
        owner, text, _, who = self._sought(self._filed)
        if self._chance(2):
            return submit(owner, "DeclineRequest", text, who)
        return submit(self._someone(Person(who)), "CancelRequest", text)

    def _revoke(self) -> Planned:
        owner, text, _, who = self._sought(self._granted)
        return submit(owner, "RevokeGrant", text, who)

    def _profile(self) -> Planned:
        who = self._person()
        whose = self._person().party if self._chance(4) else ""
        return submit(who, "SetProfile", {"name": self._random.choice("abc")}, whose)

    def _configure(self) -> Planned:
        settings = {"day_seconds": self._day_seconds, "request_days": self._random.randint(1, 30)}
        return submit(self._someone(ADMIN), "ConfigureChannel", settings)

    def _read_asset(self) -> Planned:
        _, text, _, who = self._sought(self._granted)
        reader = self._random.choice((Person(who), Person(who), Person(who), *READERS, MALLORY))
        page: list[Json] = ["", self._random.randint(1, 3)] if self._chance(3) else []
        return evaluate(reader, "ReadAsset", text, *page)

    def _again(self) -> Planned:
        """Somebody presses the button twice."""
        return self._random.choice(self._recent) if self._recent else self._look_at_coins()

    def _look_at_coins(self) -> Planned:
        return evaluate(self._someone(self._random.choice(READERS)), "MyCoins")

    def _look_around(self) -> Planned:
        who, (owner, text, _) = self._person(), self._place()
        views = (
            evaluate(owner, "AssetHistory", text, "", 5),
            evaluate(owner, "ListGrants", text),
            evaluate(owner, "ListRequests", text),
            evaluate(owner, "ListRequests", "", "", 10, "all"),
            evaluate(who, "ListMyAssets"),
            evaluate(who, "ListMyRequests"),
            evaluate(who, "ListSharedWithMe"),
            evaluate(who, "GetProfile"),
            evaluate(who, "GetSettings"),
            evaluate(self._random.choice((MINT, ADMIN, MALLORY)), "AuditCoins"),
            evaluate(self._random.choice((ADMIN, who)), "ListTransactions", "", 10),
        )
        return self._random.choice(views)
