"""Topologies: the ones that ship, and the ones that make no sense."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.topology import NETWORK_YAML, Doors, TopologyError, load_topology, topology_names


def altered(tmp_path: Path, *keys: str, value: Any) -> Path:
    """network.yaml with one key changed."""
    document = yaml.safe_load(NETWORK_YAML.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    file = tmp_path / "network.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize("name", topology_names())
def test_every_topology_that_ships_loads(name: str) -> None:
    topology = load_topology(name)
    assert topology.name == name
    assert topology.client_auth_required


def test_demo_is_the_citys_smallest() -> None:
    demo = load_topology("demo")
    assert [node.full_name for node in demo.nodes] == [
        "orderer0.ministry.city",
        "peer0.medical.city",
        "peer0.police.city",
        "peer0.citizens.city",
        "peer1.citizens.city",
    ]
    assert [peer.full_name for peer in demo.peers if not peer.endorses] == ["peer1.citizens.city"]
    (health,) = demo.channels
    assert [org.msp_id for org in health.members] == ["MedicalMSP", "PoliceMSP", "CitizensMSP"]
    assert [org.msp_id for org in health.clients] == ["MinistryMSP"]
    assert health.doors is Doors.CLOSED
    assert demo.root.msp_id == "MinistryMSP"


def test_interop_is_demo_with_fabrics_doors() -> None:
    demo, interop = load_topology("demo"), load_topology("interop")
    assert interop.nodes == demo.nodes
    assert [channel.doors for channel in interop.channels] == [Doors.FABRIC]


def test_behind_closed_doors_a_transaction_is_at_most_2_mib_and_else_fabrics_10(tmp_path: Path) -> None:
    (demo,), (interop,) = load_topology("demo").channels, load_topology("interop").channels
    assert demo.batch_size.absolute_max_bytes == 2 * 1024 * 1024
    assert interop.batch_size.absolute_max_bytes == 10 * 1024 * 1024
    batch = {"absolute_max_bytes": 3 * 1024 * 1024}
    chosen = altered(tmp_path, "topologies", "demo", "channels", "health", "batch", value=batch)
    (demo,) = load_topology("demo", chosen).channels
    assert demo.batch_size.absolute_max_bytes == 3 * 1024 * 1024


POLICIES = {"endorsement": "OR('A.peer')", "lifecycle_endorsement": "OR('A.peer')"}
CRITICAL = ("topologies", "demo", "channels", "health", "contracts", "privysharing", "collections", "critical")
BOTH = {"members": ["medical", "police"]}

REFUSED: list[tuple[tuple[str, ...], Any, str]] = [
    (("topologies", "demo", "doors"), "ajar", "doors is 'ajar'; allowed: closed, fabric"),
    (("topologies", "demo", "orderers"), [], "demo.orderers is ..; needed: at least one node"),
    (
        ("topologies", "demo", "peers"),
        [{"name": "peer0", "org": "medical"}],
        "members is .*; needed: members with a peer",
    ),
    (("topologies", "demo", "orderers"), [{"name": "o", "org": "nobody"}], "'nobody'; needed: one of .*ministry"),
    (("topologies", "demo", "orderers"), [{"nam": "o", "org": "ministry"}], "'nam'.; needed: only the keys"),
    (("topologies", "demo", "pears"), [], "'pears'.; needed: only the keys"),
    (("topologies", "demo", "extends"), "demo", "a topology that does not extend itself"),
    (("topologies", "demo", "extends"), "dmo", "'dmo'; needed: one of .*demo"),
    (("topologies", "demo", "channels", "Health"), {}, "channels.Health"),
    (("topologies", "demo", "channels", "health"), {**POLICIES, "members": []}, "at least one organisation"),
    (("topologies", "demo", "channels", "health", "batch"), {"timeout": "soon"}, "not a duration"),
    (("topologies", "demo", "channels", "health", "batch"), {"timeout": "0s"}, "more than 0"),
    (("topologies", "demo", "channels", "health", "endorsement"), None, "endorsement is None; needed: a text"),
    (("organisations", "ministry", "root"), False, "exactly one organisation with root: true"),
    (("organisations", "police", "root"), True, "exactly one organisation with root: true"),
    (("organisations", "police", "msp_id"), "Police MSP", "msp_id is 'Police MSP'"),
    (("organisations", "police", "domain"), "police..city", "a DNS name"),
    (("organisations", "police", "users"), ["../x"], "a lower-case name"),
    (("organisations", "police"), [], "organisations.police is .*a mapping"),
    (("organisations", "police"), {1: "x"}, "organisations.police is .*texts as keys"),
    (("organisations", "police", "users"), 5, "organisations.police.users is 5; needed: a list"),
    (("organisations", "police", "users"), [["x"]], "users is .*; needed: a list of texts"),
    (("topologies", "demo", "extends"), [], "topology is ..; needed: one of"),
    (("topologies", "demo", "peers"), {"name": "peer0"}, "demo.peers is .*; needed: a list"),
    (("topologies", "demo", "orderers"), [{"name": "o", "org": []}], "orderers is ..; needed: one of"),
    (("topologies", "demo", "channels", "health", "contracts"), {"x": "1"}, "contracts.x is '1'; needed: a mapping"),
    (("topologies", "demo", "channels", "health", "members"), 1, "members is 1; needed: a list"),
    (
        ("topologies", "demo", "channels", "health", "batch"),
        {"max_message_count": "many"},
        "max_message_count is 'many'",
    ),
    (CRITICAL, {}, "critical.members is ..; needed: members of the channel, once each: medical, police, citizens"),
    (CRITICAL, {"members": ["medical", "medical"]}, "members of the channel, once each"),
    (CRITICAL, {"members": ["medical", "ministry"]}, "members of the channel, once each"),  # a client holds nothing
    (CRITICAL, {**BOTH, "required_peers": 2}, "required_peers is 2; needed: at most 1, the members' other peers"),
    (CRITICAL, {**BOTH, "required_peers": -1}, "required_peers is -1; needed: a whole number from 0"),
    (CRITICAL, {**BOTH, "maximum_peers": 0}, "maximum_peers is 0; needed: at least 1, as are required"),
    (CRITICAL, {**BOTH, "blocks_to_live": "ten"}, "blocks_to_live is 'ten'; needed: a whole number from 0"),
    (CRITICAL, {**BOTH, "member_only_read": 1}, "member_only_read is 1; needed: true or false"),
    (CRITICAL, {**BOTH, "endorsement": "most"}, "critical.endorsement is 'most'; needed: a policy .unrecognized"),
    (CRITICAL, {**BOTH, "members_only": True}, "'members_only'.; needed: only the keys blocks_to_live"),
    (CRITICAL, 5, "critical is 5; needed: a mapping"),
    ((*CRITICAL[:-1], "_implicit_org_A"), BOTH, "needed: letters, digits, - and, not first, _"),
    (CRITICAL[:-1], ["critical"], "collections is .*; needed: a mapping"),
    ((*CRITICAL[:-2], "policy"), "x", "'policy'.; needed: only the keys collections, version"),
]


@pytest.mark.parametrize(("keys", "value", "message"), REFUSED, ids=[f"{'.'.join(k)}={v}" for k, v, _ in REFUSED])
def test_nonsense_is_refused_by_place(tmp_path: Path, keys: tuple[str, ...], value: Any, message: str) -> None:
    file = altered(tmp_path, *keys, value=value)
    with pytest.raises(TopologyError, match=message):
        load_topology("demo", file)


@pytest.mark.parametrize("content", [b"\xff", b"a: [", b"[" * 3000, b"\x00", b"- 1"])
def test_a_file_that_is_no_mapping_in_yaml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "network.yaml"
    file.write_bytes(content)
    with pytest.raises(TopologyError, match=r"network\.yaml is"):
        load_topology("demo", file)


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    twins = [{"name": "orderer0", "org": "ministry"}] * 2
    with pytest.raises(TopologyError, match="every node named once"):
        load_topology("demo", altered(tmp_path, "topologies", "demo", "orderers", value=twins))
