"""Who may hold a collection's data, and in which order they are to get it."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, zip_longest
from typing import Final, Protocol, TypeVar

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import member_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.manager import MspManager
from privysharing.protocol.policies.policy import Policy, RejectPolicy
from privysharing.protocol.policies.signature import SignaturePolicyEvaluator
from privysharing.protocol.private_exchange import is_peer

POLICIES_CACHED_MAX: Final = 256  # per process; one of each collection under each configuration
MEMBERS_CACHED_MAX: Final = 4096  # per process; of each collection each peer, and whoever asked


class OfOrganisation(Protocol):
    """Anything that belongs to an organisation."""

    @property
    def msp_id(self) -> str: ...


M = TypeVar("M", bound=OfOrganisation)


def is_member(who: Identity, collection: CollectionConfig, config: ChannelConfig) -> bool:
    """Whether a collection's data is for somebody."""
    return _policy(collection, config.msps).evaluate((who,))


@lru_cache(MEMBERS_CACHED_MAX)
def may_hold(who: Identity, collection: CollectionConfig, config: ChannelConfig) -> bool:
    """Whether somebody is a peer of the channel, and a member of a collection."""
    return is_peer(who, config) and is_member(who, collection, config)


def one_of_each_first(peers: Iterable[M]) -> list[M]:
    """The same peers: the first of each organisation, then the second of each, and so on."""
    by_organisation: dict[str, list[M]] = {}
    for peer in peers:
        by_organisation.setdefault(peer.msp_id, []).append(peer)
    turns = zip_longest(*by_organisation.values())
    return [peer for peer in chain.from_iterable(turns) if peer is not None]


@lru_cache(POLICIES_CACHED_MAX)
def _policy(collection: CollectionConfig, msps: MspManager) -> Policy:
    """A policy that cannot be read lets nobody in."""
    try:
        return SignaturePolicyEvaluator(member_policy(collection), msps)
    except ProtocolError:
        return RejectPolicy()
