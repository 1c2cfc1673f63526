"""protos.CollectionConfigPackage: the collections of a chaincode's definition."""

from collections.abc import Sequence

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.policies import encode_signature_policy, parse_signature_policy
from privysharing.protocol.collections import (
    IMPLICIT_MAXIMUM_PEER_COUNT,
    CollectionConfig,
    implicit_collection,
    member_of,
    members,
)
from privysharing.protocol.policies.signature import SignaturePolicy
from privysharing.wire.common import policies_pb2
from privysharing.wire.peer import collection_pb2, policy_pb2


def parse_collections(raw: bytes) -> tuple[CollectionConfig, ...]:
    """The collections of a CollectionConfigPackage."""
    package = decode(collection_pb2.CollectionConfigPackage, raw)
    return tuple(
        _collection(config.static_collection_config)
        for config in package.config
        if config.HasField("static_collection_config")
    )


def holds_only_collections(raw: bytes) -> bool:
    """Whether all of a CollectionConfigPackage is collections of the kind that there is."""
    package = decode(collection_pb2.CollectionConfigPackage, raw)
    return all(config.HasField("static_collection_config") for config in package.config)


def encode_collections(collections: Sequence[CollectionConfig]) -> bytes:
    """A CollectionConfigPackage."""
    package = collection_pb2.CollectionConfigPackage()
    for collection in collections:
        package.config.add().static_collection_config.CopyFrom(_encode_collection(collection))
    return package.SerializeToString()


def implicit_config(msp_id: str) -> CollectionConfig:
    """An organisation's implicit collection (lifecycle GenerateImplicitCollectionForOrg)."""
    return CollectionConfig(
        name=implicit_collection(msp_id),
        member_orgs_policy=encode_signature_policy(member_of(msp_id)),
        maximum_peer_count=IMPLICIT_MAXIMUM_PEER_COUNT,
    )


def member_policy(collection: CollectionConfig) -> SignaturePolicy:
    """Whom a collection's data is for. Raises MalformedMessage."""
    return parse_signature_policy(collection.member_orgs_policy)


def member_msp_ids(collection: CollectionConfig) -> frozenset[str]:
    """MSP ids of the organisations whose peers hold a collection's data."""
    return members(member_policy(collection))


def _collection(message: collection_pb2.StaticCollectionConfig) -> CollectionConfig:
    return CollectionConfig(
        name=message.name,
        member_orgs_policy=message.member_orgs_policy.signature_policy.SerializeToString(),
        required_peer_count=message.required_peer_count,
        maximum_peer_count=message.maximum_peer_count,
        block_to_live=message.block_to_live,
        member_only_read=message.member_only_read,
        member_only_write=message.member_only_write,
        endorsement_policy=(
            message.endorsement_policy.SerializeToString() if message.HasField("endorsement_policy") else None
        ),
    )


def _encode_collection(collection: CollectionConfig) -> collection_pb2.StaticCollectionConfig:
    message = collection_pb2.StaticCollectionConfig(
        name=collection.name,
        required_peer_count=collection.required_peer_count,
        maximum_peer_count=collection.maximum_peer_count,
        block_to_live=collection.block_to_live,
        member_only_read=collection.member_only_read,
        member_only_write=collection.member_only_write,
    )
    message.member_orgs_policy.signature_policy.CopyFrom(
        decode(policies_pb2.SignaturePolicyEnvelope, collection.member_orgs_policy)
    )
    if collection.endorsement_policy is not None:
        message.endorsement_policy.CopyFrom(decode(policy_pb2.ApplicationPolicy, collection.endorsement_policy))
    return message
