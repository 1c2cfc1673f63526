"""A generated folder: complete, movable, read by the nodes as meant, and never written over."""

import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.generate import FolderNotEmpty, generate
from deploy.manifest import Network, NotANetwork
from deploy.places import local
from deploy.ports import HOST, choose_ports, next_free
from deploy.topology import TopologyError, load_topology, topology_names
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.sdk.profile import ConnectionProfile
from services.orderer import config as orderer_config
from services.peer import config as peer_config


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    made = generate(load_topology("demo"), tmp_path_factory.mktemp("made") / "network")
    moved = made.folder.with_name("moved")
    made.folder.rename(moved)
    return Network.load(moved)


def test_the_manifest_reads_back_as_it_was_made(tmp_path: Path) -> None:
    made = generate(load_topology("demo"), tmp_path / "network")
    assert Network.load(tmp_path / "network") == made


def test_everything_that_the_manifest_names_is_there(network: Network) -> None:
    paths = [node.config for node in network.nodes] + [channel.genesis for channel in network.channels]
    for node in network.nodes:
        paths += [node.msp, node.tls]
    for org in network.organisations:
        paths += [org.folder, org.tls_ca, org.profile]
        paths += [path for user in org.users for path in (user.msp, user.tls)]
    assert [path for path in paths if not network.path(path).exists()] == []


def test_orderers_start_before_peers(network: Network) -> None:
    assert [(node.role, node.order) for node in network.nodes] == [("orderer", 0)] + [("peer", 1)] * 4
    assert network.nodes[0].command == ("privy-orderer", "--config", "nodes/orderer0.ministry.city/orderer.yaml")
    assert network.nodes[1].command == ("privy-peer", "--config", "nodes/peer0.medical.city/core.yaml")


def test_a_peer_reads_its_configuration_as_meant(network: Network) -> None:
    for node in (each for each in network.nodes if each.role == "peer"):
        config = peer_config.load(network.path(node.config), environment={})
        assert config.reporting.unused_keys == ()
        assert str(config.listen) == node.address
        assert str(config.reporting.operations) == node.operations_address
        assert config.signer.msp_id == config.msp.name == node.msp_id
        assert config.location == network.path(node.data)
        assert config.tls is not None
        assert config.tls.client_auth_required
        assert config.endorses == node.endorses
        assert set(config.contracts) == ({"privysharing"} if node.endorses else set())
        (channel,) = config.channels
        (orderer,) = channel.orderers
        assert channel.channel_id == "health"
        assert ChannelConfig.from_block(channel.genesis).channel_id == "health"
        assert orderer.address == network.node("orderer0.ministry.city").address
        assert orderer.msp_id == "MinistryMSP"


def test_an_orderer_reads_its_configuration_as_meant(network: Network) -> None:
    node = network.node("orderer0.ministry.city")
    config = orderer_config.load(network.path(node.config), environment={})
    assert config.reporting.unused_keys == ()
    assert str(config.listen) == node.address
    assert str(config.reporting.operations) == node.operations_address
    assert config.signer.msp_id == "MinistryMSP"
    assert config.location == network.path(node.data)
    assert config.tls is not None
    assert config.tls.client_auth_required
    assert config.genesis is not None
    assert [path.name for path in config.genesis.iterdir()] == ["health.block"]


def test_nodes_behind_closed_doors_take_little_more_than_a_transaction_and_foreign_ones_what_fabrics_do(
    network: Network, tmp_path: Path
) -> None:
    for made, received in ((network, 4 * 1024 * 1024), (generate(load_topology("interop"), tmp_path / "i"), 100 << 20)):
        for node in made.nodes:
            load = orderer_config.load if node.role == "orderer" else peer_config.load
            limits = load(made.path(node.config), environment={}).limits
            assert limits.message_bytes_max == received
            assert limits.sent_bytes_max == 100 << 20
            deliveries = limits.concurrency.get(
                "protos.Deliver", limits.concurrency.get("orderer.AtomicBroadcast/Deliver")
            )
            assert deliveries == (250 if made is network else 2500)


def test_the_channel_names_the_orderers_and_peers_that_run(network: Network) -> None:
    block = parse_block(network.path(network.channel("health").genesis).read_bytes())
    config = ChannelConfig.from_block(block)
    assert config.orderer_orgs["MinistryMSP"].endpoints == (network.node("orderer0.ministry.city").address,)
    anchors = {name: org.anchor_peers for name, org in config.application_orgs.items()}
    assert anchors.pop("MinistryMSP") == ()
    assert {name: [f"{peer.host}:{peer.port}" for peer in peers] for name, peers in anchors.items()} == {
        "MedicalMSP": [network.node("peer0.medical.city").address],
        "PoliceMSP": [network.node("peer0.police.city").address],
        "CitizensMSP": [network.node(f"peer{number}.citizens.city").address for number in range(2)],
    }


