"""A channel configuration as the tree that it is, its known values and policies read."""

from collections.abc import Callable
from dataclasses import asdict

from privysharing.protocol.channel.config import Config, ConfigGroup, ConfigPolicy, ConfigValue
from privysharing.protocol.codec import config_values
from privysharing.protocol.codec.msps import parse_msp_config
from privysharing.protocol.codec.policies import parse_channel_policy
from privysharing.protocol.describe.values import Json, describe_bytes, describe_certificate
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.principals import MspPrincipal, MspRole, OuPrincipal, RolePrincipal
from privysharing.protocol.policies.implicit_meta import ImplicitMeta
from privysharing.protocol.policies.signature import NOutOf, Rule, SignaturePolicy


def describe_config(config: Config) -> Json:
    """A whole configuration."""
    return {"sequence": config.sequence, "channel_group": _describe_group(config.root)}


def _describe_group(group: ConfigGroup) -> Json:
    return {
        "version": group.version,
        "mod_policy": group.mod_policy,
        "values": {name: _describe_value(name, value) for name, value in sorted(group.values.items())},
        "policies": {name: _describe_policy(policy) for name, policy in sorted(group.policies.items())},
        "groups": {name: _describe_group(child) for name, child in sorted(group.groups.items())},
    }


def _describe_value(name: str, value: ConfigValue) -> Json:
    described: Json = {"version": value.version, "mod_policy": value.mod_policy}
    read = _VALUES.get(name, describe_bytes)
    try:
        return described | {"value": read(value.value)}
    except ProtocolError as error:
        return described | {"error": str(error), "bytes": describe_bytes(value.value)}


def _describe_policy(policy: ConfigPolicy) -> Json:
    described: Json = {"version": policy.version, "mod_policy": policy.mod_policy}
    try:
        definition = parse_channel_policy(policy.type, policy.value)
    except ProtocolError as error:
        return described | {"error": str(error), "bytes": describe_bytes(policy.value)}
    if isinstance(definition, ImplicitMeta):
        return described | {"rule": f"{definition.rule.name} {definition.sub_policy}"}
    return described | {"rule": describe_rule(definition)}


def describe_rule(policy: SignaturePolicy) -> str:
    """A signature policy in the language in which operators write them."""
    return _describe_rule(policy.rule, policy)


def _describe_rule(rule: Rule, policy: SignaturePolicy) -> str:
    if isinstance(rule, NOutOf):
        parts = [str(rule.n), *(_describe_rule(each, policy) for each in rule.rules)]
        return f"OutOf({', '.join(parts)})"
    if not 0 <= rule.identity < len(policy.identities):
        return f"'?{rule.identity}'"
    return f"'{_describe_principal(policy.identities[rule.identity])}'"


def _describe_principal(principal: MspPrincipal) -> str:
    if isinstance(principal, RolePrincipal):
        return f"{principal.msp_id}.{MspRole(principal.role).name.lower()}"
    if isinstance(principal, OuPrincipal):
        return f"{principal.msp_id} OU={principal.organizational_unit}"
    return str(principal)


def _describe_msp(raw: bytes) -> Json:
    """An MSP by its certificates' subjects."""
    msp = parse_msp_config(raw)
    return {
        "msp_id": msp.name,
        "root_certs": [describe_certificate(pem) for pem in msp.root_certs],
        "intermediate_certs": [describe_certificate(pem) for pem in msp.intermediate_certs],
        "admins": [describe_certificate(pem) for pem in msp.admins],
        "tls_root_certs": [describe_certificate(pem) for pem in msp.tls_root_certs],
        "tls_intermediate_certs": [describe_certificate(pem) for pem in msp.tls_intermediate_certs],
        "revocation_lists": len(msp.revocation_list),
        "node_ous": msp.node_ous is not None and msp.node_ous.enable,
    }


def _describe_consensus(raw: bytes) -> Json:
    consensus = config_values.parse_consensus_type(raw)
    return {
        "type": consensus.type,
        "state": consensus.state.name,
        "metadata": describe_bytes(consensus.metadata),
    }


def _describe_consenters(raw: bytes) -> list[Json]:
    return [
        {
            "id": consenter.id,
            "address": f"{consenter.host}:{consenter.port}",
            "msp_id": consenter.msp_id,
            "identity": describe_certificate(consenter.identity),
        }
        for consenter in config_values.parse_consenters(raw)
    ]


# Where a value is known, what to make of it; the rest is shown as bytes.
_VALUES: dict[str, Callable[[bytes], object]] = {
    "HashingAlgorithm": config_values.parse_hashing_algorithm,
    "BlockDataHashingStructure": config_values.parse_data_hashing_width,
    "Capabilities": lambda raw: sorted(config_values.parse_capabilities(raw)),
    "OrdererAddresses": lambda raw: list(config_values.parse_addresses(raw)),
    "Endpoints": lambda raw: list(config_values.parse_addresses(raw)),
    "Orderers": _describe_consenters,
    "ConsensusType": _describe_consensus,
    "BatchSize": lambda raw: asdict(config_values.parse_batch_size(raw)),
    "BatchTimeout": config_values.parse_batch_timeout,
    "KafkaBrokers": lambda raw: list(config_values.parse_kafka_brokers(raw)),
    "ChannelRestrictions": config_values.parse_channel_restrictions,
    "AnchorPeers": lambda raw: [f"{peer.host}:{peer.port}" for peer in config_values.parse_anchor_peers(raw)],
    "ACLs": config_values.parse_acls,
    "MSP": _describe_msp,
}
