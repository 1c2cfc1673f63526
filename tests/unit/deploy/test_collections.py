"""A collection of `network.yaml`: what a definition says of it, and whom clients are told to ask."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.collections import Collection, package
from deploy.generate import generate
from deploy.keys import TopologyError
from deploy.manifest import Network
from deploy.topology import Topology, load_topology
from privysharing.contract.critical import CRITICAL
from privysharing.protocol.codec.collections import member_msp_ids, parse_collections
from privysharing.protocol.codec.policies import parse_application_policy
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.sdk import ConnectionProfile
from privysharing.sdk import profile as sdk

PEERS = {"a": ("AMSP", 2), "b": ("BMSP", 1), "c": ("CMSP", 1)}


def collection(**keys: object) -> Collection:
    return Collection.parse("team", {"members": ["a", "b"], **keys}, "here", PEERS)


def changed(topology: Topology, **changes: object) -> Topology:
    """The topology with another collection `critical`."""
    (channel,) = topology.channels
    (contract,) = channel.contracts
    (critical,) = contract.collections
    contract = replace(contract, collections=(replace(critical, **changes),))  # type: ignore[arg-type]
    return replace(topology, channels=(replace(channel, contracts=(contract,)),))


def test_unless_told_otherwise_members_alone_endorse_and_one_more_peer_has_the_value() -> None:
    (config,) = parse_collections(package([collection()]))
    assert (config.name, member_msp_ids(config)) == ("team", frozenset(("AMSP", "BMSP")))
    assert (config.required_peer_count, config.maximum_peer_count, config.block_to_live) == (1, 2, 0)
    assert (config.member_only_read, config.member_only_write) == (False, False)
    assert config.endorsement_policy is not None
    assert parse_application_policy(config.endorsement_policy) == parse_policy("OutOf(2, 'AMSP.peer', 'BMSP.peer')")


@pytest.mark.parametrize(
    ("members", "endorsement"),
    [
        (["b"], "OutOf(1, 'BMSP.peer')"),
        (["a", "b", "c"], "OutOf(2, 'AMSP.peer', 'BMSP.peer', 'CMSP.peer')"),
    ],
)
def test_a_majority_is_more_than_half_of_the_members(members: list[str], endorsement: str) -> None:
    assert collection(members=members).endorsement == endorsement


def test_whoever_has_no_fellow_needs_none() -> None:
    alone = collection(members=["b"])
    assert (alone.required_peers, alone.maximum_peers) == (0, 0)


def test_all_that_is_said_is_in_the_definition() -> None:
    told = collection(
        required_peers=2,
        maximum_peers=2,
        blocks_to_live=7,
        member_only_read=True,
        member_only_write=True,
        endorsement="OR('AMSP.peer')",
    )
    (config,) = parse_collections(package([told]))
    assert (config.required_peer_count, config.maximum_peer_count, config.block_to_live) == (2, 2, 7)
    assert (config.member_only_read, config.member_only_write) == (True, True)
    assert config.endorsement_policy is not None
    assert parse_application_policy(config.endorsement_policy) == parse_policy("OR('AMSP.peer')")


def test_a_contract_without_collections_is_defined_as_before() -> None:
    assert package([]) == b""


def test_manifest_and_profile_name_the_members_and_how_many_of_them_are_enough(tmp_path: Path) -> None:
    made = generate(load_topology("demo"), tmp_path)
    assert Network.load(tmp_path) == made
    ((entry,),) = [contract.collections for contract in made.channel("health").contracts]
    assert (entry.name, entry.members) == (CRITICAL, ("MedicalMSP", "PoliceMSP"))
    for org in made.organisations:
        nodes = ConnectionProfile.load(made.path(org.profile)).channel("health")
        expected = sdk.Collection(frozenset(("MedicalMSP", "PoliceMSP")), 2)
        assert nodes.collections == {"privysharing": {CRITICAL: expected}}


def test_a_manifest_from_before_there_were_collections_still_loads(tmp_path: Path) -> None:
    generate(load_topology("demo"), tmp_path)
    file = tmp_path / "network.json"
    facts = json.loads(file.read_text())
    for channel in facts["channels"]:
        for contract in channel["contracts"]:
            del contract["collections"]
    file.write_text(json.dumps(facts))
    assert [contract.collections for contract in Network.load(tmp_path).channels[0].contracts] == [()]


def test_fewer_members_than_the_channel_asks_for_endorse_what_is_private_alone(tmp_path: Path) -> None:
    own = changed(load_topology("demo"), members=("PoliceMSP",), endorsement="OR('PoliceMSP.peer')")
    made = generate(own, tmp_path)
    nodes = ConnectionProfile.load(made.path(made.organisation("police").profile)).channel("health")
    assert nodes.collections["privysharing"][CRITICAL].endorsements == 1


def test_a_policy_that_members_peers_cannot_meet_is_refused(tmp_path: Path) -> None:
    unmet = changed(load_topology("demo"), endorsement="OR('CitizensMSP.peer')")
    with pytest.raises(
        TopologyError, match=r"health.contracts.privysharing.collections.critical.endorsement is .*meet"
    ):
        generate(unmet, tmp_path)
