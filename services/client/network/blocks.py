"""One block of a running node, as it delivers it."""

import contextlib

from deploy.manifest import Network
from deploy.wallets import ADMIN_PREFIX
from privysharing.protocol.codec.blocks import last_config_index, parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import NEWEST, OLDEST, SeekBehavior, SeekInfo, SeekPosition
from privysharing.rpc.deliver import ORDERER_BLOCKS, PEER_BLOCKS, DeliverRefused
from privysharing.sdk import WalletEntry
from privysharing.sdk.connections import Connections
from privysharing.sdk.errors import ProfileError
from privysharing.sdk.profile import ConnectionProfile, Node
from services.client.network.identities import profile_of
from services.client.network.reaching import reaching

CONFIG = "config"
POSITIONS = {"oldest": OLDEST, "newest": NEWEST}


class NotDelivered(Exception):
    """The node gave no block: whoever asks may not read blocks there, or it is not there yet."""


async def fetch_block(network: Network, entry: WalletEntry, channel: str, which: str, source: str) -> bytes:
    """A marshalled block. `which`: oldest, newest, config (the newest configuration) or a number.

    `source`: `peer` or `orderer` for the first of them, or a node's name. Raises NotDelivered, and NotRunning as other
    calls do.
    """
    profile = profile_of(network, entry.msp_id)
    node, method = _source(profile, channel, source)
    connections = Connections(profile, entry.signing_identity())
    client = connections.deliver(node)

    async def at(position: SeekPosition) -> bytes:
        seek = SeekInfo(position, position, SeekBehavior.FAIL_IF_NOT_READY)
        async with contextlib.aclosing(client.blocks(channel, seek, method=method)) as blocks:
            async for block in blocks:
                return block
        raise NotDelivered(f"{node.name} delivered no block {which} of {channel}")

    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(reaching(network))
        stack.push_async_callback(connections.close)
        try:
            if which != CONFIG:
                return await at(POSITIONS.get(which) or SeekPosition.at(int(which)))
            return await at(SeekPosition.at(last_config_index(parse_block(await at(NEWEST)))))
        except DeliverRefused as refused:
            raise NotDelivered(_why(refused, network, channel, entry, which)) from None


def _source(profile: ConnectionProfile, channel: str, source: str) -> tuple[Node, str]:
    """The node to ask, and its Deliver service."""
    nodes = profile.channel(channel)
    for role, known, method in (
        ("peer", nodes.event_sources, PEER_BLOCKS),
        ("orderer", nodes.orderers, ORDERER_BLOCKS),
    ):
        for node in known:
            if source in (role, node.name):
                return node, method
    names = ", ".join(node.name for node in (*nodes.event_sources, *nodes.orderers))
    raise ProfileError(f"no node {source!r} on {channel}; needed: peer, orderer, or one of {names}")


def _why(refused: DeliverRefused, network: Network, channel: str, entry: WalletEntry, which: str) -> str:
    if refused.status is Status.FORBIDDEN:
        operators = ", ".join(f"{ADMIN_PREFIX}{member}" for member in network.channel(channel).members)
        return (
            f"{refused.node} gives whole blocks to operators only, not to this identity of {entry.msp_id}; "
            f"needed: an administrator, one of {operators}"
        )
    if refused.status is Status.NOT_FOUND:
        return f"{refused.node} has no block {which} yet"
    return str(refused)
