"""The demo's network in containers of a real Docker engine: what they tell, keep, reach, and what root gains in one."""

import json
import os
import re
import socket
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from deploy.compose.document import CITY, DEMO, client_of
from deploy.compose.project import Project
from deploy.images import base
from deploy.images.build import NODE_ROLES, ROLES, build, image_name
from deploy.images.engine import DockerFault, Engine, engine_for_a_while
from deploy.kafka.cluster import Cluster
from deploy.ordering import Wish
from deploy.places import ORDERER_PORTS, PEER_PORTS
from deploy.topology import load_topology
from tests.support.containers import Address, Container, containers

pytestmark = pytest.mark.xdist_group("containers")

USER = 10001
PEER = "peer0.medical.city"
NODES = 5
SERVES_SECONDS_MAX = 120.0
# What makes other programs, fetches them, or is more of a system than a node needs.
TOOLS = re.compile(
    r"(.*/)?(.*-)?(apt|apt-get|dpkg|pip3?|gcc|cc|c\+\+|g\+\+|clang|ld|as|make|cmake|javac|jlink|mvn|git|curl|wget|perl|"
    r"sh|bash|dash|busybox|su|sudo|mount)([.0-9-]+)?"
)
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{40}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with engine_for_a_while() as found:
        yield found


@pytest.fixture(scope="module")
def images(engine: Engine) -> dict[str, str]:
    """The image of each role."""
    base_image = base.REGISTRY_BASE if base.pull(engine, base.REGISTRY_BASE) else base.OWN_BASE
    if base_image == base.OWN_BASE and not base.has(engine, base_image):
        base.make(engine)
    build(engine, base_image)
    return {role: image_name(role) for role in ROLES}


