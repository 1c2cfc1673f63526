"""Laws that hold whatever people do: nothing is lost of the coins, and nobody reads what he has no grant for.

Hypothesis plays a day in the city: several calls are simulated on the same state and committed as one block, by honest
people and by those who spend coins that are not theirs. Alice's asset is plain and Bob's is private: the same laws hold
for both. An independent model, which knows nothing of keys, outputs or conflicts, says who holds how much and who may
read.
"""

import json
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from privysharing.protocol.codes import TxCode
from tests.support.city import ALICE, BOB, DAY, DOCTOR, MINT, City, owner_of

PEOPLE = (ALICE, BOB, DOCTOR)
LEVELS = {f"{ALICE}/pulse": "plain", f"{BOB}/pulse": "private"}
ASSETS = tuple(LEVELS)

people = st.sampled_from(PEOPLE)
assets = st.sampled_from(ASSETS)
days = st.integers(1, 4)
some = st.integers(0, 9)  # chooses among what is there when the act is played
acts = st.one_of(
    st.tuples(st.just("mint"), people, st.integers(1, 9)),
    st.tuples(st.just("transfer"), people, people, st.integers(1, 9)),
    st.tuples(st.just("create"), assets),
    st.tuples(st.just("file"), people, assets, days),
    st.tuples(st.just("file"), people, assets, days),
    st.tuples(st.just("answer"), some, days),
    st.tuples(st.just("answer"), some, days),
    st.tuples(st.just("share"), assets, days, st.lists(people, min_size=1, max_size=3)),
    st.tuples(st.just("cancel"), people, assets),
    st.tuples(st.just("decline"), people, assets),
    st.tuples(st.just("end"), some),
    st.tuples(st.just("delete"), assets, st.lists(people, max_size=2)),
    st.tuples(st.just("steal"), people, people),
)


class Model:
    """Who holds how many coins, and who may read what until when."""

    def __init__(self):
        self.minted = 0
        self.held = Counter()
        self.escrow = {}
        self.existing = set()
        self.grants = {}

    def happened(self, act, now):
        """Apply an act that the ledger accepted."""
        kind, *what = act
        getattr(self, kind)(*what, **({"now": now} if kind == "share" else {}))

    def mint(self, to, amount):
        self.minted += amount
        self.held[to] += amount

    def transfer(self, payer, payee, amount):
        self.held[payer] -= amount
        self.held[payee] += amount

    def create(self, asset):
        assert asset not in self.existing
        self.existing.add(asset)

    def file(self, requester, asset, days):
        assert (asset, requester) not in self.escrow
        self.held[requester] -= days
        self.escrow[asset, requester] = days

    def cancel(self, requester, asset):
        self.held[requester] += self.escrow.pop((asset, requester))

    def decline(self, requester, asset):
        self.cancel(requester, asset)

    def share(self, asset, days, stakeholders, now):
        assert asset in self.existing
        for stakeholder in dict.fromkeys(stakeholders):
            if now < self.grants.get((asset, stakeholder), 0):
                continue
            paid = self.escrow.pop((asset, stakeholder))
            assert paid >= days
            self.held[owner_of(asset)] += days
            self.held[stakeholder] += paid - days
            self.grants[asset, stakeholder] = now + days * DAY

    def revoke(self, asset, stakeholder):
        del self.grants[asset, stakeholder]

    def delete(self, asset, requesters):
        self.existing.remove(asset)
        for requester in requesters:
            self.cancel(requester, asset)
        self.grants = {key: until for key, until in self.grants.items() if key[0] != asset}

    def steal(self, _thief, _victim):
        raise AssertionError("a coin was stolen")

    def may_read(self, who, asset, now):
        return asset in self.existing and (who == owner_of(asset) or now < self.grants.get((asset, who), 0))


