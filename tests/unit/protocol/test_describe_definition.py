"""A definition says in words who holds private data and who endorses what."""

import json

import pytest

from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.describe.definition import describe_collections, describe_definition
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.lifecycle import ChaincodeDefinition
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.policies.signature import ChannelPolicyReference

MEMBERS = encode_signature_policy(parse_policy("OR('PoliceMSP.member', 'MedicalMSP.member')"))
OWN = encode_application_policy(parse_policy("OutOf(2, 'MedicalMSP.peer', 'PoliceMSP.peer')"))
REFERENCE = encode_application_policy(ChannelPolicyReference("/Channel/Application/Endorsement"))


def collection(endorsement: bytes | None) -> CollectionConfig:
    return CollectionConfig(
        name="critical",
        member_orgs_policy=MEMBERS,
        required_peer_count=1,
        maximum_peer_count=2,
        block_to_live=7,
        member_only_read=True,
        endorsement_policy=endorsement,
    )


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        (OWN, "OutOf(2, 'MedicalMSP.peer', 'PoliceMSP.peer')"),
        (REFERENCE, "/Channel/Application/Endorsement"),
        (None, "the chaincode's"),
    ],
)
def test_a_collection_is_shown_whole(policy: bytes | None, shown: str) -> None:
    definition = ChaincodeDefinition(sequence=1, version="1", collections=encode_collections([collection(policy)]))
    (described,) = describe_collections(definition)
    assert described == {
        "name": "critical",
        "members": ["MedicalMSP", "PoliceMSP"],
        "endorsement": shown,
        "required_peers": 1,
        "maximum_peers": 2,
        "blocks_to_live": 7,
        "member_only_read": True,
        "member_only_write": False,
    }


@pytest.mark.parametrize(
    ("parameter", "shown"), [(b"", "the channel's"), (REFERENCE, "/Channel/Application/Endorsement")]
)
def test_a_definition_is_shown_with_its_policy(parameter: bytes, shown: str) -> None:
    described = describe_definition(ChaincodeDefinition(sequence=3, version="1.0", validation_parameter=parameter))
    assert json.loads(json.dumps(described)) == {
        "sequence": 3,
        "version": "1.0",
        "endorsement": shown,
        "init_required": False,
    }
    assert describe_collections(ChaincodeDefinition(sequence=3, version="1.0")) == []


def test_what_cannot_be_read_is_said_to_be_so() -> None:
    with pytest.raises(MalformedMessage):
        describe_collections(ChaincodeDefinition(sequence=1, version="1", collections=b"\xff"))
