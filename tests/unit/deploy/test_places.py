"""Nodes that have a machine each: what they are called there, and what they are given."""

from pathlib import Path, PurePosixPath

import pytest
import yaml
from click.testing import CliRunner
from cryptography import x509

from deploy import generate as command
from deploy.generate import generate
from deploy.kafka.cluster import Cluster
from deploy.manifest import Network
from deploy.ordering import OwnKafka
from deploy.places import CONFIGURATION, Places, contained, own_machine
from deploy.topology import load_topology

DEMO = load_topology("demo")
PEER, ORDERER = "peer0.medical.city", "orderer0.ministry.city"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return generate(DEMO, tmp_path_factory.mktemp("contained") / "network", contained(DEMO))


def own(network: Network, node: str) -> Path:
    return network.path(network.node(node).config).parent


def test_a_node_is_called_by_its_name_and_answers_its_operator_under_another(network: Network) -> None:
    peer, orderer = network.node(PEER), network.node(ORDERER)
    assert (peer.address, peer.operations_address) == (f"{PEER}:7051", f"operations.{PEER}:9443")
    assert (orderer.address, orderer.operations_address) == (f"{ORDERER}:7050", f"operations.{ORDERER}:8443")
    assert peer.command == ("privy-peer", "--config", "/etc/privysharing/core.yaml")


def test_every_file_that_a_configuration_names_is_in_the_nodes_own_folder(network: Network) -> None:
    for node in network.nodes:
        named = [PurePosixPath(each) for each in _texts(yaml.safe_load(network.path(node.config).read_text()))]
        inside = [path.relative_to(CONFIGURATION) for path in named if path.is_relative_to(CONFIGURATION)]
        assert len(inside) >= 8
        assert all((own(network, node.name) / path).exists() for path in inside)


def test_a_nodes_own_folder_holds_its_own_keys_and_no_others(network: Network) -> None:
    for node in network.nodes:
        keys = {
            path for path in own(network, node.name).rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()
        }
        assert {str(path.relative_to(own(network, node.name))) for path in keys} == {
            "msp/keystore/priv_sk",
            "tls/server.key",
        }
        assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
        assert (own(network, node.name) / "tls" / "server.key").read_bytes() == network.path(
            f"{node.tls}/server.key"
        ).read_bytes()


def test_a_certificate_says_every_name_of_its_node(tmp_path: Path) -> None:
    places = Places(
        {
            node.full_name: own_machine(DEMO, node, f"{node.name}.{node.org.name}", names=("another.example",))
            for node in DEMO.nodes
        },
        alone=True,
    )
    made = generate(DEMO, tmp_path / "network", places)
    certificate = x509.load_pem_x509_certificate((own(made, PEER) / "tls" / "server.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {PEER, "peer0.medical", "another.example"} <= set(names.get_values_for_type(x509.DNSName))
    assert made.node(PEER).address == "peer0.medical:7051"
    assert made.node(PEER).operations_address == "0.0.0.0:9443"


def test_brokers_and_ensemble_nodes_have_machines_too(tmp_path: Path) -> None:
    made = generate(load_topology("ordering4"), tmp_path / "network", contained(load_topology("ordering4")))
    assert made.ordering.brokers[:2] == ("broker0:9092", "broker1:9092")
    ensemble = Cluster.load(tmp_path / "network" / made.ordering.cluster).ensemble
    assert [member.address for member in ensemble] == [f"zookeeper{number}:2181" for number in range(3)]
    orderer = yaml.safe_load(made.path(made.node(ORDERER).config).read_text())
    assert orderer["privysharing"]["zooKeeper"]["advertised"] == f"{ORDERER}:7050"
    assert isinstance(load_topology("ordering4").ordering, OwnKafka)


def test_the_command_refuses_a_first_port_for_machines_that_have_all(tmp_path: Path) -> None:
    out = tmp_path / "network"
    arguments = ["--topology", "demo", "--out", str(out), "--places", "containers"]
    refused = CliRunner().invoke(command.main, [*arguments, "--base-port", "7000"])
    assert refused.exit_code == 2
    assert "--base-port is for --places local" in refused.output
    assert CliRunner().invoke(command.main, arguments).exit_code == 0
    assert Network.load(out).node(PEER).address == f"{PEER}:7051"


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
