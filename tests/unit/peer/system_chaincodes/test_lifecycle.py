"""_lifecycle: approving, checking, committing and querying definitions, by real transactions."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from privysharing.protocol.codec import lifecycle as codec
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.codec.rwsets import parse_tx_rwset
from privysharing.protocol.codec.transactions import parse_chaincode_action, parse_proposal_response_payload
from privysharing.protocol.codes import TxCode
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.lifecycle import ChaincodeDefinition, CommitReadiness
from privysharing.protocol.policies import ChannelPolicyReference
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.transactions import ProposalResponse
from tests.support.endorsing import CHAINCODE, CHANNEL, Network, Peer, endorsed

DEFAULT_POLICY = encode_application_policy(ChannelPolicyReference("/Channel/Application/Endorsement"))
NO_OR = "signature policy is not an OR concatenation, NOutOf 2"
APPROVE, COMMIT, READINESS = "ApproveChaincodeDefinitionForMyOrg", "CommitChaincodeDefinition", "CheckCommitReadiness"


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.close()


def definition(**fields: Any) -> ChaincodeDefinition:
    return ChaincodeDefinition(**{"sequence": 1, "version": "1", **fields})


def member(*names: str) -> bytes:
    return encode_signature_policy(parse_policy(f"OR({', '.join(repr(name) for name in names)})"))


def collections(**fields: Any) -> bytes:
    chosen = {"name": "vitals", "member_orgs_policy": member("Org1MSP.member"), "maximum_peer_count": 1, **fields}
    return encode_collections([CollectionConfig(**chosen)])


def call(network: Network, function: str, argument: bytes, who: SigningIdentity | None = None) -> ProposalResponse:
    outcome = network.peers[0].answer(who or network.admins[0], "_lifecycle", function, argument)
    assert isinstance(outcome, ProposalResponse), outcome
    return outcome


def refused(network: Network, function: str, argument: bytes, who: SigningIdentity | None = None) -> str:
    """What the implementation behind a function refuses."""
    answer = call(network, function, argument, who)
    assert (answer.response.status, answer.endorsement) == (500, None)
    prefix = f"failed to invoke backing implementation of '{function}': "
    assert answer.response.message.startswith(prefix), answer.response
    return answer.response.message.removeprefix(prefix)


def approve_args(what: ChaincodeDefinition, name: str = CHAINCODE, package_id: str = "") -> bytes:
    return codec.encode_approve_args(name, what, package_id)


def test_a_definition_is_approved_checked_committed_and_queried(network: Network) -> None:
    wanted = definition()
    args = codec.encode_definition_args(CHAINCODE, wanted)

    def readiness() -> CommitReadiness:
        return codec.parse_commit_readiness(endorsed(call(network, READINESS, args)).response.payload)

    nothing = ("ChaincodeParameters",)
    assert readiness() == CommitReadiness(
        {"Org1MSP": False, "Org2MSP": False}, {"Org1MSP": nothing, "Org2MSP": nothing}
    )
    assert network.approve(0, CHAINCODE, wanted, "package:1") is TxCode.VALID
    assert readiness() == CommitReadiness({"Org1MSP": True, "Org2MSP": False}, {"Org2MSP": nothing})
    assert network.approve(1, CHAINCODE, wanted) is TxCode.VALID
    assert readiness() == CommitReadiness({"Org1MSP": True, "Org2MSP": True})
    assert network.submit(network.client, "_lifecycle", COMMIT, args) is TxCode.VALID
    committed = replace(wanted, validation_parameter=DEFAULT_POLICY)
    one = endorsed(call(network, "QueryChaincodeDefinition", codec.encode_query_args(CHAINCODE))).response.payload
    assert codec.parse_query_result(one) == (committed, {"Org1MSP": True, "Org2MSP": True})
    every = endorsed(call(network, "QueryChaincodeDefinitions", b"")).response.payload
    assert codec.parse_query_all_result(every) == ((CHAINCODE, committed),)
    approved = codec.encode_query_approved_args(CHAINCODE)
    mine = endorsed(call(network, "QueryApprovedChaincodeDefinition", approved)).response.payload
    assert codec.parse_query_approved_result(mine) == (committed, "package:1")


def test_who_approved_something_else_is_named_with_what_differs(network: Network) -> None:
    network.approve(0, CHAINCODE, definition())
    network.approve(1, CHAINCODE, definition(version="2", collections=collections()))
    args = codec.encode_definition_args(CHAINCODE, definition())
    found = codec.parse_commit_readiness(call(network, READINESS, args).response.payload)
    assert found.approvals == {"Org1MSP": True, "Org2MSP": False}
    assert found.mismatches == {"Org2MSP": ("EndorsementInfo", "Collections")}


def test_a_peer_does_not_endorse_a_commitment_that_its_organisation_did_not_approve(network: Network) -> None:
    network.approve(1, CHAINCODE, definition())
    args = codec.encode_definition_args(CHAINCODE, definition())
    assert refused(network, COMMIT, args) == "chaincode definition not agreed to by this org (Org1MSP)"
    outcome = network.peers[1].answer(network.admins[1], "_lifecycle", COMMIT, args)
    endorsed(outcome)


def test_a_commitment_without_a_majority_is_ordered_and_fails(network: Network) -> None:
    network.approve(1, CHAINCODE, definition())
    args = codec.encode_definition_args(CHAINCODE, definition())
    code = network.submit(network.admins[1], "_lifecycle", COMMIT, args, peers=[network.peers[1]])
    assert code is TxCode.ENDORSEMENT_POLICY_FAILURE


def test_an_approval_shows_its_plain_values_to_nobody_else(network: Network) -> None:
    answer = endorsed(call(network, APPROVE, approve_args(definition(), package_id="package:secret-label")))
    _, action = parse_proposal_response_payload(answer.payload)
    results = parse_chaincode_action(action).results
    assert b"secret-label" not in answer.payload
    (lifecycle, lscc) = parse_tx_rwset(results).namespaces
    assert (lifecycle.namespace, lscc.namespace) == ("_lifecycle", "lscc")
    assert lifecycle.writes == ()
    (collection,) = lifecycle.collections
    assert collection.collection == "_implicit_org_Org1MSP"
    assert len(collection.writes) == 6


def test_only_the_organisations_own_admins_approve_with_its_peers(network: Network) -> None:
    for who, why in (
        (network.client, "The identity is not an admin under this MSP [Org1MSP]"),
        (network.admins[1], "expected MSP ID Org1MSP, received Org2MSP"),
    ):
        answer = call(network, APPROVE, approve_args(definition()), who)
        assert answer.response.status == 500
        assert answer.response.message.startswith("Failed to authorize invocation due to failed ACL check: Failed ")
        assert why in answer.response.message


def test_a_client_may_not_commit_where_the_channel_says_so() -> None:
    network = Network(acls={"_lifecycle/CommitChaincodeDefinition": "/Channel/Application/Admins"})
    network.approve(0, CHAINCODE, definition())
    answer = call(network, COMMIT, codec.encode_definition_args(CHAINCODE, definition()), network.client)
    assert "failed ACL check: failed evaluating policy on signed data" in answer.response.message
    network.close()


@pytest.mark.parametrize(
    ("sequence", "why"),
    [
        (0, "requested sequence is 0, but first definable sequence number is 1"),
        (-1, "currently defined sequence 0 is larger than requested sequence -1"),
        (2, "requested sequence 2 is larger than the next available sequence number 1"),
    ],
)
def test_sequences_go_up_by_one(network: Network, sequence: int, why: str) -> None:
    assert refused(network, APPROVE, approve_args(definition(sequence=sequence))) == why
    args = codec.encode_definition_args(CHAINCODE, definition(sequence=sequence))
    text = f"requested sequence is {sequence}, but new definition must be sequence 1"
    assert refused(network, READINESS, args) == text
    assert refused(network, COMMIT, args) == text


def test_an_approval_that_changes_nothing_is_refused(network: Network) -> None:
    network.approve(0, CHAINCODE, definition(), "package:1")
    again = approve_args(definition(), package_id="package:1")
    assert refused(network, APPROVE, again) == (
        f"attempted to redefine uncommitted sequence (1) for namespace {CHAINCODE} with unchanged content"
    )
    assert network.approve(0, CHAINCODE, definition(), "package:2") is TxCode.VALID
    assert network.approve(0, CHAINCODE, definition(version="2"), "package:2") is TxCode.VALID
    approved = codec.encode_query_approved_args(CHAINCODE, 1)
    mine, package_id = codec.parse_query_approved_result(
        call(network, "QueryApprovedChaincodeDefinition", approved).response.payload
    )
    assert (mine.version, package_id) == ("2", "package:2")


def test_a_committed_definition_can_be_approved_late_but_not_changed(network: Network) -> None:
    network.define()
    same = approve_args(definition())
    text = f"attempted to redefine the current committed sequence (1) for namespace {CHAINCODE}"
    assert refused(network, APPROVE, same) == text
    other = approve_args(definition(version="2"))
    assert refused(network, APPROVE, other) == (
        f"{text} with different parameters: expected Version '1' does not match passed Version '2'"
    )
    assert network.approve(0, CHAINCODE, definition(), "package:late") is TxCode.VALID


def test_a_new_sequence_replaces_a_definition_and_writes_only_what_changed(network: Network) -> None:
    network.define()
    following = definition(sequence=2, version="2")
    for org in (0, 1):
        network.approve(org, CHAINCODE, following)
    args = codec.encode_definition_args(CHAINCODE, following)
    answer = endorsed(call(network, COMMIT, args))
    _, action = parse_proposal_response_payload(answer.payload)
    (lifecycle,) = parse_tx_rwset(parse_chaincode_action(action).results).namespaces
    written = [write.key.removeprefix(f"namespaces/fields/{CHAINCODE}/") for write in lifecycle.writes]
    assert written == ["EndorsementInfo", "Sequence"]


def test_another_peer_of_the_organisation_goes_by_hashes_but_cannot_show_what_it_never_saw(network: Network) -> None:
    network.approve(0, CHAINCODE, definition())
    network.channel.lose_private_data(network.org1.msp_id)
    twin = Peer(network.org1, network.channels)
    args = codec.encode_definition_args(CHAINCODE, definition())
    endorsed(twin.answer(network.admins[0], "_lifecycle", COMMIT, args))
    approved = codec.encode_query_approved_args(CHAINCODE, 1)
    outcome = twin.answer(network.admins[0], "_lifecycle", "QueryApprovedChaincodeDefinition", approved)
    assert isinstance(outcome, ProposalResponse)
    assert "private data matching public hash version is not available" in outcome.response.message
    twin.watchdog.close()


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("bad name", {}, "invalid chaincode name 'bad name'. Names can only consist of alphanumerics, '_', and '-'"),
        ("kv\n", {}, "invalid chaincode name 'kv\n'."),
        ("qscc", {}, "chaincode name 'qscc' is the name of a system chaincode"),
        ("kv", {"version": ""}, "invalid chaincode version ''."),
        ("kv", {"version": "1 0"}, "invalid chaincode version '1 0'."),
        ("kv", {"collections": collections(name="_hidden")}, "invalid collection name '_hidden'."),
        ("kv", {"collections": b"\x0a\x00"}, "collection config contains unexpected payload type: <nil>"),
        (
            "kv",
            {"collections": collections() + collections()},
            "collection-name: vitals -- found duplicate in collection configuration",
        ),
        (
            "kv",
            {"collections": collections(required_peer_count=2)},
            "collection-name: vitals -- maximum peer count (1) cannot be less than the required peer count (2)",
        ),
        (
            "kv",
            {"collections": collections(required_peer_count=-1)},
            "collection-name: vitals -- requiredPeerCount (-1) cannot be less than zero",
        ),
        (
            "kv",
            {"collections": collections(member_orgs_policy=b"")},
            "collection member policy is not set for collection 'vitals'",
        ),
        (
            "kv",
            {"collections": collections(member_orgs_policy=member("Org9MSP.member"))},
            "collection-name: vitals -- collection member 'Org9MSP' is not part of the channel",
        ),
        (
            "kv",
            {
                "collections": collections(
                    member_orgs_policy=encode_signature_policy(parse_policy("AND('Org1MSP.member','Org2MSP.member')"))
                )
            },
            f"collection-name: vitals -- error in member org policy: {NO_OR}",
        ),
    ],
)
def test_a_definition_that_makes_no_sense_is_neither_approved_nor_committed(
    network: Network, name: str, fields: dict[str, Any], why: str
) -> None:
    bad = definition(**fields)
    for function, argument in (
        (APPROVE, approve_args(bad, name)),
        (COMMIT, codec.encode_definition_args(name, bad)),
    ):
        assert refused(network, function, argument).startswith(f"error validating chaincode definition: {why}")


def test_a_collection_stays_once_it_is_defined(network: Network) -> None:
    network.define(collections=collections(block_to_live=3))
    for changed, why in (
        (b"", "the proposed collection config does not contain previously defined collections"),
        (
            collections(name="other", block_to_live=3),
            "existing collection [vitals] missing in the proposed collection configuration",
        ),
        (
            collections(block_to_live=4),
            "the BlockToLive in an existing collection [vitals] modified. Existing value [3]",
        ),
    ):
        bad = approve_args(definition(sequence=2, collections=changed))
        assert refused(network, APPROVE, bad) == f"error validating chaincode definition: {why}"
    grown = collections(block_to_live=3, member_orgs_policy=member("Org1MSP.member", "Org2MSP.member"))
    assert network.approve(0, CHAINCODE, definition(sequence=2, collections=grown)) is TxCode.VALID


def test_an_undefined_chaincode_is_not_found(network: Network) -> None:
    answer = call(network, "QueryChaincodeDefinition", codec.encode_query_args("nocc"))
    assert (answer.response.status, answer.response.message) == (404, "namespace nocc is not defined")
    assert endorsed(call(network, "QueryChaincodeDefinitions", b"")).response.payload == b""
    text = refused(network, "QueryApprovedChaincodeDefinition", codec.encode_query_approved_args("nocc"))
    assert text == f"could not fetch approved chaincode definition (name: 'nocc', sequence: '0') on channel '{CHANNEL}'"


def test_a_wrong_number_of_arguments_is_refused(network: Network) -> None:
    for args, why in (
        ((), "lifecycle scc must be invoked with arguments"),
        (("QueryChaincodeDefinitions",), "lifecycle scc operations require exactly two arguments but received 1"),
    ):
        outcome = network.peers[0].answer(network.admins[0], "_lifecycle", *args)
        assert isinstance(outcome, ProposalResponse)
        assert outcome.response.message == why


def test_an_unknown_function_has_no_access_rule(network: Network) -> None:
    answer = call(network, "Nope", b"")
    assert answer.response.message == (
        "Failed to authorize invocation due to failed ACL check: Unmapped policy for _lifecycle/Nope"
    )


def test_contracts_are_not_installed_through_lifecycle(network: Network) -> None:
    assert refused(network, "InstallChaincode", b"") == "contracts of this peer are installed as Python packages"
    assert endorsed(call(network, "QueryInstalledChaincodes", b"")).response.payload == b""


def test_an_argument_that_is_no_message_is_refused(network: Network) -> None:
    assert "CommitChaincodeDefinitionArgs" in refused(network, COMMIT, b"\xff")
