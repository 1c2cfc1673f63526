"""Whether a list of distinct members satisfies a signature policy (common/cauthdsl cauthdsl.go)."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.simulation.judge.ledger.members import Member, Msp
from tests.simulation.judge.ledger.messages import Unreadable


def satisfies(envelope: Any, members: Sequence[Member], msps: Mapping[str, Msp]) -> bool:
    """common.SignaturePolicyEnvelope, evaluated greedily: nobody counts twice, and nothing is tried again."""
    used: set[int] = set()
    try:
        _check(envelope.rule, len(envelope.identities))
        return envelope.version == 0 and _holds(envelope.rule, envelope.identities, members, msps, used)
    except Unreadable:
        return False


def _check(rule: Any, identities: int) -> None:
    """A rule that cannot be compiled is met by nobody."""
    kind = rule.WhichOneof("Type")
    if kind is None or (kind == "signed_by" and not 0 <= rule.signed_by < identities):
        raise Unreadable("a policy with a rule that says nothing")
    for part in rule.n_out_of.rules if kind == "n_out_of" else ():
        _check(part, identities)


def _holds(rule: Any, identities: Any, members: Sequence[Member], msps: Mapping[str, Msp], used: set[int]) -> bool:
    if rule.WhichOneof("Type") == "signed_by":
        for place, member in enumerate(members):
            if place not in used and msps[member.msp_id].satisfies(member, identities[rule.signed_by]):
                used.add(place)
                return True
        return False
    held = 0
    for part in rule.n_out_of.rules:
        trial = set(used)
        if _holds(part, identities, members, msps, trial):
            held += 1
            used |= trial
    return bool(held >= rule.n_out_of.n)