@pytest.fixture(scope="module")
def city(engine: Engine, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    topology = load_topology("demo").ordered(Wish(os.environ.get("CONTAINERS_ORDERING")))
    project = Project.make(topology, tmp_path_factory.mktemp("city") / "network", engine)
    project.up()
    yield project
    project.down()


def test_the_demos_story_is_told_on_containers(city: Project) -> None:
    told = city.compose("--profile", DEMO, "run", "--rm", "-T", CITY)
    assert told.strip().endswith("demo ok")
    assert "4 peers at height" in told
    with pytest.raises(DockerFault, match="needed: a network that nobody has used yet; found: 37 minted coins"):
        city.compose("--profile", DEMO, "run", "--rm", "-T", CITY)


def test_everything_runs_as_a_user_without_rights_on_a_root_that_nobody_writes(city: Project) -> None:
    running = {container.service: container for container in containers(city)}
    assert len(running) == NODES + len(city.network.organisations) + len(_members(city))
    for container in running.values():
        host = container.facts["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert (host["Privileged"], host["ReadonlyRootfs"]) == (False, True)
        assert min(host["Memory"], host["PidsLimit"]) > 0
        assert container.facts["Config"]["User"] == f"{USER}:{USER}"
    for container in (each for service, each in running.items() if service not in _members(city)):  # which have Python
        assert _status(container)["Uid"] == "\t".join([str(USER)] * 4)
        assert _has_no_rights(_status(container))
        assert _writable(container) == {"/dev/mqueue", "/dev/shm", "/tmp", _own_folder(container)}


def test_root_of_its_own_container_gains_nothing(city: Project) -> None:
    peer = Container(city, PEER)
    assert _has_no_rights(_status(peer, user="0"))
    assert _refused(peer, "open('/etc/passwd', 'a')") == "Read-only file system"
    assert _refused(peer, "open('/etc/privysharing/msp/x', 'w')") in ("Read-only file system", "Permission denied")
    assert _refused(peer, "open('/etc/privysharing/tls/server.key')") == "Permission denied"
    assert _refused(peer, "os.listdir('/var/lib/privysharing')") == "Permission denied"
    assert _refused(peer, "os.setuid(10001)") == "Operation not permitted"
    assert (
        _refused(peer, "os.mknod('/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(254, 0))") == "Operation not permitted"
    )
    assert _refused(peer, "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)") == "Operation not permitted"
    assert _refused(peer, "os.kill(1, 9)") == "Operation not permitted"


def test_a_container_sees_of_the_network_what_is_its_own(city: Project) -> None:
    for node in city.network.nodes:
        mounted = {mount["Source"]: mount["RW"] for mount in Container(city, node.name).facts["Mounts"]}
        here = city.folder / "nodes" / node.name
        assert mounted == {str(here / "etc"): False, str(here / "data"): True}
    for org in city.network.organisations:
        mounts = Container(city, client_of(org.name)).facts["Mounts"]
        assert [mount["Destination"] for mount in mounts if mount["RW"]] == ["/etc/privysharing/unsettled"]
        paths = [mount["Source"] for mount in mounts]
        others = [each.folder for each in city.network.organisations if each != org]
        assert not [path for path in paths for other in others if other in path]


def test_who_shares_a_channel_reaches_its_nodes_and_nobody_another_organisations_operations(city: Project) -> None:
    targets = [*city.network.nodes]
    addresses: dict[Address, tuple[str, str, bool]] = {}  # organisation and role of who has it; whether for operators
    for node in targets:
        service, operations = PEER_PORTS if node.role == "peer" else ORDERER_PORTS
        for address in Container(city, node.name).addresses.values():
            addresses[address, service] = node.org, node.role, False
            addresses[address, operations] = node.org, node.role, True
    owners = {node.name: node.org for node in targets}
    owners |= {client_of(org.name): org.name for org in city.network.organisations}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda service: Container(city, service).reaches([*addresses]), owners)
        reached_by = dict(zip(owners, found, strict=True))
    for service, org in owners.items():
        is_client = service == client_of(org)
        reached = {addresses[each] for each in reached_by[service]}
        others = {(owner, role) for owner, role, operators in reached if not operators and owner != org}
        assert others == {(owner, role) for owner, role, _ in addresses.values() if owner != org}, service
        assert {owner for owner, _, operators in reached if operators} == (set() if is_client else {org}), service


def test_a_container_reaches_neither_its_host_nor_anything_beyond(city: Project) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listening:
        port = listening.getsockname()[1]
        hosts = [*_addresses_of_this_host(), *Container(city, PEER).gateways]
        assert len(hosts) >= 2
        assert Container(city, PEER).reaches([*((host, port) for host in hosts), ("1.1.1.1", 53)]) == set()


def test_killed_containers_lose_nothing_that_was_acknowledged(city: Project) -> None:
    alice = Container(city, client_of("citizens"))
    before = {f"asset{number}" for number in range(3)}
    for name in sorted(before):
        alice.privy("asset", "create", "heart_rate", name, "--as", "alice")
    names = [*_members(city), *(node.name for node in city.network.nodes)]
    killed = [city.container(name) for name in names]
    city.engine.docker("kill", *killed)
    city.engine.docker("rm", *killed)
    city.compose("up", "--detach", *names)
    assert not {city.container(name) for name in names} & {*killed}
    _once_served(lambda: alice.privy("asset", "create", "heart_rate", "after", "--as", "alice"))
    kept = {asset["id"].rpartition("/")[2] for asset in alice.privy("asset", "list", "--as", "alice")}
    assert kept >= before | {"after"}


def test_a_node_that_is_stopped_drains_and_ends_by_itself(city: Project) -> None:
    for service in (PEER, city.network.nodes[0].name):
        city.engine.docker("stop", "--time", "15", city.container(service))
        assert Container(city, service).facts["State"]["ExitCode"] == 0
        city.engine.docker("start", city.container(service))


def test_images_hold_no_key_and_nothing_to_build_or_install_with(
    engine: Engine, images: dict[str, str], tmp_path: Path
) -> None:
    saved = tmp_path / "images.tar"
    engine.docker("save", "--output", str(saved), *images.values())
    seen = 0
    for layer in _layers(saved):
        for member in layer:
            seen += 1
            assert not (TOOLS.fullmatch(member.name) and member.mode & 0o111 and not member.isdir()), member.name
            if member.isfile():
                assert not member.mode & 0o6000, member.name  # nobody becomes another by starting it
                content = layer.extractfile(member)
                assert content is not None
                assert not KEY.search(content.read()), member.name
    assert seen > 1_000


def test_images_say_what_they_are_and_start_what_is_documented(engine: Engine, images: dict[str, str]) -> None:
    for role, name in images.items():
        (facts,) = json.loads(engine.docker("image", "inspect", name))
        config = facts["Config"]
        assert config["User"] == f"{USER}:{USER}"
        labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
        assert {"title", "description", "version", "revision", "licenses"} <= labels.keys()
        if role in ("orderer", "peer"):
            assert config["Entrypoint"] == [f"privy-{role}"]
            assert config["Cmd"][0] == "--config"
    assert set(NODE_ROLES) < set(images)


def _members(project: Project) -> tuple[str, ...]:
    """Brokers and ZooKeeper nodes, where the log is on Kafka."""
    ordering = project.network.ordering
    return Cluster.load(project.network.path(ordering.cluster)).names if ordering.cluster else ()


def _once_served(attempt: Callable[[], object]) -> None:
    """Try until nodes that have just been started answer."""
    deadline = time.monotonic() + SERVES_SECONDS_MAX
    while True:
        try:
            attempt()
            return
        except DockerFault:
            if time.monotonic() > deadline:
                raise


def _layers(saved: Path) -> Iterator[tarfile.TarFile]:
    """Every layer of saved images once, with what a later one may hide."""
    with tarfile.open(saved) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        for path in dict.fromkeys(path for image in json.load(manifest) for path in image["Layers"]):
            layer = archive.extractfile(path)
            assert layer is not None
            with tarfile.open(fileobj=layer) as files:
                yield files


def _addresses_of_this_host() -> list[str]:
    return [each.address for card in psutil.net_if_addrs().values() for each in card if each.family == socket.AF_INET]


def _status(container: Container, user: str | None = None) -> dict[str, str]:
    """What the kernel says of a process in it."""
    lines = container.python("print(open('/proc/self/status').read())", user=user).strip().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _has_no_rights(status: dict[str, str]) -> bool:
    capabilities = {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
    return capabilities == {0} and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def _writable(container: Container) -> set[str]:
    """Folders of a container in which its user can make a file."""
    found = container.python(
        "import os\n"
        "for folder, _, _ in os.walk('/'):\n"
        "    if folder.startswith(('/proc', '/sys')): continue\n"
        "    if os.access(folder, os.W_OK): print(folder)\n"
    )
    return {each for each in found.split() if not each.startswith("/var/lib/privysharing/")}


def _own_folder(container: Container) -> str:
    return "/etc/privysharing/unsettled" if container.service.startswith("client.") else "/var/lib/privysharing"


def _refused(container: Container, attempt: str) -> str:
    """How an attempt of root's fails."""
    program = f"import os, socket, stat\ntry:\n    {attempt}\nexcept OSError as error:\n    print(error.strerror)"
    return container.python(program, user="0").strip()
