"""Liars achieve nothing; and without the check that stops them they would, and the judges would say so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.faults import left_alone
from tests.simulation.liars import Liars
from tests.simulation.mutants.catalogue import MUTANTS
from tests.simulation.mutants.mutation import forget_all, mutant
from tests.simulation.plan import Plan
from tests.simulation.storm import Run, carried_out

SEEDS_MAX = 8  # until chance brings about what a test is about


FAIR = Plan(seed=0, orderers=1, block_transactions=3, clients=1, calls=25, misfortunes=(), liars=Liars())
LYING_CLIENT = replace(FAIR, calls=40, liars=Liars(client=True, alone=True))
LYING_ENDORSER = replace(FAIR, liars=Liars(endorser=0, alone=True))
LYING_ORDERER = replace(FAIR, orderers=3, block_transactions=1, clients=2, liars=Liars(orderer=0, alone=True))
LYING_FELLOW = replace(FAIR, block_transactions=1, calls=40, misfortunes=((8.0, left_alone),), liars=Liars(fellow=0))
TWO_STORIES = replace(FAIR, orderers=3, block_transactions=1, liars=Liars(orderer=0, twins=3))
TWO_STORIES_OF_ONE = replace(FAIR, liars=Liars(orderer=0, twins=3))
PLANS = {
    "client": LYING_CLIENT,
    "endorser": LYING_ENDORSER,
    "fellow": LYING_FELLOW,
    "orderer": LYING_ORDERER,
    "two stories": TWO_STORIES,
    "two stories of the only orderer": TWO_STORIES_OF_ONE,
}


def only(plan: Plan, *lies: str) -> Plan:
    """The plan, with a liar who knows no others than these."""
    return replace(plan, liars=replace(plan.liars, lies=lies))


BAD_SIGNATURES = only(LYING_ENDORSER, "flipped signature", "signs other bytes")
SDK = "privysharing.sdk.channel:Channel"
ORDERER = "services.orderer.admission"
OWN = (
    mutant("What one orderer refuses, no other is asked for", (f"{SDK}.order", "refusals.append(", "raise (")),
    mutant("What an orderer forgot, it is given again", (f"{SDK}._resubmit", "=pending.orderer", "=''")),
    mutant("Envelopes may be of any age", (f"{ORDERER}:_judge_timestamp", "> clock.window_ns", "> 10**18")),
    mutant(
        "Endorsements count for any proposal",
        (
            "privysharing.protocol.reading:_is_bound",
            "and transaction.proposal_hash == expected",
            "and bool(expected)",
        ),
    ),
)
KNOWN = MUTANTS | {each.name: each for each in OWN}
STOPPED_BY = {
    "signatures-of-endorsers-are-not-verified": LYING_CLIENT,
    "endorsement-policies-are-not-asked": LYING_CLIENT,
    "one-endorsement-is-enough": LYING_CLIENT,
    "an-id-may-be-used-in-two-blocks": LYING_CLIENT,
    "endorsements-count-for-any-proposal": LYING_CLIENT,
    "envelopes-may-be-of-any-age": LYING_CLIENT,
    "endorsements-are-not-looked-at": LYING_ENDORSER,
    "of-a-spoilt-transaction-nobody-is-blamed": BAD_SIGNATURES,
    "a-call-that-a-liar-has-spoilt-is-not-run-again": BAD_SIGNATURES,
    "what-fellows-give-is-not-held-against-its-hash": only(LYING_FELLOW, "changes a set"),
    "what-purges-have-left-of-a-set-is-not-held-against-the-hashes-of-its-keys": only(
        LYING_FELLOW, "changes a set and says that some was purged"
    ),
    "what-a-fellow-says-was-purged-is-done-without": only(LYING_FELLOW, "says that all was purged"),
    "signatures-of-creators-are-not-verified": only(LYING_ORDERER, "orders a spoilt copy first"),
    "signatures-of-blocks-are-not-verified": only(LYING_ORDERER, "unsigned", "another's signature"),
    "a-block-need-not-name-its-predecessor": only(LYING_ORDERER, "wrong previous"),
    "a-block-may-hold-what-its-header-does-not-say": only(LYING_ORDERER, "other data", "damaged"),
    "a-peer-stays-with-an-orderer-that-has-fallen-silent": only(LYING_ORDERER, "falls silent"),
    "what-one-orderer-refuses-no-other-is-asked-for": only(LYING_ORDERER, "forbids what it orders"),
    "what-an-orderer-forgot-it-is-given-again": replace(only(LYING_ORDERER, "acknowledges and drops"), calls=4),
    "nobody-compares-blocks": TWO_STORIES,
    "a-fork-is-no-reason-to-stop": TWO_STORIES_OF_ONE,
}


def some_run(plan: Plan, shows: Callable[[Run], bool]) -> Run | None:
    """The first run of a plan that shows something, from one seed or another."""
    return next((run for seed in range(SEEDS_MAX) if shows(run := carried_out(replace(plan, seed=seed)))), None)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_liars_achieve_nothing(plan: Plan) -> None:
    def shows(run: Run) -> bool:
        return bool(run.faults) or (any(name.startswith("lying") for name in run.met) and run.committed > 0)

    run = some_run(plan, shows)
    assert run is not None, "nobody lies, or nothing is committed"
    assert run.faults == []


def test_a_call_that_an_endorser_has_spoilt_comes_to_its_end_all_the_same() -> None:
    def shows(run: Run) -> bool:
        spoilt = run.met["lying endorser: flipped signature"] + run.met["lying endorser: signs other bytes"]
        return bool(run.faults) or (spoilt > 0 and run.committed > 0)

    run = some_run(BAD_SIGNATURES, shows)
    assert run is not None, "nothing is spoilt, or nothing is committed"
    assert run.faults == []


@pytest.mark.parametrize("name", STOPPED_BY)
def test_without_the_check_that_stops_it_a_lie_works_and_is_seen(name: str) -> None:
    with KNOWN[name].applied():
        run = some_run(STOPPED_BY[name], lambda run: bool(run.faults))
    forget_all()
    assert run is not None, "no run comes to harm"
