"""Signature policies: a tree of thresholds over principals (common.SignaturePolicyEnvelope)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from privysharing.protocol.msp.identity import Identity, distinct
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.msp.principals import MspPrincipal, MspRole, RolePrincipal
from privysharing.protocol.policies.policy import MalformedPolicy, RememberingPolicy


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One signature of the principal at this place in the policy's list."""

    identity: int


@dataclass(frozen=True, slots=True)
class NOutOf:
    """At least `n` of the rules."""

    n: int
    rules: "tuple[Rule, ...]"


Rule = SignedBy | NOutOf


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """common.SignaturePolicyEnvelope. A channel's own policies must have version 0; elsewhere nobody looks at it."""

    rule: Rule
    identities: tuple[MspPrincipal, ...]
    version: int = 0


@dataclass(frozen=True, slots=True)
class ChannelPolicyReference:
    """protos.ApplicationPolicy that stands for a policy of the channel, by absolute path."""

    path: str


ApplicationPolicy = SignaturePolicy | ChannelPolicyReference

ACCEPT_ALL: Final = SignaturePolicy(NOutOf(0, ()), ())
REJECT_ALL: Final = SignaturePolicy(NOutOf(1, ()), ())


def signed_by_n_of(n: int, role: MspRole, msp_ids: Iterable[str]) -> SignaturePolicy:
    """`n` signatures, each of that role in another of the MSPs (policydsl SignedByNOutOfGivenRole)."""
    principals = tuple(RolePrincipal(msp_id, role) for msp_id in sorted(msp_ids))
    return SignaturePolicy(NOutOf(n, tuple(map(SignedBy, range(len(principals))))), principals)


class SignaturePolicyEvaluator(RememberingPolicy):
    """Evaluates one policy under one channel configuration, exactly as greedily as cauthdsl does.

    A `SignedBy` takes the first identity that satisfies it and that nothing took before; an `NOutOf` asks all of its
    rules, also when it has enough, and what a failing rule took is free again. Nothing is tried twice, so the order
    of identities can matter. A cleverer search would accept what every Fabric peer refuses.
    """

    def __init__(self, policy: SignaturePolicy, manager: MspManager) -> None:
        """Raises MalformedPolicy when a rule asks for a principal that is not listed."""
        super().__init__()
        _check(policy.rule, len(policy.identities))
        self.policy = policy
        self._manager = manager

    def _decide(self, identities: Sequence[Identity]) -> bool:
        """Repetitions do not count."""
        return self._taken(self.policy.rule, distinct(identities), 0) is not None

    def _taken(self, rule: Rule, identities: Sequence[Identity], taken: int) -> int | None:
        """The set of identities (a bit each) taken once `rule` is met; None when it is not."""
        if isinstance(rule, SignedBy):
            principal = self.policy.identities[rule.identity]
            for place, identity in enumerate(identities):
                bit = 1 << place
                if not taken & bit and self._manager.satisfies(identity, principal):
                    return taken | bit
            return None
        met = 0
        for each in rule.rules:
            after = self._taken(each, identities, taken)
            if after is not None:
                met, taken = met + 1, after
        return taken if met >= rule.n else None


def _check(rule: Rule, principals: int) -> None:
    if isinstance(rule, NOutOf):
        for each in rule.rules:
            _check(each, principals)
    elif not 0 <= rule.identity < principals:
        raise MalformedPolicy(f"identity index out of range: {rule.identity} of {principals}")
