"""Which private data the peers of an organisation lack, as they say themselves."""

from contextlib import AsyncExitStack
from typing import Any

from deploy.manifest import Network
from privysharing.protocol.private_data import MissingAnswer, MissingAsk
from privysharing.sdk import WalletEntry
from privysharing.sdk.connections import Connections
from privysharing.sdk.vouching import known_peer
from services.client.network.identities import profile_of
from services.client.network.reaching import reaching

ASK_SECONDS = 5.0


async def missing_sets(network: Network, entry: WalletEntry, channel: str) -> list[dict[str, Any]]:
    """A row for each peer and collection of which something is missing. Raises NodeError, and NotRunning."""
    profile = profile_of(network, entry.msp_id)
    connections = Connections(profile, entry.signing_identity())
    rows: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(reaching(network))
        stack.push_async_callback(connections.close)
        for node in profile.channel(channel).event_sources:
            if node.msp_id != entry.msp_id:
                continue
            door = connections.private_data(node)
            answer = await door.ask(channel, MissingAsk(0), known_peer(node), timeout_s=ASK_SECONDS)
            assert isinstance(answer, MissingAnswer)
            rows += [
                {
                    "peer": node.name,
                    "chaincode": count.namespace,
                    "collection": count.collection,
                    "missing": count.count,
                }
                for count in answer.counts
            ]
    return rows
