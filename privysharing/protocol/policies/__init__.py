"""Policies: which signatures together are enough (Fabric's common/policies, cauthdsl and policydsl).

Purpose: hold a policy as a value, read one that an operator wrote, and decide whether a set of identities meets it.
Data in: identities whose signatures somebody has verified already. Data out: yes or no.
Does not: verify signatures, look identities up, or know where in a channel's configuration a policy stands.
Failure: `MalformedPolicy` for a policy that cannot be evaluated, `PolicySyntaxError` for text that is none.

Read in this order: `policy`, `signature`, `implicit_meta`, `dsl`.
"""

from privysharing.protocol.policies.dsl import PolicySyntaxError, parse_implicit_meta, parse_policy
from privysharing.protocol.policies.implicit_meta import ImplicitMeta, ImplicitMetaEvaluator, MetaRule
from privysharing.protocol.policies.policy import MalformedPolicy, Policy, RejectPolicy
from privysharing.protocol.policies.signature import (
    ACCEPT_ALL,
    REJECT_ALL,
    ApplicationPolicy,
    ChannelPolicyReference,
    NOutOf,
    Rule,
    SignaturePolicy,
    SignaturePolicyEvaluator,
    SignedBy,
    signed_by_n_of,
)

__all__ = [
    "ACCEPT_ALL",
    "REJECT_ALL",
    "ApplicationPolicy",
    "ChannelPolicyReference",
    "ImplicitMeta",
    "ImplicitMetaEvaluator",
    "MalformedPolicy",
    "MetaRule",
    "NOutOf",
    "Policy",
    "PolicySyntaxError",
    "RejectPolicy",
    "Rule",
    "SignaturePolicy",
    "SignaturePolicyEvaluator",
    "SignedBy",
    "parse_implicit_meta",
    "parse_policy",
    "signed_by_n_of",
]