def test_a_client_reads_its_profile_as_meant(network: Network) -> None:
    profile = ConnectionProfile.load(network.path(network.organisation("citizens").profile))
    health = profile.channel("health")
    assert profile.msp_id == "CitizensMSP"
    assert [node.name for node in health.endorsers] == [
        "peer0.citizens.city",
        "peer0.medical.city",
        "peer0.police.city",
    ]
    assert [node.address for node in health.orderers] == [network.node("orderer0.ministry.city").address]
    assert health.endorsements == 2
    assert profile.tls_certificate.startswith(b"-----BEGIN CERTIFICATE")


def test_a_client_organisation_gets_a_profile_of_its_channels_too(network: Network) -> None:
    profile = ConnectionProfile.load(network.path(network.organisation("MinistryMSP").profile))
    assert [node.msp_id for node in profile.channel("health").endorsers] == ["MedicalMSP", "PoliceMSP", "CitizensMSP"]


@pytest.mark.parametrize(("topology", "endorsements"), [("demo", 2), ("interop", 2), ("bench-1ch", 2)])
def test_the_manifest_says_how_many_endorsements_are_always_enough(
    tmp_path: Path, topology: str, endorsements: int
) -> None:
    made = generate(load_topology(topology), tmp_path)
    assert [channel.endorsements for channel in made.channels] == [endorsements]


def test_every_topology_that_ships_can_be_generated(tmp_path: Path) -> None:
    for name in topology_names():
        assert generate(load_topology(name), tmp_path / name).topology == name


def test_ports_follow_a_base_port(tmp_path: Path) -> None:
    demo = load_topology("demo")
    made = generate(demo, tmp_path / "network", local(demo, base_port=17050))
    addresses = [each for node in made.nodes for each in (node.address, node.operations_address)]
    assert addresses == [f"{HOST}:{port}" for port in range(17050, 17060)]


def test_free_ports_are_free_and_all_different() -> None:
    ports = choose_ports(str(number) for number in range(50))
    assert len(set(ports.values())) == 50
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert next_free([port, ports["0"]]) == ports["0"]
        with pytest.raises(OSError, match="no free port"):
            next_free([port])


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    generate(load_topology("demo"), tmp_path / "network")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "network").rglob("*")}
    with pytest.raises(FolderNotEmpty, match="is not empty; choose another folder"):
        generate(load_topology("demo"), tmp_path / "network")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "network").rglob("*")} == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderNotEmpty):
        generate(load_topology("demo"), tmp_path / "file")


def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = load_topology("demo")
    unreachable = replace(demo.channels[0], endorsement="AND('MinistryMSP.peer')")
    with pytest.raises(TopologyError, match="needed: a policy that all endorsing peers together meet"):
        generate(replace(demo, channels=(unreachable,)), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with pytest.raises(TopologyError):
        generate(replace(demo, channels=(unreachable,)), tmp_path / "old")
    assert list((tmp_path / "old").iterdir()) == []


def test_two_networks_share_no_key(tmp_path: Path) -> None:
    keys = [
        {path.read_bytes() for path in generate(load_topology("demo"), tmp_path / name).folder.rglob("priv_sk")}
        for name in ("one", "two")
    ]
    assert not keys[0] & keys[1]


def test_a_folder_without_a_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotANetwork, match=r"network\.json does not exist"):
        Network.load(tmp_path)
    (tmp_path / "network.json").write_text("{")
    with pytest.raises(NotANetwork, match="is not JSON"):
        Network.load(tmp_path)
    (tmp_path / "network.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(NotANetwork, match="is not of format 1"):
        Network.load(tmp_path)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.generate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_generates_explains_itself_and_refuses(tmp_path: Path) -> None:
    out = str(tmp_path / "network")
    made = run("--topology", "demo", "--out", out)
    assert made.returncode == 0, made.stderr
    assert "privy-peer --config nodes/peer1.citizens.city/core.yaml" in made.stdout
    again = run("--topology", "demo", "--out", out)
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    assert "--base-port" in run("--help").stdout
    unknown = run("--topology", "metropolis", "--out", out)
    assert unknown.returncode == 2
    assert "'metropolis' is not one of 'demo', 'interop', 'bench-1ch'" in unknown.stderr
