"""A chaincode's definition, as people read it."""

from privysharing.protocol.codec.collections import member_msp_ids, parse_collections
from privysharing.protocol.codec.policies import parse_application_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.describe.config import describe_rule
from privysharing.protocol.describe.values import Json
from privysharing.protocol.lifecycle import ChaincodeDefinition
from privysharing.protocol.policies.signature import SignaturePolicy


def describe_definition(definition: ChaincodeDefinition) -> Json:
    """Everything but the collections. Raises MalformedMessage, as the other function does."""
    return {
        "sequence": definition.sequence,
        "version": definition.version,
        "endorsement": _policy(definition.validation_parameter) if definition.validation_parameter else "the channel's",
        "init_required": definition.init_required,
    }


def describe_collections(definition: ChaincodeDefinition) -> list[Json]:
    """Who holds the private data of a chaincode, who endorses its changes, and how long it stays."""
    return [_collection(each) for each in parse_collections(definition.collections)]


def _collection(collection: CollectionConfig) -> Json:
    policy = collection.endorsement_policy
    return {
        "name": collection.name,
        "members": sorted(member_msp_ids(collection)),
        "endorsement": "the chaincode's" if policy is None else _policy(policy),
        "required_peers": collection.required_peer_count,
        "maximum_peers": collection.maximum_peer_count,
        "blocks_to_live": collection.block_to_live,
        "member_only_read": collection.member_only_read,
        "member_only_write": collection.member_only_write,
    }


def _policy(raw: bytes) -> str:
    policy = parse_application_policy(raw)
    return describe_rule(policy) if isinstance(policy, SignaturePolicy) else policy.path
