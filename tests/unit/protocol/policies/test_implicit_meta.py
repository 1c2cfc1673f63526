"""Implicit meta policies: how many of the groups below must agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.policies import ImplicitMeta, ImplicitMetaEvaluator, MetaRule, RejectPolicy


@dataclass(frozen=True)
class Says:
    """A policy that has made up its mind."""

    verdict: bool

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        return self.verdict


def meets(rule: MetaRule, *verdicts: bool) -> bool:
    return ImplicitMetaEvaluator(ImplicitMeta(rule, "Admins"), map(Says, verdicts)).evaluate(())


@pytest.mark.parametrize(
    ("rule", "groups", "threshold"),
    [
        (MetaRule.ANY, 1, 1),
        (MetaRule.ANY, 5, 1),
        (MetaRule.ALL, 5, 5),
        (MetaRule.MAJORITY, 1, 1),
        (MetaRule.MAJORITY, 2, 2),
        (MetaRule.MAJORITY, 3, 2),
        (MetaRule.MAJORITY, 4, 3),
    ],
)
def test_thresholds(rule: MetaRule, groups: int, threshold: int) -> None:
    assert ImplicitMeta(rule, "Admins").threshold(groups) == threshold
    assert meets(rule, *[True] * threshold, *[False] * (groups - threshold))
    assert not meets(rule, *[True] * (threshold - 1), *[False] * (groups - threshold + 1))


@pytest.mark.parametrize("rule", list(MetaRule))
def test_of_no_groups_none_must_agree(rule: MetaRule) -> None:
    assert meets(rule)


def test_a_group_without_the_policy_counts_and_does_not_agree() -> None:
    definition = ImplicitMeta(MetaRule.MAJORITY, "Admins")
    assert not ImplicitMetaEvaluator(definition, [Says(True), RejectPolicy()]).evaluate(())
    assert ImplicitMetaEvaluator(definition, [Says(True), Says(True), RejectPolicy()]).evaluate(())


def test_policies_nest() -> None:
    inner = ImplicitMetaEvaluator(ImplicitMeta(MetaRule.ALL, "Admins"), [Says(True), Says(False)])
    either = ImplicitMeta(MetaRule.ANY, "Admins")
    assert ImplicitMetaEvaluator(either, [inner, Says(True)]).evaluate(())
    assert not ImplicitMetaEvaluator(either, [inner, Says(False)]).evaluate(())


@given(st.sampled_from(MetaRule), st.lists(st.booleans(), min_size=1))
def test_the_count_alone_decides(rule: MetaRule, verdicts: list[bool]) -> None:
    needed = {MetaRule.ANY: 1, MetaRule.ALL: len(verdicts), MetaRule.MAJORITY: len(verdicts) // 2 + 1}[rule]
    assert meets(rule, *verdicts) == (sum(verdicts) >= needed)
