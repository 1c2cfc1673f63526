"""What peers must never find valid, and that the judge of the contract notices each by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tests.simulation.judge.faults import Wrong
from tests.simulation.judge.forms import canonical
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.verdicts import ContractJudge
from tests.simulation.judge.workload import ALICE, DOCTOR, MALLORY, MINT, OFFICER, Planned, submit
from tests.simulation.judge.world import Call, Person
from tests.support.city import DAY, NOON, City, creator
from tests.support.playing import Play, invocation_of

PULSE = f"{ALICE.party}/pulse"
NOTHING = "no-such-coin"

Story = dict[str, Invocation]


class Teller:
    """A short story on the real contract; every act becomes a block."""

    def __init__(self) -> None:
        self.city = City()
        self.story: Story = {}

    def tell(self, name: str, planned: Planned) -> None:
        response, stub = self.city.simulate(creator(planned.who.party), planned.function, *planned.args)
        assert response.status == 200, response.message
        self.city.world.commit(stub)
        self.story[name] = invocation_of(planned, stub, response.payload, len(self.story) + 1, 0)

    def coins(self, who: Person) -> list[str]:
        return self.city.coins(who.party)


@pytest.fixture
def teller() -> Teller:
    """Alice shares her pulse with the doctor for one of the two days that he has paid; the officer pays the doctor."""
    teller = Teller()
    teller.tell("create", submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    teller.tell("read", submit(ALICE, "AddReading", PULSE, 70, "bpm"))
    teller.tell("mint", submit(MINT, "MintCoins", DOCTOR.party, 5, "payment-1"))
    teller.tell("mint more", submit(MINT, "MintCoins", OFFICER.party, 5, "payment-2"))
    teller.tell("request", submit(DOCTOR, "FileRequest", PULSE, 2, "study", teller.coins(DOCTOR)))
    teller.tell("share", submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR.party]))
    teller.tell("transfer", submit(OFFICER, "TransferCoins", DOCTOR.party, 2, teller.coins(OFFICER)))
    teller.tell("revoke", submit(ALICE, "RevokeGrant", PULSE, DOCTOR.party))
    return teller


@pytest.fixture
def story(teller: Teller) -> Story:
    return teller.story


def judge_of(story: Story) -> ContractJudge:
    judge = ContractJudge("health")
    for invocation in story.values():
        judge.happened(invocation)
    return judge


def test_an_honest_story_is_right_in_answers_writes_events_and_state(teller: Teller) -> None:
    judge = judge_of(teller.story)
    assert judge.faults == judge.compare(teller.city.state()) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_town_that_quarrels_is_judged_right(seed: int) -> None:
    played = Play(Random(seed)).run(150)
    judge = ContractJudge("health")
    for invocation in played.invocations:
        judge.happened(invocation)
    assert judge.faults == judge.compare(played.state) == []
    assert len({code for block in played.blocks for _, code in block.transactions}) > 1, "nobody collided"


# Lies


def as_caller(invocation: Invocation, who: Person) -> Invocation:
    name, _, msp_id = who.party.rpartition("@")
    return replace(invocation, common_name=name, msp_id=msp_id)


def with_args(invocation: Invocation, **changed: object) -> Invocation:
    """`last` or `first` argument replaced."""
    args = list(invocation.args)
    for which, value in changed.items():
        args[-1 if which == "last" else 0] = json.dumps(value).encode()
    return replace(invocation, args=tuple(args))


def key_of(invocation: Invocation, kind: str) -> str:
    """A key of this kind that the transaction writes; the last one."""
    return max(key for key, value in invocation.writes.items() if key.startswith(f"\0{kind}\0") and value)


def rewritten(invocation: Invocation, kind: str, **fields: Any) -> Invocation:
    """With a record that it writes changed."""
    key = key_of(invocation, kind)
    value = invocation.writes[key]
    assert value is not None
    return replace(invocation, writes={**invocation.writes, key: canonical({**json.loads(value), **fields})})


def also_writing(invocation: Invocation, other: Invocation, kind: str) -> Invocation:
    """With a record that another transaction writes."""
    key = key_of(other, kind)
    return replace(invocation, writes={**invocation.writes, key: other.writes[key]})


def without_write(invocation: Invocation, kind: str, *, deletes: bool) -> Invocation:
    def kept(key: str, value: bytes | None) -> bool:
        return not key.startswith(f"\0{kind}\0") or (value is None) is not deletes

    return replace(invocation, writes={k: value for k, value in invocation.writes.items() if kept(k, value)})


def again(invocation: Invocation) -> Invocation:
    """The same call as another transaction, endorsed on the same state."""
    return replace(invocation, tx_id="another")


Lie = Callable[[Story], object]
LIES: dict[str, tuple[Wrong, Lie]] = {
    "a coin written from nothing": (
        Wrong.FROM_NOTHING,
        lambda s: s.update(read=also_writing(s["read"], s["mint"], "coin")),
    ),
    "more minted than was called for": (
        Wrong.FROM_NOTHING,
        lambda s: s.update(mint=rewritten(s["mint"], "coin", amount=6)),
    ),
    "a coin that never was is spent": (
        Wrong.FROM_NOTHING,
        lambda s: s.update(transfer=with_args(s["transfer"], last=[NOTHING])),
    ),
    "mallory mints": (Wrong.FORBIDDEN, lambda s: s.update(mint=as_caller(s["mint"], MALLORY))),
    "one payment minted twice": (Wrong.FORBIDDEN, lambda s: s.update({"mint twice": again(s["mint"])})),
    "one coin transferred twice": (Wrong.SPENT_TWICE, lambda s: s.update(twice=again(s["transfer"]))),
    "a coin that pays and stays": (
        Wrong.SPENT_TWICE,
        lambda s: s.update(transfer=without_write(s["transfer"], "coin", deletes=True)),
    ),
    "somebody else's coins transferred": (
        Wrong.STOLEN,
        lambda s: s.update(transfer=as_caller(s["transfer"], MALLORY)),
    ),
    "somebody else's coin deleted": (
        Wrong.STOLEN,
        lambda s: s.update(
            revoke=replace(s["revoke"], writes={**s["revoke"].writes, key_of(s["transfer"], "coin"): None})
        ),
    ),
    "coins that nobody gets": (
        Wrong.COIN_LOST,
        lambda s: s.update(transfer=without_write(s["transfer"], "coin", deletes=False)),
    ),
    "a grant that nobody asked for": (Wrong.UNPAID_GRANT, lambda s: s.pop("request")),
    "a grant for more days than were paid": (
        Wrong.UNPAID_GRANT,
        lambda s: s.update(share=replace(s["share"], args=(*s["share"].args[:2], b"3", s["share"].args[3]))),
    ),
    "a request that had expired is shared": (
        Wrong.UNPAID_GRANT,
        lambda s: s.update(share=replace(s["share"], timestamp_ns=NOON + 30 * DAY)),
    ),
    "a grant hidden in another call": (
        Wrong.UNPAID_GRANT,
        lambda s: s.update(read=also_writing(s["read"], s["share"], "grant")),
    ),
    "a grant by somebody else": (Wrong.STRANGERS_GRANT, lambda s: s.update(share=as_caller(s["share"], DOCTOR))),
    "a grant that outlives its day": (
        Wrong.OTHER_GRANT,
        lambda s: s.update(share=rewritten(s["share"], "grant", not_after="2020-03-09T12:00:00Z")),
    ),
    "a revoked grant that stays valid": (
        Wrong.OTHER_GRANT,
        lambda s: s.update(revoke=rewritten(s["revoke"], "grant", status="active")),
    ),
    "a grant revoked twice": (Wrong.FORBIDDEN, lambda s: s.update({"revoke twice": again(s["revoke"])})),
    "revoked before it was given: a read of another order": (
        Wrong.FORBIDDEN,
        lambda s: s.update(share=s["revoke"], revoke=s["share"]),
    ),
    "mallory adds a reading": (Wrong.FORBIDDEN, lambda s: s.update(read=as_caller(s["read"], MALLORY))),
    "a reading of an asset that is not there": (Wrong.FORBIDDEN, lambda s: s.pop("create")),
    "a reading with another value": (
        Wrong.OTHER_WRITE,
        lambda s: s.update(read=rewritten(s["read"], "reading", value=71)),
    ),
    "a journal without the act": (
        Wrong.OTHER_WRITE,
        lambda s: s.update(share=without_write(s["share"], "journal", deletes=False)),
    ),
    "another answer": (Wrong.OTHER_ANSWER, lambda s: s.update(share=replace(s["share"], payload=b"{}"))),
    "an event that names another": (
        Wrong.OTHER_EVENT,
        lambda s: s.update(share=replace(s["share"], event=("AssetShared", b"{}"))),
    ),
    "one transaction twice": (Wrong.HAPPENED_TWICE, lambda s: s.update(twice=s["read"])),
}


@pytest.mark.parametrize(("kind", "lie"), LIES.values(), ids=LIES)
def test_the_judge_names_the_lie_and_where_it_is(story: Story, kind: Wrong, lie: Lie) -> None:
    lie(story)
    fault = judge_of(story).faults[0]
    assert fault.kind is kind
    assert any(invocation.tx_id in fault.place for invocation in story.values())


def test_another_contracts_transactions_are_not_judged(story: Story) -> None:
    story["mint"] = replace(as_caller(story["mint"], MALLORY), chaincode="bench")
    judge = ContractJudge("health")
    assert judge.happened(story["mint"]) is None
    assert judge.faults == []


def test_a_state_that_differs_is_named_by_its_key(teller: Teller) -> None:
    judge, state = judge_of(teller.story), teller.city.state()
    key = next(key for key in state if key.startswith("\0asset\0"))
    for other in (state | {key: b"{}"}, {k: value for k, value in state.items() if k != key}):
        (fault,) = judge.compare(other)
        assert (fault.kind, fault.place) == (Wrong.OTHER_STATE, repr(key))


def test_a_state_with_a_coin_too_many_is_out_of_balance(teller: Teller) -> None:
    state = teller.city.state()
    coin = next(value for key, value in state.items() if key.startswith("\0coin\0"))
    faults = judge_of(teller.story).compare(state | {f"\0coin\0{MALLORY.party}\0x\0": coin})
    assert [fault.kind for fault in faults] == [Wrong.OTHER_STATE, Wrong.UNBALANCED]


def test_an_answer_is_compared_for_a_person_at_a_time(teller: Teller) -> None:
    judge, call = judge_of(teller.story), Call(ALICE, "ListMyAssets", (), (NOON,))
    answer = json.dumps(teller.city.ask(ALICE.party, "ListMyAssets"), sort_keys=True, separators=(",", ":")).encode()
    assert judge.compare_answer(call, answer) == []
    assert judge.compare_answer(replace(call, who=MALLORY), answer)[0].kind is Wrong.OTHER_ANSWER
    assert judge.compare_answer(replace(call, function="AuditCoins"), b"", "ACCESS_DENIED") == []
