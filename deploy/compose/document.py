"""The compose file of a network: which containers there are, what each may see, and whom it may reach."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from deploy import layout
from deploy.images.build import image_name
from deploy.kafka.cluster import CONFIGURATION as KAFKA_CONFIGURATION
from deploy.kafka.cluster import Cluster
from deploy.kafka.settings import BROKER, Member
from deploy.manifest import Network, NodeEntry, OrganisationEntry
from deploy.places import CONFIGURATION, DATA
from deploy.wallets import WALLET, label_of

CITY: Final = "city"  # plays the demo: the only one that has everybody's keys
DEMO: Final = "demo"  # its compose profile: it starts when somebody asks for it
LOG: Final = "log"
_MEMORY: Final = {"orderer": "512m", "peer": "1g", "client": "256m", "kafka": "768m", "zookeeper": "384m"}
_THREADS_MAX: Final = 512
_SCRATCH: Final = "/tmp:size=64m,mode=1777"  # noqa: S108
# A command line waits to be used: docker exec ... privy ...
_WAITING: Final = [
    "python3", "-c", "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
]  # fmt: skip
_IMAGES: Final = {BROKER: "kafka"}

Service = dict[str, Any]


def compose_document(network: Network, cluster: Cluster | None, user: str) -> dict[str, Any]:
    """All services and networks. `user` (uid:gid) owns the network's folder, and everything runs as that."""
    services: dict[str, Service] = {}
    for node in network.nodes:
        services[node.name] = _node(node)
    if cluster is not None:
        services |= {member.name: _member(member) for member in cluster.members}
    for org in network.organisations:
        if _channels_of(network, org):
            services[client_of(org.name)] = _client(network, org)
        if any(org.name in channel.members for channel in network.channels):
            services[contracts_of(org.name)] = _contracts(network, org)
    services[CITY] = _city(network)
    joined = sorted({name for service in services.values() for name in service["networks"]})
    return {
        "services": {name: _confined(service, user) for name, service in services.items()},
        "networks": {name: _isolated() for name in joined},
    }


def client_of(organisation: str) -> str:
    """The service in which an organisation's people have a command line."""
    return f"client.{organisation}"


def contracts_of(organisation: str) -> str:
    """The service that does an organisation's part in defining contracts, and ends."""
    return f"contracts.{organisation}"


def kept_folder(organisation: str) -> PurePosixPath:
    """Where an organisation's command line keeps what it has to remember, below the network's folder."""
    return PurePosixPath("clients") / organisation / layout.UNSETTLED


def _node(node: NodeEntry) -> Service:
    """On its organisation's network it answers its operator, and on those of its channels everybody who may call it."""
    own = str(PurePosixPath(node.config).parent)
    operations = node.operations_address.rpartition(":")[0]
    networks: dict[str, Any] = {_org(node.org): {"aliases": [operations]}}
    networks |= {_channel(name): {} for name in node.channels}
    if node.role == "orderer":
        networks[LOG] = {}
    return {
        "image": image_name(node.role),
        "mem_limit": _MEMORY[node.role],
        "volumes": [_read_only(own, CONFIGURATION), f"./{node.data}:{DATA}"],
        "networks": networks,
    }


def _member(member: Member) -> Service:
    home = layout.KAFKA / member.name
    role = _IMAGES.get(member.kind, member.kind)
    settings = KAFKA_CONFIGURATION[member.kind]
    return {
        "image": image_name(role),
        "mem_limit": _MEMORY[role],
        "tmpfs": [f"{_SCRATCH},exec"],  # Kafka unpacks its codecs there
        "volumes": [
            _read_only(str(home / settings), PurePosixPath("/etc") / role / settings),
            f"./{home / 'data'}:/var/lib/{role}/data",
        ],
        "networks": {LOG: {}},
    }


def _client(network: Network, org: OrganisationEntry) -> Service:
    wallet = [f"{WALLET}/{label_of(org, user)}.id" for user in org.users if user.role != "admin"]
    service = _command_line(network, [org], wallet)
    kept = f"./{kept_folder(org.name)}:{CONFIGURATION / layout.UNSETTLED}"
    return service | {"entrypoint": _WAITING, "volumes": [*service["volumes"], kept]}


def _contracts(network: Network, org: OrganisationEntry) -> Service:
    administrator = [user.msp for user in org.users if user.role == "admin"]
    return _command_line(network, [org], administrator) | {
        "command": ["network", "define", "--organisation", org.name],
        "restart": "on-failure",
    }


def _city(network: Network) -> Service:
    everybody = [user.msp for org in network.organisations for user in org.users]
    return _command_line(network, network.organisations, [WALLET, *everybody]) | {
        "command": ["demo", "--on", str(CONFIGURATION)],
        "profiles": [DEMO],
        "restart": "no",
    }


def _command_line(network: Network, organisations: Sequence[OrganisationEntry], keys: Sequence[str]) -> Service:
    """A client with some keys, on the channels of some organisations."""
    seen = [str(layout.MANIFEST), *keys]
    for org in organisations:
        seen += [org.profile, f"{org.folder}/{layout.APPLICATION}"]
    return {
        "image": image_name("client"),
        "mem_limit": _MEMORY["client"],
        "volumes": [_read_only(path, CONFIGURATION / path) for path in seen],
        "networks": {name: {} for org in organisations for name in _channels_of(network, org)},
    }


def _confined(service: Service, user: str) -> Service:
    """What holds for every container."""
    return {
        "restart": "unless-stopped",
        "tmpfs": [_SCRATCH],
        **service,
        "user": user,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": _THREADS_MAX,
        "stop_grace_period": "15s",  # a node drains for 10 s at most
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _isolated() -> dict[str, Any]:
    """A network from which nothing leads out, nor into another, nor to the host, which has no address in it."""
    return {"internal": True, "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"}}


def _channels_of(network: Network, org: OrganisationEntry) -> Mapping[str, None]:
    return {
        _channel(channel.name): None for channel in network.channels if org.name in (*channel.members, *channel.clients)
    }


def _read_only(path: str, target: PurePosixPath) -> str:
    return f"./{path}:{target}:ro"


def _org(name: str) -> str:
    return f"organisation-{name}"


def _channel(name: str) -> str:
    return f"channel-{name}"
