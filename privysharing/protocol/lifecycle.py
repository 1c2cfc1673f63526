"""Chaincode definitions: what a channel's members agree on about a chaincode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

LIFECYCLE = "_lifecycle"

DEFAULT_ENDORSEMENT_PLUGIN = "escc"
DEFAULT_VALIDATION_PLUGIN = "vscc"
DEFAULT_ENDORSEMENT_POLICY = "/Channel/Application/Endorsement"
LIFECYCLE_ENDORSEMENT_POLICY = "/Channel/Application/LifecycleEndorsement"


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


@dataclass(frozen=True, slots=True)
class CommitReadiness:
    """Which organisations (by MSP id) approve a definition, and what differs for those that do not."""

    approvals: Mapping[str, bool]
    mismatches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
