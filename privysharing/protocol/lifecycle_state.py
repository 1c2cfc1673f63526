"""How `_lifecycle` keeps chaincode definitions and approvals in the state: names, keys, and values field by field.

A structure `name` of a space is spread over keys, so that a change writes only what it changes:
`<space>/metadata/<name>` names its type and fields, `<space>/fields/<name>/<Field>` holds one field.
A definition is public, in space `namespaces` under the chaincode's name. What an organisation approved is private, in
its implicit collection, in spaces `namespaces` and `chaincode-sources` under `<chaincode>#<sequence>`; other
organisations compare hashes (core/chaincode/lifecycle/lifecycle.go, serializer.go).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from privysharing.protocol.codec import lifecycle as codec
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import ChaincodeDefinition

NAMESPACES = "namespaces"
CHAINCODE_SOURCES = "chaincode-sources"

DEFINITION_TYPE = "ChaincodeDefinition"
DEFINITION_FIELDS = ("Sequence", "EndorsementInfo", "ValidationInfo", "Collections")
PARAMETERS_TYPE = "ChaincodeParameters"
LOCAL_PACKAGE_TYPE = "ChaincodeLocalPackage"

Get = Callable[[str], bytes | None]


class LifecycleError(ProtocolError):
    """The state does not hold what `_lifecycle` puts there."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A value of `_lifecycle` in the form in which it is stored: its type, and its encoded fields in order."""

    datatype: str
    fields: tuple[tuple[str, bytes], ...] = field(repr=False)


class WritableState(Protocol):
    """The part of a simulation that `store` needs."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...
    def delete(self, key: str) -> None: ...


def metadata_key(space: str, name: str) -> str:
    """Where a structure's type and field names are."""
    return f"{space}/metadata/{name}"


def field_key(space: str, name: str, field_name: str) -> str:
    """Where one field of a structure is."""
    return f"{space}/fields/{name}/{field_name}"


def sequence_key(chaincode: str) -> str:
    """The key that every transaction of a chaincode reads: so a new definition makes those in flight stale."""
    return field_key(NAMESPACES, chaincode, "Sequence")


def collections_key(chaincode: str) -> str:
    """Where the collections of a definition are."""
    return field_key(NAMESPACES, chaincode, "Collections")


def collections_key_owner(key: str) -> str | None:
    """The chaincode whose collections a public key of `_lifecycle` holds; None for any other key."""
    before, _, after = field_key(NAMESPACES, "\0", "Collections").partition("\0")
    return key[len(before) : -len(after)] if key.startswith(before) and key.endswith(after) else None


def definition_keys(chaincode: str) -> tuple[str, ...]:
    """Every key of a definition: what a transaction reads that rests on more of it than the sequence."""
    fields = (field_key(NAMESPACES, chaincode, name) for name in DEFINITION_FIELDS)
    return metadata_key(NAMESPACES, chaincode), *fields


def private_name(chaincode: str, sequence: int) -> str:
    """The name under which an organisation keeps its approval."""
    return f"{chaincode}#{sequence}"


def definition_structure(definition: ChaincodeDefinition) -> Structure:
    """A definition as it is committed."""
    sequence = ("Sequence", codec.encode_int64(definition.sequence))
    return Structure(DEFINITION_TYPE, (sequence, *parameters_structure(definition).fields))


def parameters_structure(definition: ChaincodeDefinition) -> Structure:
    """A definition as an organisation approves it: the sequence is in the name."""
    endorsement = codec.encode_endorsement_info(
        definition.version, definition.init_required, definition.endorsement_plugin
    )
    validation = codec.encode_validation_info(definition.validation_plugin, definition.validation_parameter)
    return Structure(
        PARAMETERS_TYPE,
        (
            ("EndorsementInfo", codec.encode_bytes(endorsement)),
            ("ValidationInfo", codec.encode_bytes(validation)),
            ("Collections", codec.encode_bytes(definition.collections)),
        ),
    )


def local_package_structure(package_id: str) -> Structure:
    """Which installed package an organisation uses; empty: none, so its peers do not endorse."""
    return Structure(LOCAL_PACKAGE_TYPE, (("PackageID", codec.encode_string(package_id)),))


