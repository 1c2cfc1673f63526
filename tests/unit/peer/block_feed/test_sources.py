"""Whom a peer asks for blocks, as the channel's configuration names them."""

from dataclasses import replace

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import AnchorPeer
from services.peer.block_feed.sources import anchor_peers, channel_sources
from tests.support.following_peer import GENESIS


def test_the_configuration_names_peers_of_each_member() -> None:
    config = ChannelConfig.from_block(GENESIS)
    ((name, org),) = config.application_orgs.items()
    anchors = (AnchorPeer("peer0", 7051), AnchorPeer("peer1", 7052))
    named = replace(config, application_orgs={name: replace(org, anchor_peers=anchors)})
    assert [(peer.address, peer.msp_id) for peer in anchor_peers(named)] == [
        ("peer0:7051", "CityMSP"),
        ("peer1:7052", "CityMSP"),
    ]


def test_the_configuration_names_the_orderers() -> None:
    config = ChannelConfig.from_block(GENESIS)
    ((name, org),) = config.orderer_orgs.items()
    named = replace(config, orderer_orgs={name: replace(org, endpoints=("orderer0:7050", "orderer1:7050"))})
    assert [(source.address, source.msp_id) for source in channel_sources(named)] == [
        ("orderer0:7050", "OrdererMSP"),
        ("orderer1:7050", "OrdererMSP"),
    ]
