"""Connection profiles: where the nodes of a network are, in the JSON form of Fabric's SDKs.

Read are `organizations`, `peers`, `orderers`, `channels` and `client`. Ours is `channels.<name>.endorsements`: how many
equal endorsements are enough, so that a client need not wait for every endorsing peer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from privysharing.sdk.errors import ProfileError


@dataclass(frozen=True, slots=True)
class Node:
    """A peer or an orderer as a client reaches it."""

    name: str
    msp_id: str
    address: str  # host:port
    tls_ca: bytes = field(repr=False)  # PEM
    server_name: str | None = None  # what its TLS certificate says, where that is not the host


@dataclass(frozen=True, slots=True)
class ChannelNodes:
    """The nodes that serve one channel, in order of preference."""

    endorsers: tuple[Node, ...]
    event_sources: tuple[Node, ...]
    orderers: tuple[Node, ...]
    endorsements: int | None  # None: ask every endorsing peer


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
        """Read a profile; relative paths in it count from its own folder. ProfileError says what is missing where."""
        try:
            return _Reader(json.loads(path.read_text()), path.parent).profile()
        except OSError as error:
            raise ProfileError(f"cannot read {error.filename}: {error.strerror}") from None
        except ValueError as error:
            raise ProfileError(f"{path} is not JSON: {error}") from None
        except _Missing as error:
            raise ProfileError(f"{path}: {error}") from None

    def channel(self, name: str) -> ChannelNodes:
        """The nodes of a channel; ProfileError names the channels that there are."""
        if name not in self.channels:
            raise ProfileError(f"no channel {name!r} in the profile; it has {', '.join(self.channels) or 'none'}")
        return self.channels[name]


class _Missing(Exception):
    pass


class _Reader:
    def __init__(self, document: Any, folder: Path) -> None:
        self._document = document
        self._folder = folder

    def profile(self) -> ConnectionProfile:
        organization = self._get("client", "organization")
        msp_of = {
            peer: self._get("organizations", name, "mspid")
            for name, org in self._get("organizations").items()
            for peer in org.get("peers", ())
        }
        own_msp = self._get("organizations", organization, "mspid")
        peers = {name: self._node("peers", name, msp_of.get(name, "")) for name in self._get("peers")}
        orderers = {name: self._node("orderers", name, "") for name in self._get("orderers")}
        tls = self._document["client"].get("tlsCerts", {}).get("client")
        return ConnectionProfile(
            organization=organization,
            msp_id=own_msp,
            channels={
                name: self._channel(name, own_msp, peers, orderers) for name in self._document.get("channels", {})
            },
            tls_certificate=self._pem("client.tlsCerts.client.cert", tls["cert"]) if tls else b"",
            tls_key=self._pem("client.tlsCerts.client.key", tls["key"]) if tls else b"",
        )

    def _channel(
        self, name: str, own_msp: str, peers: Mapping[str, Node], orderers: Mapping[str, Node]
    ) -> ChannelNodes:
        roles: Mapping[str, Mapping[str, bool]] = self._get("channels", name, "peers")
        known = [peers[peer] for peer in roles if peer in peers]
        # One's own organisation first, and in it the endorsers: who reads where his commits were seen reads his writes.
        known.sort(key=lambda node: (node.msp_id != own_msp, not roles[node.name].get("endorsingPeer", True)))
        return ChannelNodes(
            endorsers=tuple(node for node in known if roles[node.name].get("endorsingPeer", True)),
            event_sources=tuple(node for node in known if roles[node.name].get("eventSource", True)),
            orderers=tuple(orderers[orderer] for orderer in self._get("channels", name, "orderers")),
            endorsements=self._document["channels"][name].get("endorsements"),
        )

    def _node(self, section: str, name: str, msp_id: str) -> Node:
        url = urlsplit(self._get(section, name, "url"))
        if url.scheme != "grpcs" or not url.netloc:
            raise _Missing(f"{section}.{name}.url: needed grpcs://host:port, found {url.geturl()!r}")
        body = self._document[section][name]
        return Node(
            name=name,
            msp_id=msp_id,
            address=url.netloc,
            tls_ca=self._pem(f"{section}.{name}.tlsCACerts", self._get(section, name, "tlsCACerts")),
            server_name=body.get("grpcOptions", {}).get("ssl-target-name-override"),
        )

    def _pem(self, key: str, value: Any) -> bytes:
        if isinstance(value, Mapping) and "pem" in value:
            pem = value["pem"]
            return "".join(pem).encode() if isinstance(pem, list) else str(pem).encode()
        if isinstance(value, Mapping) and "path" in value:
            path: Path = self._folder / value["path"]
            return path.read_bytes()
        raise _Missing(f"{key}: needed `pem` or `path`")

    def _get(self, *keys: str) -> Any:
        value = self._document
        for depth, key in enumerate(keys):
            if not isinstance(value, Mapping) or key not in value:
                raise _Missing(f"needed {'.'.join(keys[: depth + 1])}, which is not there")
            value = value[key]
        return value
