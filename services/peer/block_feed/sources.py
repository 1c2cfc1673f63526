"""Which orderers a channel's blocks may come from, and which peers can show what they were given."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from privysharing.protocol.channel.bundle import ChannelConfig


@dataclass(frozen=True, slots=True)
class OrdererSource:
    """An orderer: where it listens, whose it is, and the PEM roots of its TLS certificate."""

    address: str
    msp_id: str
    tls_roots: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PeerSource:
    """Another peer, in the same words. No blocks are taken from it: it is a witness."""

    address: str
    msp_id: str
    tls_roots: bytes = field(repr=False)


BlockSource = OrdererSource | PeerSource


def channel_sources(config: ChannelConfig) -> tuple[OrdererSource, ...]:
    """The orderers that the channel's configuration names (orderers.ConnectionSource)."""
    return tuple(
        OrdererSource(endpoint, org.msp_id, b"\n".join((*org.msp.tls_root_certs, *org.msp.tls_intermediate_certs)))
        for org in config.orderer_orgs.values()
        for endpoint in org.endpoints
    )


def anchor_peers(config: ChannelConfig) -> tuple[PeerSource, ...]:
    """The peers that the channel's configuration names: one or more of each member."""
    return tuple(
        PeerSource(
            f"{peer.host}:{peer.port}",
            org.msp_id,
            b"\n".join((*org.msp.tls_root_certs, *org.msp.tls_intermediate_certs)),
        )
        for org in config.application_orgs.values()
        for peer in org.anchor_peers
    )


def of_other_organisations(sources: Sequence[OrdererSource], msp_id: str) -> tuple[OrdererSource, ...]:
    """Those that do not belong to the given organisation."""
    return tuple(source for source in sources if source.msp_id != msp_id)