class Day(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.city = City()
        self.model = Model()
        opening = [*(("create", asset) for asset in ASSETS), *(("mint", who, 9) for who in PEOPLE)]
        self._commit(opening)
        self._commit(opening[len(ASSETS) :])

    @rule(block=st.lists(acts, min_size=1, max_size=3))
    def play(self, block):
        self._commit([self._meant(act) for act in block])

    @rule(hours=st.integers(1, 60))
    def wait(self, hours):
        self.city.now += hours * DAY // 24

    @invariant()
    def no_coin_is_created_or_lost(self):
        audit = self.city.audit()
        assert audit["balanced"]
        assert audit["minted"] == self.model.minted
        assert audit["escrowed"] == sum(self.model.escrow.values())
        assert {who: self.city.balance(who) for who in PEOPLE} == {who: self.model.held[who] for who in PEOPLE}

    @invariant()
    def who_may_read_reads_and_nobody_else(self):
        for asset in ASSETS:
            for who in PEOPLE:
                response, _ = self.city.simulate(who, "ReadAsset", asset)
                assert (response.status == 200) == self.model.may_read(who, asset, self.city.now), (who, asset)
                if response.status != 200 and who != owner_of(asset):
                    assert json.loads(response.message)["message"] == "access denied: not enough permissions"

    @invariant()
    def lists_agree_with_reads(self):
        for who in PEOPLE:
            shared = {item["id"] for item in self.city.ask(who, "ListSharedWithMe")["items"]}
            readable = {asset for asset in ASSETS if self.model.may_read(who, asset, self.city.now)}
            assert shared == {asset for asset in readable if owner_of(asset) != who}

    def _commit(self, block):
        simulated = []
        for act in block:
            response, stub = self._simulate(*act)
            if response.status == 200:
                simulated.append((act, stub))
        verdicts = self.city.world.commit(*(stub for _, stub in simulated))
        for (act, _), verdict in zip(simulated, verdicts, strict=True):
            if verdict is TxCode.VALID:
                self.model.happened(act, self.city.now)

    def _meant(self, act):
        """An act on something that is there: an owner answers an open request, or ends a grant."""
        match act:
            case "answer", choice, count if self.model.escrow:
                (asset, requester), _ = sorted(self.model.escrow.items())[choice % len(self.model.escrow)]
                return "share", asset, count, [requester]
            case "end", choice if self.model.grants:
                asset, stakeholder = sorted(self.model.grants)[choice % len(self.model.grants)]
                return "revoke", asset, stakeholder
            case "answer" | "end", *_:
                return "file", DOCTOR, ASSETS[0], 3
        return act

    def _simulate(self, kind, *what):
        match kind, what:
            case "mint", (to, amount):
                call = (MINT, "MintCoins", to, amount, f"payment-{self.city.calls}")
            case "transfer", (payer, payee, amount):
                call = (payer, "TransferCoins", payee, amount, self.city.coins(payer))
            case "create", (asset,):
                owner, _, name = asset.rpartition("/")
                call = (owner, "CreateAsset", "heart_rate", name, LEVELS[asset])
            case "file", (requester, asset, count):
                call = (requester, "FileRequest", asset, count, "study", self.city.coins(requester)[:2])
            case "cancel", (requester, asset):
                call = (requester, "CancelRequest", asset)
            case "decline", (requester, asset):
                call = (owner_of(asset), "DeclineRequest", asset, requester)
            case "share", (asset, count, stakeholders):
                call = (owner_of(asset), "ShareAsset", "heart_rate", asset, count, stakeholders)
            case "revoke", (asset, stakeholder):
                call = (owner_of(asset), "RevokeGrant", asset, stakeholder)
            case "delete", (asset, requesters):
                call = (owner_of(asset), "DeleteAsset", asset, requesters)
            case "steal", (thief, victim):
                others = [coin for coin in self.city.coins(victim) if thief != victim]
                call = (thief, "TransferCoins", thief, 1, [*others, *self.city.coins(thief)] if others else ["none"])
        return self.city.simulate(*call)


Day.TestCase.settings = settings(max_examples=60, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow])
TestDay = Day.TestCase