def store(state: WritableState, space: str, name: str, structure: Structure) -> None:
    """Write a structure: only fields that change, metadata only if it changes, old fields deleted (Serialize).

    What is read here belongs to the transaction's read set, so the order and the choice of keys are Fabric's.
    """
    datatype, old_fields = codec.parse_state_metadata(state.get(metadata_key(space, name)) or b"")
    existing = {old: state.get(field_key(space, name, old)) for old in old_fields}
    for field_name, value in structure.fields:
        if existing.pop(field_name, None) != value:
            state.put(field_key(space, name, field_name), value)
    if existing or datatype != structure.datatype or len(old_fields) != len(structure.fields):
        state.put(metadata_key(space, name), _encode_metadata(structure))
    for gone in existing:
        state.delete(field_key(space, name, gone))


def mismatches(get_hash: Get, space: str, name: str, structure: Structure) -> tuple[str, ...]:
    """What of a structure is not stored as given, by hashes alone (Serializer IsSerialized). Empty: all of it is.

    A wrong or missing type is reported alone, under the type's name. All hashes are read even then: a simulation's
    read set has them.
    """
    type_hash = get_hash(metadata_key(space, name))
    hashes = {field_name: get_hash(field_key(space, name, field_name)) for field_name, _ in structure.fields}
    if type_hash != _sha256(_encode_metadata(structure)):
        return (structure.datatype,)
    return tuple(field_name for field_name, value in structure.fields if hashes[field_name] != _sha256(value))


def datatype(get: Get, space: str, name: str) -> str | None:
    """The type of a stored structure, None when there is none of that name."""
    raw = get(metadata_key(space, name))
    return None if raw is None else codec.parse_state_metadata(raw)[0]


def current_sequence(get: Get, chaincode: str) -> int:
    """The sequence of the committed definition, 0 when there is none."""
    return codec.parse_int64(get(sequence_key(chaincode)) or b"")


def read_definition(get: Get, chaincode: str) -> ChaincodeDefinition | None:
    """The committed definition of a chaincode, None when it has none (Resources ChaincodeDefinitionIfDefined)."""
    found = datatype(get, NAMESPACES, chaincode)
    if found is None:
        return None
    if found != DEFINITION_TYPE:
        raise LifecycleError(f"not a chaincode type: {found}")
    return _read_parameters(get, chaincode, current_sequence(get, chaincode))


def read_approval(get: Get, chaincode: str, sequence: int) -> ChaincodeDefinition | None:
    """What an organisation approved, read from its own implicit collection."""
    name = private_name(chaincode, sequence)
    found = datatype(get, NAMESPACES, name)
    if found is None:
        return None
    if found != PARAMETERS_TYPE:
        raise LifecycleError(f"not a chaincode parameters type: {found}")
    return _read_parameters(get, name, sequence)


def read_package_id(get: Get, chaincode: str, sequence: int) -> str | None:
    """The package that an organisation approved with a definition; None when it approved none."""
    name = private_name(chaincode, sequence)
    found = datatype(get, CHAINCODE_SOURCES, name)
    if found is None:
        return None
    if found != LOCAL_PACKAGE_TYPE:
        raise LifecycleError(f"not a chaincode local package type: {found}")
    return codec.parse_string(get(field_key(CHAINCODE_SOURCES, name, "PackageID")) or b"")


def _read_parameters(get: Get, name: str, sequence: int) -> ChaincodeDefinition:
    def stored(field_name: str) -> bytes:
        return codec.parse_bytes(get(field_key(NAMESPACES, name, field_name)) or b"")

    version, init_required, endorsement_plugin = codec.parse_endorsement_info(stored("EndorsementInfo"))
    validation_plugin, validation_parameter = codec.parse_validation_info(stored("ValidationInfo"))
    return ChaincodeDefinition(
        sequence=sequence,
        version=version,
        endorsement_plugin=endorsement_plugin,
        init_required=init_required,
        validation_plugin=validation_plugin,
        validation_parameter=validation_parameter,
        collections=stored("Collections"),
    )


def _encode_metadata(structure: Structure) -> bytes:
    return codec.encode_state_metadata(structure.datatype, [name for name, _ in structure.fields])


def _sha256(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
