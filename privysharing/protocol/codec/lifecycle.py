"""Messages of `_lifecycle`: stored fields, arguments and results."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.lifecycle import ChaincodeDefinition, CommitReadiness
from privysharing.wire.peer import collection_pb2
from privysharing.wire.peer.lifecycle import chaincode_definition_pb2, db_pb2, lifecycle_pb2

# The messages that spell out a definition, with the same field names.
M = TypeVar(
    "M",
    lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs,
    lifecycle_pb2.CommitChaincodeDefinitionArgs,
    lifecycle_pb2.QueryChaincodeDefinitionResult,
    lifecycle_pb2.QueryChaincodeDefinitionsResult.ChaincodeDefinition,
    lifecycle_pb2.QueryApprovedChaincodeDefinitionResult,
)

# --- stored fields


def parse_state_metadata(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """Type and field names of a stored structure."""
    message = decode(db_pb2.StateMetadata, raw)
    return message.datatype, tuple(message.fields)


def encode_state_metadata(datatype: str, fields: Sequence[str]) -> bytes:
    """StateMetadata."""
    return db_pb2.StateMetadata(datatype=datatype, fields=fields).SerializeToString()


def parse_int64(raw: bytes) -> int:
    """The number in a StateData; 0 when it holds none."""
    return decode(db_pb2.StateData, raw).Int64


def encode_int64(value: int) -> bytes:
    """StateData of a number."""
    return db_pb2.StateData(Int64=value).SerializeToString()


def parse_bytes(raw: bytes) -> bytes:
    """The bytes in a StateData; empty when it holds none."""
    return decode(db_pb2.StateData, raw).Bytes


def encode_bytes(value: bytes) -> bytes:
    """StateData of bytes; empty bytes are present too."""
    return db_pb2.StateData(Bytes=value).SerializeToString()


def parse_string(raw: bytes) -> str:
    """The string in a StateData; empty when it holds none."""
    return decode(db_pb2.StateData, raw).String


def encode_string(value: str) -> bytes:
    """StateData of a string."""
    return db_pb2.StateData(String=value).SerializeToString()


def parse_endorsement_info(raw: bytes) -> tuple[str, bool, str]:
    """Version, whether initialisation is required, and endorsement plugin."""
    message = decode(chaincode_definition_pb2.ChaincodeEndorsementInfo, raw)
    return message.version, message.init_required, message.endorsement_plugin


def encode_endorsement_info(version: str, init_required: bool, plugin: str) -> bytes:
    """ChaincodeEndorsementInfo."""
    return chaincode_definition_pb2.ChaincodeEndorsementInfo(
        version=version, init_required=init_required, endorsement_plugin=plugin
    ).SerializeToString()


def parse_validation_info(raw: bytes) -> tuple[str, bytes]:
    """Validation plugin, and its parameter."""
    message = decode(chaincode_definition_pb2.ChaincodeValidationInfo, raw)
    return message.validation_plugin, message.validation_parameter


def encode_validation_info(plugin: str, parameter: bytes) -> bytes:
    """ChaincodeValidationInfo."""
    return chaincode_definition_pb2.ChaincodeValidationInfo(
        validation_plugin=plugin, validation_parameter=parameter
    ).SerializeToString()


# --- arguments


def parse_approve_args(raw: bytes) -> tuple[str, ChaincodeDefinition, str]:
    """Chaincode, definition and package id (empty: none) of ApproveChaincodeDefinitionForMyOrg."""
    message = decode(lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs, raw)
    return message.name, _definition(message), message.source.local_package.package_id


def encode_approve_args(name: str, definition: ChaincodeDefinition, package_id: str) -> bytes:
    """Arguments of ApproveChaincodeDefinitionForMyOrg."""
    message = _fill(lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(name=name), definition)
    if package_id:
        message.source.local_package.package_id = package_id
    else:
        message.source.unavailable.SetInParent()
    return message.SerializeToString()


def parse_definition_args(raw: bytes) -> tuple[str, ChaincodeDefinition]:
    """Chaincode and definition of CommitChaincodeDefinition and of CheckCommitReadiness: their fields agree."""
    message = decode(lifecycle_pb2.CommitChaincodeDefinitionArgs, raw)
    return message.name, _definition(message)


def encode_definition_args(name: str, definition: ChaincodeDefinition) -> bytes:
    """Arguments of CommitChaincodeDefinition and of CheckCommitReadiness."""
    return _fill(lifecycle_pb2.CommitChaincodeDefinitionArgs(name=name), definition).SerializeToString()


def parse_query_args(raw: bytes) -> str:
    """The chaincode that QueryChaincodeDefinition asks for."""
    return decode(lifecycle_pb2.QueryChaincodeDefinitionArgs, raw).name


def encode_query_args(name: str) -> bytes:
    """Arguments of QueryChaincodeDefinition."""
    return lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name).SerializeToString()


def parse_query_approved_args(raw: bytes) -> tuple[str, int]:
    """Chaincode and sequence (0: the latest) that QueryApprovedChaincodeDefinition asks for."""
    message = decode(lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs, raw)
    return message.name, message.sequence


def encode_query_approved_args(name: str, sequence: int = 0) -> bytes:
    """Arguments of QueryApprovedChaincodeDefinition."""
    return lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs(name=name, sequence=sequence).SerializeToString()


# --- results


def parse_commit_readiness(raw: bytes) -> CommitReadiness:
    """Result of CheckCommitReadiness."""
    message = decode(lifecycle_pb2.CheckCommitReadinessResult, raw)
    mismatches = {org: tuple(entry.items) for org, entry in message.mismatches.items()}
    return CommitReadiness(dict(message.approvals), mismatches)


def encode_commit_readiness(readiness: CommitReadiness) -> bytes:
    """Result of CheckCommitReadiness."""
    message = lifecycle_pb2.CheckCommitReadinessResult(approvals=readiness.approvals)
    for org, items in readiness.mismatches.items():
        message.mismatches[org].items.extend(items)
    return message.SerializeToString(deterministic=True)


def parse_query_result(raw: bytes) -> tuple[ChaincodeDefinition, Mapping[str, bool]]:
    """Result of QueryChaincodeDefinition: the definition, and who approves it."""
    message = decode(lifecycle_pb2.QueryChaincodeDefinitionResult, raw)
    return _definition(message), dict(message.approvals)


def encode_query_result(definition: ChaincodeDefinition, approvals: Mapping[str, bool]) -> bytes:
    """Result of QueryChaincodeDefinition."""
    message = _fill(lifecycle_pb2.QueryChaincodeDefinitionResult(approvals=approvals), definition)
    message.collections.SetInParent()  # present even when it is empty
    return message.SerializeToString(deterministic=True)


def parse_query_all_result(raw: bytes) -> tuple[tuple[str, ChaincodeDefinition], ...]:
    """Result of QueryChaincodeDefinitions: every chaincode with its definition."""
    message = decode(lifecycle_pb2.QueryChaincodeDefinitionsResult, raw)
    return tuple((entry.name, _definition(entry)) for entry in message.chaincode_definitions)


def encode_query_all_result(definitions: Sequence[tuple[str, ChaincodeDefinition]]) -> bytes:
    """Result of QueryChaincodeDefinitions."""
    message = lifecycle_pb2.QueryChaincodeDefinitionsResult()
    for name, definition in definitions:
        _fill(message.chaincode_definitions.add(name=name), definition).collections.SetInParent()
    return message.SerializeToString()


def parse_query_approved_result(raw: bytes) -> tuple[ChaincodeDefinition, str]:
    """Result of QueryApprovedChaincodeDefinition: the definition, and the package id (empty: none)."""
    message = decode(lifecycle_pb2.QueryApprovedChaincodeDefinitionResult, raw)
    return _definition(message), message.source.local_package.package_id


def encode_query_approved_result(definition: ChaincodeDefinition, package_id: str) -> bytes:
    """Result of QueryApprovedChaincodeDefinition."""
    message = _fill(lifecycle_pb2.QueryApprovedChaincodeDefinitionResult(), definition)
    if package_id:
        message.source.local_package.package_id = package_id
    else:
        message.source.unavailable.SetInParent()
    message.collections.SetInParent()  # present even when it is empty
    return message.SerializeToString()


def _definition(message: M) -> ChaincodeDefinition:
    return ChaincodeDefinition(
        sequence=message.sequence,
        version=message.version,
        endorsement_plugin=message.endorsement_plugin,
        init_required=message.init_required,
        validation_plugin=message.validation_plugin,
        validation_parameter=message.validation_parameter,
        collections=message.collections.SerializeToString(),
    )


def _fill(message: M, definition: ChaincodeDefinition) -> M:
    message.sequence = definition.sequence
    message.version = definition.version
    message.endorsement_plugin = definition.endorsement_plugin
    message.init_required = definition.init_required
    message.validation_plugin = definition.validation_plugin
    message.validation_parameter = definition.validation_parameter
    if definition.collections:
        message.collections.CopyFrom(decode(collection_pb2.CollectionConfigPackage, definition.collections))
    return message
