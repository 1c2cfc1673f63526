"""The compose file of a network: what each container may see, be, and reach."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from deploy.compose.__main__ import main
from deploy.compose.document import CITY, client_of, compose_document, contracts_of
from deploy.compose.project import Project
from deploy.generate import generate
from deploy.images.engine import DockerFault, Engine
from deploy.kafka.cluster import Cluster
from deploy.manifest import Network
from deploy.ordering import OwnKafka, Wish
from deploy.packages import Missing
from deploy.places import contained
from deploy.topology import TopologyError, load_topology

USER = "10001:10001"
FOUR = load_topology("ordering4")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """Topology `ordering4`: two channels, of which the medical centre is on one, and a log on Kafka."""
    return generate(FOUR, tmp_path_factory.mktemp("four") / "network", contained(FOUR))


@pytest.fixture(scope="module")
def document(network: Network) -> dict[str, Any]:
    return compose_document(network, Cluster.load(network.path(network.ordering.cluster)), USER)


def networks_of(document: dict[str, Any], service: str) -> set[str]:
    return set(document["services"][service]["networks"])


def meet(document: dict[str, Any], one: str, other: str) -> bool:
    return bool(networks_of(document, one) & networks_of(document, other))


def test_every_container_is_confined(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        assert service["user"] == USER, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert {"mem_limit", "pids_limit", "logging"} <= service.keys(), name
        assert not {"privileged", "ports", "cap_add", "devices", "network_mode", "pid", "ipc"} & service.keys(), name
    assert all(each["internal"] for each in document["networks"].values())


def test_a_node_gets_its_own_folder_read_only_and_its_own_data(document: dict[str, Any], network: Network) -> None:
    for node in network.nodes:
        assert document["services"][node.name]["volumes"] == [
            f"./nodes/{node.name}/etc:/etc/privysharing:ro",
            f"./nodes/{node.name}/data:/var/lib/privysharing",
        ]


def test_what_is_mounted_is_there(document: dict[str, Any], network: Network) -> None:
    written = ("data", "unsettled", "wallet", ".id")  # by whoever starts it
    for service in document["services"].values():
        for source in (volume.split(":")[0] for volume in service["volumes"]):
            assert source.endswith(written) or network.path(source).exists(), source


def test_a_client_has_the_keys_of_its_people_and_not_their_administrators(document: dict[str, Any]) -> None:
    mounted = document["services"][client_of("medical")]["volumes"]
    wallet = {volume.split(":")[0] for volume in mounted if "wallet" in volume}
    assert wallet == {f"./wallet/{label}.id" for label in ("doctor", "nurse", "insurer")}
    assert not any("police" in volume or "Admin" in volume for volume in mounted)


def test_contracts_are_defined_with_one_organisations_administrator(document: dict[str, Any]) -> None:
    service = document["services"][contracts_of("police")]
    assert service["command"] == ["network", "define", "--organisation", "police"]
    keys = [volume for volume in service["volumes"] if "/users/" in volume]
    assert len(keys) == 1
    assert "Admin@police.city/msp" in keys[0]
    assert contracts_of("ministry") not in document["services"]  # which endorses nothing


def test_only_orderers_and_the_log_itself_reach_the_log(document: dict[str, Any], network: Network) -> None:
    for node in network.nodes:
        assert meet(document, node.name, "broker0") == (node.role == "orderer"), node.name
    for org in network.organisations:
        assert not meet(document, client_of(org.name), "broker0")
    assert meet(document, "broker0", "zookeeper2")


def test_who_shares_no_channel_shares_no_network(document: dict[str, Any]) -> None:
    assert meet(document, client_of("police"), "peer0.citizens.city")
    medical, transport = networks_of(document, "peer0.medical.city"), "channel-transport"
    assert transport in networks_of(document, "peer0.police.city")
    assert medical == {"organisation-medical", "channel-health"}
    assert transport not in networks_of(document, client_of("medical"))


def test_a_node_answers_operators_on_its_organisations_network_alone(
    document: dict[str, Any], network: Network
) -> None:
    for node in network.nodes:
        aliases = {
            name: (joined or {}).get("aliases") for name, joined in document["services"][node.name]["networks"].items()
        }
        named = {name for name, given in aliases.items() if given}
        assert named == {f"organisation-{node.org}"}
        assert aliases[f"organisation-{node.org}"] == [node.operations_address.rpartition(":")[0]]
    for org in network.organisations:
        assert not any(name.startswith("organisation-") for name in networks_of(document, client_of(org.name)))


def test_the_storyteller_starts_only_when_asked(document: dict[str, Any]) -> None:
    assert document["services"][CITY]["profiles"] == ["demo"]
    assert document["services"][CITY]["restart"] == "no"


def test_the_file_is_written_beside_the_network(tmp_path: Path) -> None:
    project = Project.make(load_topology("demo"), tmp_path / "network", Engine({}))
    written = yaml.safe_load((project.folder / "compose.yaml").read_text())
    assert set(written) == {"services", "networks"}
    assert len(project.network.nodes) == 5
    for node in project.network.nodes:
        data = project.network.path(node.data)
        assert data.stat().st_mode & 0o777 == 0o700
        owner = written["services"][node.name]["user"]
        assert owner == f"{data.stat().st_uid}:{data.stat().st_gid}" != "0:0"


def test_two_folders_never_share_containers(tmp_path: Path) -> None:
    assert Project(tmp_path / "one", Engine({})).name != Project(tmp_path / "two", Engine({})).name
    assert Project(tmp_path / "one", Engine({})).name == Project(tmp_path / "x" / ".." / "one", Engine({})).name


def test_brokers_without_zookeeper_are_refused(tmp_path: Path) -> None:
    without = load_topology("demo").ordered(Wish(brokers=1, zookeepers=0))
    assert without.ordering == OwnKafka(1, 0)
    with pytest.raises(TopologyError, match="needed: one or more"):
        Project.make(without, tmp_path / "network", Engine({}))
    assert not (tmp_path / "network").exists()


def test_without_images_it_is_said_what_makes_them_and_nothing_is_started(
    tmp_path: Path, docker: Callable[[str], Engine]
) -> None:
    engine = docker(f'echo "$@" >> {tmp_path}/called; case "$*" in *peer*) ;; *) echo f00d ;; esac')
    project = Project.make(load_topology("demo"), tmp_path / "network", engine)
    with pytest.raises(Missing, match=r"^needed: privysharing/peer:\S+ in the Docker engine; try: make images$"):
        project.up()
    assert {line.split()[0] for line in (tmp_path / "called").read_text().splitlines()} == {"images"}


def test_what_does_not_run_is_named_with_what_starts_it(tmp_path: Path, docker: Callable[[str], Engine]) -> None:
    folder = tmp_path / "network"
    project = Project.make(load_topology("demo"), folder, docker(":"))  # no containers
    with pytest.raises(DockerFault, match=f"^client.citizens of {folder}: not running; start it with: make compose-up"):
        project.privy(client_of("citizens"), "asset", "list")
    with pytest.raises(DockerFault, match=r"^orderer0.ministry.city, peer0.medical.city, .*: not running"):
        project.play()
    asked = CliRunner().invoke(main, ["exec", "--folder", str(folder), "citizen", "asset", "list"])
    assert asked.exit_code == 2
    assert "needed one of ministry, medical, police, citizens; found citizen" in asked.output
