"""common.SignaturePolicyEnvelope, common.ImplicitMetaPolicy, common.Policy's value and protos.ApplicationPolicy."""

from typing import Final

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.msps import principal_message, read_principal
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.policies.implicit_meta import ImplicitMeta, MetaRule
from privysharing.protocol.policies.signature import (
    ApplicationPolicy,
    ChannelPolicyReference,
    NOutOf,
    Rule,
    SignaturePolicy,
    SignedBy,
)
from privysharing.wire.common import policies_pb2
from privysharing.wire.peer import policy_pb2

SIGNATURE: Final = int(policies_pb2.Policy.SIGNATURE)
IMPLICIT_META: Final = int(policies_pb2.Policy.IMPLICIT_META)


def parse_signature_policy(raw: bytes) -> SignaturePolicy:
    """Read a SignaturePolicyEnvelope, of any version."""
    return read_signature_policy(decode(policies_pb2.SignaturePolicyEnvelope, raw))


def encode_signature_policy(policy: SignaturePolicy) -> bytes:
    """A SignaturePolicyEnvelope."""
    return signature_policy_message(policy).SerializeToString()


def read_signature_policy(message: policies_pb2.SignaturePolicyEnvelope) -> SignaturePolicy:
    """A policy out of its message, for the codecs of messages that hold one."""
    return SignaturePolicy(_rule(message.rule), tuple(map(read_principal, message.identities)), message.version)


def signature_policy_message(policy: SignaturePolicy) -> policies_pb2.SignaturePolicyEnvelope:
    """The message of a policy."""
    return policies_pb2.SignaturePolicyEnvelope(
        version=policy.version,
        rule=_rule_message(policy.rule),
        identities=map(principal_message, policy.identities),
    )


def parse_implicit_meta(raw: bytes) -> ImplicitMeta:
    """Read an ImplicitMetaPolicy."""
    message = decode(policies_pb2.ImplicitMetaPolicy, raw)
    rule = {each.value: each for each in MetaRule}.get(message.rule)
    if rule is None:
        raise MalformedMessage(f"implicit meta policy has unknown rule {message.rule}")
    return ImplicitMeta(rule, message.sub_policy)


def encode_implicit_meta(policy: ImplicitMeta) -> bytes:
    """An ImplicitMetaPolicy."""
    return policies_pb2.ImplicitMetaPolicy(sub_policy=policy.sub_policy, rule=policy.rule.name).SerializeToString()


def parse_channel_policy(policy_type: int, value: bytes) -> SignaturePolicy | ImplicitMeta:
    """Read the two fields of a common.Policy as a channel's configuration holds it."""
    if policy_type == IMPLICIT_META:
        return parse_implicit_meta(value)
    if policy_type != SIGNATURE:
        raise MalformedMessage(f"policy has unknown policy type: {policy_type}")
    policy = parse_signature_policy(value)
    if policy.version != 0:
        raise MalformedMessage(f"signature policy has version {policy.version}, only 0 is understood")
    return policy


def encode_channel_policy(policy: SignaturePolicy | ImplicitMeta) -> tuple[int, bytes]:
    """The two fields of a common.Policy: its type and its value."""
    if isinstance(policy, ImplicitMeta):
        return IMPLICIT_META, encode_implicit_meta(policy)
    return SIGNATURE, encode_signature_policy(policy)


def parse_application_policy(raw: bytes) -> ApplicationPolicy:
    """Read a protos.ApplicationPolicy: what a chaincode definition or a collection asks of endorsers."""
    message = decode(policy_pb2.ApplicationPolicy, raw)
    match message.WhichOneof("Type"):
        case "signature_policy":
            return read_signature_policy(message.signature_policy)
        case "channel_config_policy_reference":
            return ChannelPolicyReference(message.channel_config_policy_reference)
        case _:
            raise MalformedMessage("application policy is neither a signature policy nor a reference")


def encode_application_policy(policy: ApplicationPolicy) -> bytes:
    """A protos.ApplicationPolicy."""
    if isinstance(policy, ChannelPolicyReference):
        message = policy_pb2.ApplicationPolicy(channel_config_policy_reference=policy.path)
    else:
        message = policy_pb2.ApplicationPolicy(signature_policy=signature_policy_message(policy))
    return message.SerializeToString()


def _rule(message: policies_pb2.SignaturePolicy) -> Rule:
    match message.WhichOneof("Type"):
        case "signed_by":
            return SignedBy(message.signed_by)
        case "n_out_of":
            return NOutOf(message.n_out_of.n, tuple(map(_rule, message.n_out_of.rules)))
        case _:
            raise MalformedMessage("signature policy has an empty rule")


def _rule_message(rule: Rule) -> policies_pb2.SignaturePolicy:
    if isinstance(rule, SignedBy):
        return policies_pb2.SignaturePolicy(signed_by=rule.identity)
    gate = policies_pb2.SignaturePolicy.NOutOf(n=rule.n, rules=map(_rule_message, rule.rules))
    return policies_pb2.SignaturePolicy(n_out_of=gate)
