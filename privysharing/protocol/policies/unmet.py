"""Why a policy is not met, in Fabric's words: nodes tell it to whoever they refuse."""

from collections.abc import Sequence

from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.policies.implicit_meta import ImplicitMetaEvaluator
from privysharing.protocol.policies.policy import Policy


def unmet(policy: Policy, identities: Sequence[Identity]) -> str:
    """What these identities lack of a policy (policies ImplicitMetaPolicy, cauthdsl policy EvaluateIdentities)."""
    if not isinstance(policy, ImplicitMetaEvaluator):
        return "signature set did not satisfy policy"
    return (
        f"implicit policy evaluation failed - {policy.satisfied(identities)} sub-policies were satisfied, but this "
        f"policy requires {policy.threshold} of the '{policy.definition.sub_policy}' sub-policies to be satisfied"
    )
