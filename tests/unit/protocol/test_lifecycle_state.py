"""Definitions and approvals in the state: the keys that are written, and no others."""

import hashlib
from dataclasses import replace

import pytest

from privysharing.protocol.codec import lifecycle as codec
from privysharing.protocol.codec.collections import encode_collections, parse_collections
from privysharing.protocol.collections import CollectionConfig, implicit_collection, implicit_collection_msp_id
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.lifecycle import ChaincodeDefinition, CommitReadiness
from privysharing.protocol.lifecycle_state import (
    CHAINCODE_SOURCES,
    NAMESPACES,
    LifecycleError,
    Structure,
    current_sequence,
    datatype,
    definition_structure,
    local_package_structure,
    mismatches,
    parameters_structure,
    private_name,
    read_approval,
    read_definition,
    read_package_id,
    sequence_key,
    store,
)

DEFINITION = ChaincodeDefinition(
    sequence=1,
    version="1.0",
    validation_parameter=b"\x12\x20/Channel/Application/Endorsement",
    collections=encode_collections([CollectionConfig(name="health", block_to_live=5)]),
)


class State:
    """A namespace that remembers what was done to it."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.read: list[str] = []
        self.written: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return self.keys.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.written.append(key)
        self.keys[key] = value

    def delete(self, key: str) -> None:
        self.written.append(f"-{key}")
        del self.keys[key]

    def get_hash(self, key: str) -> bytes | None:
        return hashlib.sha256(self.keys[key]).digest() if key in self.keys else None


def committed(definition: ChaincodeDefinition = DEFINITION) -> State:
    state = State()
    store(state, NAMESPACES, "cc", definition_structure(definition))
    state.read.clear()
    state.written.clear()
    return state


def test_a_definition_comes_back_as_it_was_stored() -> None:
    state = committed()
    assert read_definition(state.get, "cc") == DEFINITION
    assert current_sequence(state.get, "cc") == 1
    assert read_definition(state.get, "other") is None
    assert current_sequence(state.get, "other") == 0


def test_a_new_definition_writes_every_field_and_reads_only_its_metadata() -> None:
    state = State()
    store(state, NAMESPACES, "cc", definition_structure(DEFINITION))
    fields = ["Sequence", "EndorsementInfo", "ValidationInfo", "Collections"]
    assert state.read == ["namespaces/metadata/cc"]
    assert state.written == [*(f"namespaces/fields/cc/{name}" for name in fields), "namespaces/metadata/cc"]


def test_a_change_writes_what_it_changes() -> None:
    state = committed()
    store(state, NAMESPACES, "cc", definition_structure(replace(DEFINITION, sequence=2)))
    assert state.written == [sequence_key("cc")]
    assert state.read[0] == "namespaces/metadata/cc"


def test_the_same_again_writes_nothing() -> None:
    state = committed()
    store(state, NAMESPACES, "cc", definition_structure(DEFINITION))
    assert state.written == []


def test_fields_of_an_older_layout_go() -> None:
    state = State()
    store(state, NAMESPACES, "cc", Structure("Older", (("Sequence", codec.encode_int64(1)), ("Gone", b"x"))))
    state.written.clear()
    store(state, NAMESPACES, "cc", definition_structure(DEFINITION))
    assert "-namespaces/fields/cc/Gone" in state.written
    assert "namespaces/metadata/cc" in state.written
    assert read_definition(state.get, "cc") == DEFINITION


def test_an_approval_is_a_definition_under_its_sequence() -> None:
    state = State()
    store(state, NAMESPACES, private_name("cc", 1), parameters_structure(DEFINITION))
    store(state, CHAINCODE_SOURCES, private_name("cc", 1), local_package_structure("cc_1:abc"))
    assert read_approval(state.get, "cc", 1) == DEFINITION
    assert read_package_id(state.get, "cc", 1) == "cc_1:abc"
    assert read_approval(state.get, "cc", 2) is None
    assert read_package_id(state.get, "cc", 2) is None


def test_others_compare_an_approval_by_its_hashes() -> None:
    state = State()
    name = private_name("cc", 1)
    store(state, NAMESPACES, name, parameters_structure(DEFINITION))
    assert mismatches(state.get_hash, NAMESPACES, name, parameters_structure(DEFINITION)) == ()
    other = replace(DEFINITION, version="1.1", collections=b"")
    assert mismatches(state.get_hash, NAMESPACES, name, parameters_structure(other)) == (
        "EndorsementInfo",
        "Collections",
    )
    assert mismatches(state.get_hash, NAMESPACES, "cc#2", parameters_structure(DEFINITION)) == ("ChaincodeParameters",)


def test_what_is_stored_under_the_name_must_be_what_is_asked_for() -> None:
    state = State()
    for space, name in ((NAMESPACES, "cc"), (NAMESPACES, "cc#1"), (CHAINCODE_SOURCES, "cc#1")):
        store(state, space, name, Structure("Something", ()))
    assert datatype(state.get, NAMESPACES, "cc") == "Something"
    for read in (
        lambda: read_definition(state.get, "cc"),
        lambda: read_approval(state.get, "cc", 1),
        lambda: read_package_id(state.get, "cc", 1),
    ):
        with pytest.raises(LifecycleError, match="Something"):
            read()
    with pytest.raises(MalformedMessage):
        read_definition(lambda key: b"\xff", "cc")


def test_implicit_collections_bear_their_organisations_name() -> None:
    assert implicit_collection("Org1MSP") == "_implicit_org_Org1MSP"
    assert implicit_collection_msp_id("_implicit_org_Org1MSP") == "Org1MSP"
    assert implicit_collection_msp_id("health") is None


def test_arguments_and_results_come_back_as_they_were_written() -> None:
    assert codec.parse_approve_args(codec.encode_approve_args("cc", DEFINITION, "id")) == ("cc", DEFINITION, "id")
    assert codec.parse_approve_args(codec.encode_approve_args("cc", DEFINITION, ""))[2] == ""
    assert codec.parse_definition_args(codec.encode_definition_args("cc", DEFINITION)) == ("cc", DEFINITION)
    assert codec.parse_query_args(codec.encode_query_args("cc")) == "cc"
    assert codec.parse_query_approved_args(codec.encode_query_approved_args("cc", 3)) == ("cc", 3)
    readiness = CommitReadiness({"A": True, "B": False}, {"B": ("Collections",)})
    assert codec.parse_commit_readiness(codec.encode_commit_readiness(readiness)) == readiness
    result = codec.encode_query_result(DEFINITION, {"A": True})
    assert codec.parse_query_result(result) == (DEFINITION, {"A": True})
    everything = [("cc", DEFINITION), ("dd", replace(DEFINITION, sequence=2))]
    assert codec.parse_query_all_result(codec.encode_query_all_result(everything)) == tuple(everything)
    for package_id in ("id", ""):
        result = codec.encode_query_approved_result(DEFINITION, package_id)
        assert codec.parse_query_approved_result(result) == (DEFINITION, package_id)


def test_collections_come_back_as_they_were_written() -> None:
    collections = (
        CollectionConfig(name="plain"),
        CollectionConfig(
            name="full",
            required_peer_count=1,
            maximum_peer_count=2,
            block_to_live=3,
            member_only_read=True,
            member_only_write=True,
            endorsement_policy=b"\x12\x01x",
        ),
    )
    assert parse_collections(encode_collections(collections)) == collections
