"""Connection profiles: where the nodes of a network are, in the JSON form of Fabric's SDKs.

Read are `organizations`, `peers`, `orderers`, `channels` and `client`. Three keys are
ours. `channels.<name>.endorsements`: how many equal endorsements are enough, so that a client need not wait for every
endorsing peer. `channels.<name>.contracts.<contract>.collections.<name>`: who holds private data, as MSP ids under
`members`, and how many of their `endorsements` are enough. `organizations.<name>.signingCAs`: who issues its
identities, so that a client knows a peer's endorsement from a made-up one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from privysharing.sdk.documents import Document
from privysharing.sdk.errors import ProfileError

SERVER_NAME = "ssl-target-name-override"
SIGNING_CAS = "signingCAs"


@dataclass(frozen=True, slots=True)
class Node:
    """A peer or an orderer as a client reaches it."""

    name: str
    msp_id: str
    address: str  # host:port
    tls_ca: bytes = field(repr=False)  # PEM
    server_name: str | None = None  # what its TLS certificate says, where that is not the host
    signing_cas: bytes = field(default=b"", repr=False)  # PEM; empty: whoever names the organisation is believed


@dataclass(frozen=True, slots=True)
class Collection:
    """Whose peers (by MSP id) hold a collection, and how many of their endorsements are enough; None: all of them."""

    members: frozenset[str]
    endorsements: int | None = None


@dataclass(frozen=True, slots=True)
class ChannelNodes:
    """The nodes that serve one channel, in order of preference."""

    endorsers: tuple[Node, ...]
    event_sources: tuple[Node, ...]
    orderers: tuple[Node, ...]
    endorsements: int | None  # None: ask every endorsing peer
    collections: Mapping[str, Mapping[str, Collection]] = field(default_factory=dict)  # by contract and name


@dataclass(frozen=True, slots=True)
class ConnectionProfile:
    """A network from one organisation's point of view."""

    organization: str
    msp_id: str
    channels: Mapping[str, ChannelNodes]
    tls_certificate: bytes = field(repr=False)  # PEM; empty without mutual TLS
    tls_key: bytes = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> "ConnectionProfile":
        """Read a profile; relative paths in it count from its own folder. ProfileError names what is wrong in it."""
        return _profile(Document.load(path))

    def channel(self, name: str) -> ChannelNodes:
        """The nodes of a channel; ProfileError names the channels that there are."""
        if name not in self.channels:
            raise ProfileError(f"no channel {name!r} in the profile; it has {', '.join(self.channels) or 'none'}")
        return self.channels[name]


def _profile(document: Document) -> ConnectionProfile:
    client = document.section("client")
    organization = client.text("organization")
    organizations = document.section("organizations")
    org_of: dict[str, Document] = {}
    for name in document.texts("organizations"):
        org = organizations.section(name)
        org.text("mspid")
        org_of |= dict.fromkeys(org.texts("peers", []), org)
    own_msp = organizations.section(organization).text("mspid")
    peers = {name: _node(document, "peers", name, org_of.get(name)) for name in document.texts("peers")}
    orderers = {name: _node(document, "orderers", name) for name in document.texts("orderers")}
    channels = document.section("channels", {})
    tls = client.section("tlsCerts", {})
    mutual = tls.section("client") if "client" in tls.value else None
    return ConnectionProfile(
        organization=organization,
        msp_id=own_msp,
        channels={name: _channel(channels.section(name), own_msp, peers, orderers) for name in channels.value},
        tls_certificate=mutual.certificates("cert") if mutual else b"",
        tls_key=mutual.private_key("key") if mutual else b"",
    )


def _channel(channel: Document, own_msp: str, peers: Mapping[str, Node], orderers: Mapping[str, Node]) -> ChannelNodes:
    roles = channel.section("peers")
    role_of = {name: roles.section(name) for name in roles.value}
    known = _known(channel, "peers", peers)
    # One's own organisation first, and in it the endorsers: who reads where his commits were seen reads his writes.
    known.sort(key=lambda node: (node.msp_id != own_msp, not role_of[node.name].flag("endorsingPeer", True)))
    contracts = channel.section("contracts", {})
    return ChannelNodes(
        endorsers=tuple(node for node in known if role_of[node.name].flag("endorsingPeer", True)),
        event_sources=tuple(node for node in known if role_of[node.name].flag("eventSource", True)),
        orderers=tuple(_known(channel, "orderers", orderers)),
        endorsements=_endorsements(channel),
        collections={name: _collections(contracts.section(name)) for name in contracts.value},
    )


def _collections(contract: Document) -> Mapping[str, Collection]:
    collections = contract.section("collections", {})
    sections = {name: collections.section(name) for name in collections.value}
    return {
        name: Collection(frozenset(section.texts("members")), _endorsements(section))
        for name, section in sections.items()
    }


def _endorsements(section: Document) -> int | None:
    return section.count("endorsements") if "endorsements" in section.value else None


def _known(channel: Document, kind: str, nodes: Mapping[str, Node]) -> list[Node]:
    """The nodes that a channel names."""
    names = channel.texts(kind)
    if strangers := [name for name in names if name not in nodes]:
        raise channel.wrong(kind, f"names from `{kind}`, which has no {strangers[0]}")
    return [nodes[name] for name in names]


def _node(document: Document, kind: str, name: str, org: Document | None = None) -> Node:
    node = document.section(kind).section(name)
    options = node.section("grpcOptions", {})
    return Node(
        name=name,
        msp_id=org.text("mspid") if org else "",
        address=_address(node),
        tls_ca=node.certificates("tlsCACerts"),
        server_name=options.text(SERVER_NAME) if SERVER_NAME in options.value else None,
        signing_cas=org.certificates(SIGNING_CAS) if org and SIGNING_CAS in org.value else b"",
    )


def _address(node: Document) -> str:
    try:
        url = urlsplit(node.text("url"))
        whole = url.scheme == "grpcs" and url.hostname and url.port and not url.username
    except ValueError:  # brackets or a port that are none
        whole = False
    if not whole:
        raise node.wrong("url", "grpcs://host:port")
    return url.netloc
