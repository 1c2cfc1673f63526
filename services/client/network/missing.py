"""Which private data the peers of an organisation lack, as they say themselves."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from deploy.manifest import Network
from privysharing.protocol.private_data import MissingAnswer, MissingAsk
from privysharing.rpc.errors import NodeError
from privysharing.sdk import WalletEntry
from privysharing.sdk.connections import Connections
from privysharing.sdk.profile import Node
from privysharing.sdk.vouching import known_peer
from services.client.network.identities import profile_of
from services.client.network.reaching import reaching

ASK_SECONDS = 5.0

Row = dict[str, Any]


async def missing_sets(network: Network, entry: WalletEntry, channel: str) -> list[Row]:
    """A row for each peer and collection of which something is missing; a peer that does not tell has its `error`.

    Raises NodeError when none of them tells, and NotRunning when that is because they do not run.
    """
    profile = profile_of(network, entry.msp_id)
    connections = Connections(profile, entry.signing_identity())
    own = [node for node in profile.channel(channel).event_sources if node.msp_id == entry.msp_id]
    async with AsyncExitStack() as stack:
        stack.enter_context(reaching(network))
        stack.push_async_callback(connections.close)
        told = await asyncio.gather(*(_told(connections, node, channel) for node in own))
        errors = [each for each in told if isinstance(each, NodeError)]
        if errors and len(errors) == len(own):
            raise errors[0]
    return [row for node, each in zip(own, told, strict=True) for row in _rows(node, each)]


async def _told(connections: Connections, node: Node, channel: str) -> MissingAnswer | NodeError:
    try:
        ask = connections.private_data(node).ask
        answer = await ask(channel, MissingAsk(0), known_peer(node), timeout_s=ASK_SECONDS)
    except NodeError as error:
        return error
    return answer if isinstance(answer, MissingAnswer) else NodeError(node.name, "it answered another question")


def _rows(node: Node, told: MissingAnswer | NodeError) -> list[Row]:
    row: Row = {"peer": node.name, "chaincode": None, "collection": None, "missing": None}
    if isinstance(told, NodeError):
        return [row | {"error": told.reason}]
    return [
        row | {"chaincode": each.namespace, "collection": each.collection, "missing": each.count}
        for each in told.counts
    ]
