"""What every node of a network says of itself, asked as the operators of its organisation."""

import asyncio
from typing import Any

from deploy.manifest import Network, NodeEntry
from privysharing.protocol.blocks import MetadataIndex, header_hash
from privysharing.protocol.codec.blocks import metadata_entry, parse_block, parse_commit_hash
from privysharing.protocol.codec.system_chaincodes import parse_blockchain_info
from privysharing.sdk import Call, Channel, connect
from privysharing.sdk.errors import SdkError
from privysharing.sdk.profile import Node
from services.client.network.identities import admin_of, profile_of
from services.client.network.processes import Health, Processes

Row = dict[str, Any]


async def network_status(network: Network, processes: Processes) -> tuple[list[Row], list[Row]]:
    """A row for each node, and one for each peer and channel. A ledger that cannot be asked has its `error`.

    A node that does not serve has a `reason`.
    """
    nodes = await asyncio.gather(*(_node_row(processes, node) for node in network.nodes))
    members = [_member_row(processes, name, health) for name, health in (await processes.members()).items()]
    return [*members, *nodes], await ledger_rows(network)


async def ledger_rows(network: Network) -> list[Row]:
    """A row for each peer and channel, wherever the peers run."""
    peers = [node for node in network.nodes if node.role == "peer"]
    return [*await asyncio.gather(*(_ledger_row(network, peer, name) for peer in peers for name in peer.channels))]


async def _node_row(processes: Processes, node: NodeEntry) -> Row:
    health = await processes.health(node)
    return {
        "name": node.name,
        "role": node.role,
        "msp_id": node.msp_id,
        "pid": health.pid,
        "serves": health.serves,
        "reason": health.reason,
        "address": node.address,
        "operations_address": node.operations_address,
    }


def _member_row(processes: Processes, name: str, health: Health) -> Row:
    """A broker or a ZooKeeper node belongs to no organisation, and has no operations port."""
    assert processes.kafka is not None
    member = processes.kafka.member(name)
    told = {"pid": health.pid, "serves": health.serves, "reason": health.reason}
    return {"name": name, "role": member.kind, **told, "address": member.address}


async def _ledger_row(network: Network, peer: NodeEntry, channel_name: str) -> Row:
    row: Row = {"peer": peer.name, "channel": channel_name, "height": None, "block_hash": None, "commit_hash": None}
    try:
        async with connect(profile_of(network, peer.org), admin_of(network, peer.org)) as connection:
            channel = connection.channel(channel_name)
            (node,) = (source for source in channel.nodes.event_sources if source.name == peer.name)
            return row | await _tip(channel, node)
    except SdkError as error:
        return row | {"error": str(error)}


async def _tip(channel: Channel, node: Node) -> Row:
    """Height, and the hashes of the block at that height, even when the next one comes meanwhile."""
    info = parse_blockchain_info(await channel.evaluate(Call("qscc", "GetChainInfo", (channel.name,)), [node]))
    newest = Call("qscc", "GetBlockByNumber", (channel.name, str(info.height - 1)))
    block = parse_block(await channel.evaluate(newest, [node]))
    commit_hash = parse_commit_hash(metadata_entry(block, MetadataIndex.COMMIT_HASH))
    return {"height": info.height, "block_hash": header_hash(block.header).hex(), "commit_hash": commit_hash.hex()}
