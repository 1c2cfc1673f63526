"""Whom a call may be shown to: private data is for the peers of its collections' members, and for nobody else's."""

from collections.abc import Sequence

from privysharing.protocol.collections import implicit_collection_msp_id
from privysharing.protocol.values import value
from privysharing.sdk.errors import PrivateDataRefused, ProfileError
from privysharing.sdk.profile import ChannelNodes, Collection, Node
from privysharing.sdk.transactions import Call


@value
class Route:
    """Peers to ask, in order of preference, and how many equal endorsements of theirs are enough."""

    peers: Sequence[Node]
    needed: int


def route(channel: str, call: Call, nodes: ChannelNodes, own_msp_id: str, named: Sequence[Node] = ()) -> Route:
    """Where a call goes: to all of the named peers, or to as many endorsing ones as the profile says.

    Transient data goes to members of all the collections that the call names; without any, to one's own organisation.
    Raises PrivateDataRefused when that leaves nobody, or leaves out a named peer; ProfileError for an unknown
    collection.
    """
    peers = tuple(named) or nodes.endorsers
    if not call.collections and not call.transient:
        return Route(peers, len(named) or nodes.endorsements or len(peers))
    collections = [collection_of(channel, call.chaincode, name, nodes) for name in call.collections]
    members = frozenset.intersection(*(each.members for each in collections)) if collections else {own_msp_id}
    inside = tuple(node for node in peers if node.msp_id in members)
    if not inside or (named and len(inside) < len(named)):
        whose = f"of {', '.join(call.collections)}" if collections else "that names no collection"
        raise PrivateDataRefused(
            f"the private data {whose} in {call.chaincode} on {channel} is for peers of "
            f"{', '.join(sorted(members)) or 'nobody'}; found {', '.join(node.name for node in peers) or 'none'}"
        )
    enough = max((each.endorsements or len(inside) for each in collections), default=nodes.endorsements or len(inside))
    return Route(inside, len(named) or min(enough, len(inside)))


def collection_of(channel: str, chaincode: str, name: str, nodes: ChannelNodes) -> Collection:
    """A collection as the profile has it. Raises ProfileError."""
    msp_id = implicit_collection_msp_id(name)
    if msp_id is not None:
        return Collection(frozenset((msp_id,)), nodes.endorsements)
    known = nodes.collections.get(chaincode, {})
    if name not in known:
        raise ProfileError(
            f"no collection {name!r} of {chaincode} on {channel} in the profile; it has {', '.join(known) or 'none'}"
        )
    return known[name]
