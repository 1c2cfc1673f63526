"""Signature policies are evaluated exactly as greedily as Fabric evaluates them."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.principals import IdentityPrincipal, MspRole, RolePrincipal, UnknownPrincipal
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.policies import (
    ACCEPT_ALL,
    REJECT_ALL,
    MalformedPolicy,
    NOutOf,
    RejectPolicy,
    Rule,
    SignaturePolicy,
    SignaturePolicyEvaluator,
    SignedBy,
    parse_policy,
    signed_by_n_of,
)
from tests.support.authorities import Holder, msp_config, root

ROOTS = {"A": root("a"), "B": root("b")}
MANAGER = MspManager([Msp(msp_config(name, top)) for name, top in ROOTS.items()])
ROLES = ("peer", "client", "admin", "orderer")


def identity(msp_id: str, holder: Holder) -> Identity:
    return MANAGER.identity(encode_serialized_identity(msp_id, holder.pem))


PEOPLE = [
    (org, role, identity(org, top.issue(f"{role} {number}", role)))
    for org, top in ROOTS.items()
    for role in ROLES
    for number in range(2)
]


def someone(org: str, role: str, number: int = 0) -> Identity:
    return [who for its_org, its_role, who in PEOPLE if (its_org, its_role) == (org, role)][number]


def meets(policy: SignaturePolicy | str, *identities: Identity) -> bool:
    parsed = parse_policy(policy) if isinstance(policy, str) else policy
    return SignaturePolicyEvaluator(parsed, MANAGER).evaluate(identities)


def test_all_of_both_and_one_of_either() -> None:
    a, b = someone("A", "peer"), someone("B", "peer")
    assert meets("AND('A.peer', 'B.peer')", a, b)
    assert meets("AND('A.peer', 'B.peer')", b, a)
    assert not meets("AND('A.peer', 'B.peer')", a)
    assert meets("OR('A.peer', 'B.peer')", b)
    assert not meets("OR('A.peer', 'B.peer')")
    assert not meets("OR('A.peer', 'B.peer')", someone("A", "client"))


def test_one_identity_counts_once_however_often_it_signs() -> None:
    a = someone("A", "peer")
    assert not meets("AND('A.peer', 'A.peer')", a, a)
    assert not meets("AND('A.peer', 'A.member')", a, a)
    assert meets("AND('A.peer', 'A.peer')", a, someone("A", "peer", 1))


def test_both_encodings_of_one_certificate_count_once() -> None:
    low = ROOTS["A"].issue("x", "peer", high_s=False)
    high = ROOTS["A"].reissued(low, high_s=True)
    both = identity("A", low), identity("A", high)
    assert both[0].serialized != both[1].serialized
    assert not meets("AND('A.peer', 'A.peer')", *both)
    assert meets("AND('A.peer', 'A.peer')", *both, someone("A", "peer"))


def test_the_first_fitting_identity_is_taken_and_nothing_is_tried_again() -> None:
    peer, client = someone("A", "peer"), someone("A", "client")
    assert meets("AND('A.member', 'A.peer')", client, peer)
    assert not meets("AND('A.member', 'A.peer')", peer, client)


def test_a_gate_keeps_more_than_it_needs() -> None:
    a, b = someone("A", "peer"), someone("B", "peer")
    assert not meets("AND(OR('A.peer', 'B.peer'), 'B.member')", a, b)
    assert meets("AND('B.member', OR('A.peer', 'B.peer'))", a, b)


def test_what_a_failing_gate_took_is_free_again() -> None:
    a = someone("A", "peer")
    assert meets("OR(AND('A.peer', 'B.peer'), 'A.member')", a)
    inner = NOutOf(2, (SignedBy(0), SignedBy(1)))
    principals = (RolePrincipal("A", MspRole.PEER), RolePrincipal("B", MspRole.PEER))
    assert meets(SignaturePolicy(NOutOf(1, (inner, SignedBy(0))), principals), a)


def test_nothing_is_enough_for_none_and_never_for_too_many() -> None:
    everybody = [who for *_, who in PEOPLE]
    assert meets(ACCEPT_ALL)
    assert not meets(REJECT_ALL, *everybody)
    assert meets("OutOf(0, 'A.peer')")
    assert not meets("OutOf(2, 'A.peer')", *everybody)
    assert meets(SignaturePolicy(NOutOf(-1, ()), ()))
    assert not RejectPolicy().evaluate(everybody)


def test_a_rule_without_a_gate_is_a_policy_too() -> None:
    policy = SignaturePolicy(SignedBy(0), (RolePrincipal("A", MspRole.PEER),))
    assert meets(policy, someone("A", "peer"))
    assert not meets(policy, someone("B", "peer"))


def test_one_identity_can_be_asked_for_by_name() -> None:
    a, other = someone("A", "peer"), someone("A", "peer", 1)
    policy = SignaturePolicy(NOutOf(1, (SignedBy(0),)), (IdentityPrincipal(a.serialized),))
    assert meets(policy, other, a)
    assert not meets(policy, other)


def test_an_unknown_principal_is_only_in_the_way_of_who_needs_it() -> None:
    a = someone("A", "peer")
    principals = (UnknownPrincipal(9, b""), RolePrincipal("A", MspRole.PEER))
    either, both = (NOutOf(n, (SignedBy(0), SignedBy(1))) for n in (1, 2))
    assert meets(SignaturePolicy(either, principals), a)
    assert not meets(SignaturePolicy(both, principals), a)


@pytest.mark.parametrize("place", [-1, 1])
def test_a_rule_about_nobody_is_malformed(place: int) -> None:
    policy = SignaturePolicy(NOutOf(0, (NOutOf(0, (SignedBy(place),)),)), (RolePrincipal("A", MspRole.PEER),))
    with pytest.raises(MalformedPolicy, match="out of range"):
        SignaturePolicyEvaluator(policy, MANAGER)


def test_n_of_several_organisations_is_sorted_and_counts_each_once() -> None:
    policy = signed_by_n_of(2, MspRole.MEMBER, ["B", "A"])
    assert policy == SignaturePolicy(
        NOutOf(2, (SignedBy(0), SignedBy(1))), (RolePrincipal("A", MspRole.MEMBER), RolePrincipal("B", MspRole.MEMBER))
    )
    assert meets(policy, someone("B", "client"), someone("A", "peer"))
    assert not meets(policy, someone("A", "client"), someone("A", "peer"))


# The law: a model that shares nothing with the evaluator but the names, after cauthdsl's own shape (a list of marks
# per identity, copied before each rule and copied back when it is met).

Person = tuple[str, str, Identity]


def model_meets(rule: Rule, principals: list[tuple[str, str]], people: list[Person], used: list[bool]) -> bool:
    if isinstance(rule, SignedBy):
        org, role = principals[rule.identity]
        for place, (its_org, its_role, _) in enumerate(people):
            if not used[place] and its_org == org and role in ("member", its_role):
                used[place] = True
                return True
        return False
    met = 0
    for each in rule.rules:
        tried = used.copy()
        if model_meets(each, principals, people, tried):
            met += 1
            used[:] = tried
    return met >= rule.n


asked = st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from([*ROLES, "member", "member"]))
leaves = st.builds(SignedBy, st.integers(0, 4))
rules: st.SearchStrategy[Rule] = st.recursive(
    leaves, lambda parts: st.builds(NOutOf, st.integers(0, 4), st.lists(parts, max_size=4).map(tuple)), max_leaves=12
)


@given(rules, st.lists(asked, min_size=5, max_size=5), st.lists(st.sampled_from(PEOPLE), max_size=8))
def test_evaluation_is_the_greedy_walk(rule: Rule, principals: list[tuple[str, str]], signers: list[Person]) -> None:
    policy = SignaturePolicy(rule, tuple(RolePrincipal(org, MspRole[role.upper()]) for org, role in principals))
    people: list[Person] = []
    for person in signers:
        if person not in people:
            people.append(person)
    expected = model_meets(rule, principals, people, [False] * len(people))
    assert meets(policy, *(who for *_, who in signers)) == expected


@given(st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True), st.integers(0, 3))
def test_among_distinct_organisations_order_never_matters(people: list[Person], n: int) -> None:
    policy = SignaturePolicy(
        NOutOf(n, (SignedBy(0), SignedBy(1))), (RolePrincipal("A", MspRole.PEER), RolePrincipal("B", MspRole.PEER))
    )
    assert len({meets(policy, *(who for *_, who in order)) for order in permutations(people)}) == 1
