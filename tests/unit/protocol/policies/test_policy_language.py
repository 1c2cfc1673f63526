"""Policies as operators write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.policies import (
    ImplicitMeta,
    MetaRule,
    NOutOf,
    PolicySyntaxError,
    Rule,
    SignaturePolicy,
    SignedBy,
    parse_implicit_meta,
    parse_policy,
)
from privysharing.protocol.policies.dsl import NESTING_MAX


def members(*msp_ids: str) -> tuple[RolePrincipal, ...]:
    return tuple(RolePrincipal(msp_id, MspRole.MEMBER) for msp_id in msp_ids)


def test_gates_compile_to_thresholds() -> None:
    two = (SignedBy(0), SignedBy(1))
    assert parse_policy("AND('A.member', 'B.member')") == SignaturePolicy(NOutOf(2, two), members("A", "B"))
    assert parse_policy("OR('A.member', 'B.member')") == SignaturePolicy(NOutOf(1, two), members("A", "B"))
    assert parse_policy("OutOf(1, 'A.member', 'B.member')") == SignaturePolicy(NOutOf(1, two), members("A", "B"))


def test_inner_gates_are_numbered_first() -> None:
    policy = parse_policy("OR('A.member', AND('B.member', 'C.member'))")
    assert policy.identities == members("B", "C", "A")
    assert policy.rule == NOutOf(1, (SignedBy(2), NOutOf(2, (SignedBy(0), SignedBy(1)))))


def test_every_mention_has_a_place_of_its_own() -> None:
    policy = parse_policy("OR(AND('A.member', 'B.member'), AND('A.member', 'C.member'))")
    assert policy.identities == members("A", "B", "A", "C")


@pytest.mark.parametrize("role", list(MspRole))
def test_each_role_has_its_word(role: MspRole) -> None:
    assert parse_policy(f"OR('Org.{role.name.lower()}')").identities == (RolePrincipal("Org", role),)


@pytest.mark.parametrize("msp_id", ["A", "Org1MSP", "org1.example.com", "a-b.c", "0", "a.peer", "-", "."])
def test_msp_ids_hold_letters_digits_dots_and_dashes(msp_id: str) -> None:
    assert parse_policy(f"OR('{msp_id}.member')").identities == members(msp_id)


@pytest.mark.parametrize("gate", ["And", "and", "AND", "Or", "or", "OR"])
def test_gates_are_spelled_in_three_ways(gate: str) -> None:
    assert parse_policy(f"{gate}('A.member')").rule == NOutOf(1, (SignedBy(0),))
    assert parse_policy(f"{'OutOf'}(1, {gate}('A.member'))").rule == NOutOf(1, (NOutOf(1, (SignedBy(0),)),))


@pytest.mark.parametrize("text", ["OutOf(1,'A.member')", "outof(1,'A.member')", "OUTOF(1,'A.member')"])
def test_so_is_the_threshold(text: str) -> None:
    assert parse_policy(text).rule == NOutOf(1, (SignedBy(0),))


def test_quotes_and_spaces_are_free_and_a_number_may_be_quoted() -> None:
    expected = parse_policy("OutOf(2,'A.member',AND('B.peer'))")
    assert parse_policy('  OutOf ( "2" ,\n "A.member", AND ( \'B.peer\' )\t) \n') == expected
    assert parse_policy("OutOf('2','A.member',AND('B.peer'))") == expected


def test_a_threshold_is_between_none_and_one_more_than_there_are() -> None:
    for n in (0, 1, 2, 3):
        assert parse_policy(f"OutOf({n}, 'A.member', 'B.member')").rule == NOutOf(n, (SignedBy(0), SignedBy(1)))
    with pytest.raises(PolicySyntaxError, match="invalid t-out-of-n predicate, t 4, n 2"):
        parse_policy("OutOf(4, 'A.member', 'B.member')")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "'A.member'",
        "A.member",
        "OR()",
        "AND()",
        "OutOf(1)",
        "OutOf('A.member')",
        "OutOf(-1, 'A.member')",
        "OutOf(1.5, 'A.member')",
        "OutOf(x, 'A.member')",
        "OutOf('x', 'A.member')",
        "OutOf('', 'A.member')",
        "OutOf(1, 2, 'A.member')",
        "OR('A.member'",
        "OR('A.member',)",
        "OR('A.member' 'B.member')",
        "OR('A.member') OR('B.member')",
        "OR('A.member'))",
        "OR(A.member)",
        "OR('A')",
        "OR('A.boss')",
        "OR('A.Member')",
        "OR('.member')",
        "OR('A_B.member')",
        "OR('Ä.member')",
        "OR(' A.member')",
        "OR('A.member\n')",
        "OR('A.member\")",
        "Xor('A.member')",
        "oR('A.member')",
        "OR('A.member') && 1",
        "OutOf(²,'A.member')",
        "OutOf('²','A.member')",
    ],
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicySyntaxError):
        parse_policy(text)


def test_gates_nest_only_so_deep() -> None:
    def nested(depth: int) -> str:
        return "OR(" * depth + "'A.member'" + ")" * depth

    assert parse_policy(nested(NESTING_MAX + 1)).identities == members("A")
    with pytest.raises(PolicySyntaxError, match="too deeply"):
        parse_policy(nested(NESTING_MAX + 2))
    with pytest.raises(PolicySyntaxError, match="too deeply"):
        parse_policy(nested(100_000))


principals = st.builds(RolePrincipal, st.from_regex(r"[A-Za-z0-9.-]+", fullmatch=True), st.sampled_from(MspRole))


@st.composite
def gates(draw: st.DrawFn, depth: int = 3) -> tuple[int, list[object]]:
    parts: st.SearchStrategy[object] = principals if depth == 0 else st.one_of(principals, gates(depth=depth - 1))
    arguments = draw(st.lists(parts, min_size=1, max_size=3))
    return draw(st.integers(0, len(arguments) + 1)), arguments


def written(part: object) -> str:
    if isinstance(part, RolePrincipal):
        return f"'{part.msp_id}.{part.role.name.lower()}'"
    assert isinstance(part, tuple)
    return f"OutOf({part[0]}, {', '.join(map(written, part[1]))})"


def resolved(rule: Rule, policy: SignaturePolicy) -> object:
    """The tree as it was written: each place replaced by whom it means."""
    if isinstance(rule, SignedBy):
        return policy.identities[rule.identity]
    return rule.n, [resolved(each, policy) for each in rule.rules]


@given(gates())
def test_what_is_written_is_what_is_read(gate: tuple[int, list[object]]) -> None:
    policy = parse_policy(written(gate))
    assert resolved(policy.rule, policy) == gate
    assert policy.version == 0


@given(st.text(alphabet="ANDOR andorOutOf(),'\".12Amember", max_size=40))
def test_garbage_raises_nothing_but_a_syntax_error(text: str) -> None:
    try:
        policy = parse_policy(text)
    except PolicySyntaxError:
        return
    assert policy.identities


@pytest.mark.parametrize("rule", list(MetaRule))
def test_implicit_policies_are_two_words(rule: MetaRule) -> None:
    assert parse_implicit_meta(f"{rule.name} Admins") == ImplicitMeta(rule, "Admins")


@pytest.mark.parametrize("text", ["", "ANY", "ANY Admins Readers", "ANY  Admins", "any Admins", "SOME Admins"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(PolicySyntaxError):
        parse_implicit_meta(text)
