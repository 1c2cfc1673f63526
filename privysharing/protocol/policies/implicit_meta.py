"""Implicit meta policies: a threshold over the same-named policies of the groups below (common.ImplicitMetaPolicy)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.policies.policy import Policy, RememberingPolicy


class MetaRule(IntEnum):
    """common.ImplicitMetaPolicy.Rule."""

    ANY = 0
    ALL = 1
    MAJORITY = 2


@dataclass(frozen=True, slots=True)
class ImplicitMeta:
    """The policy as configured: how many of the direct child groups' policies of that name must be met."""

    rule: MetaRule
    sub_policy: str

    def threshold(self, groups: int) -> int:
        """How many of `groups` sub-policies must be met; of none, none."""
        if groups == 0:
            return 0
        return {MetaRule.ANY: 1, MetaRule.ALL: groups, MetaRule.MAJORITY: groups // 2 + 1}[self.rule]


class ImplicitMetaEvaluator(RememberingPolicy):
    """Evaluates an implicit meta policy given each child group's policy (`RejectPolicy` where a group has none)."""

    def __init__(self, definition: ImplicitMeta, sub_policies: Iterable[Policy]) -> None:
        super().__init__()
        self.definition = definition
        self._sub_policies = tuple(sub_policies)
        self.threshold = definition.threshold(len(self._sub_policies))

    def _decide(self, identities: Sequence[Identity]) -> bool:
        """Whether enough sub-policies are met, each by all of the identities."""
        return self.satisfied(identities) == self.threshold

    def satisfied(self, identities: Sequence[Identity]) -> int:
        """How many sub-policies are met, counted no further than the threshold."""
        met = 0
        for policy in self._sub_policies:
            if met == self.threshold:
                break
            met += policy.evaluate(identities)
        return met
