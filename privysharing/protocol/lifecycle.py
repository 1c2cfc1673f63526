"""Chaincode definitions: what a channel's members agree on about a chaincode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIFECYCLE = "_lifecycle"

DEFAULT_ENDORSEMENT_PLUGIN = "escc"
DEFAULT_VALIDATION_PLUGIN = "vscc"
DEFAULT_ENDORSEMENT_POLICY = "/Channel/Application/Endorsement"
LIFECYCLE_ENDORSEMENT_POLICY = "/Channel/Application/LifecycleEndorsement"

IMPLICIT_COLLECTION_PREFIX = "_implicit_org_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaincodeDefinition:
    """A version of a chaincode, and how it is endorsed and validated. Encoded parts stay so: they are compared."""

    sequence: int
    version: str
    endorsement_plugin: str = DEFAULT_ENDORSEMENT_PLUGIN
    init_required: bool = False
    validation_plugin: str = DEFAULT_VALIDATION_PLUGIN
    validation_parameter: bytes = b""  # protos.ApplicationPolicy
    collections: bytes = b""  # protos.CollectionConfigPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionConfig:
    """protos.StaticCollectionConfig; the policies stay encoded."""

    name: str
    member_orgs_policy: bytes = b""  # common.SignaturePolicyEnvelope
    required_peer_count: int = 0
    maximum_peer_count: int = 0
    block_to_live: int = 0
    member_only_read: bool = False
    member_only_write: bool = False
    endorsement_policy: bytes | None = None  # protos.ApplicationPolicy; None: the chaincode's


@dataclass(frozen=True, slots=True)
class CommitReadiness:
    """Which organisations (by MSP id) approve a definition, and what differs for those that do not."""

    approvals: Mapping[str, bool]
    mismatches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def implicit_collection(msp_id: str) -> str:
    """The collection that belongs to one organisation alone (implicitcollection.NameForOrg)."""
    return IMPLICIT_COLLECTION_PREFIX + msp_id


def implicit_collection_msp_id(collection: str) -> str | None:
    """The organisation whose implicit collection this is; None for an ordinary one."""
    if not collection.startswith(IMPLICIT_COLLECTION_PREFIX):
        return None
    return collection.removeprefix(IMPLICIT_COLLECTION_PREFIX)
