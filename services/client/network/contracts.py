"""Defining a network's contracts by the transactions that Fabric's operators use: every member approves, one commits."""

import asyncio

from deploy.manifest import ChannelEntry, ContractEntry, Network
from privysharing.protocol.codec.lifecycle import encode_approve_args, encode_definition_args
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.sdk import Call, connect
from privysharing.sdk.profile import Node
from services.client.network.identities import admin_of, profile_of

_PACKAGE = "in-process"  # the peers of these networks run their contracts themselves


async def define_contracts(network: Network) -> None:
    """Approve and commit, on every channel, each contract that the topology names. For a network that is new."""
    await asyncio.gather(
        *(_define(network, channel, contract) for channel in network.channels for contract in channel.contracts)
    )


async def _define(network: Network, channel: ChannelEntry, contract: ContractEntry) -> None:
    definition = ChaincodeDefinition(sequence=1, version=contract.version)
    approve = Call(
        LIFECYCLE,
        "ApproveChaincodeDefinitionForMyOrg",
        (encode_approve_args(contract.name, definition, f"{contract.name}:{_PACKAGE}"),),
    )
    await asyncio.gather(*(_as_admin(network, member, channel, approve, [member]) for member in channel.members))
    commit = Call(LIFECYCLE, "CommitChaincodeDefinition", (encode_definition_args(contract.name, definition),))
    await _as_admin(network, channel.members[0], channel, commit, list(channel.members))


async def _as_admin(
    network: Network, organisation: str, channel: ChannelEntry, call: Call, endorsing: list[str]
) -> None:
    """Submit a call as an organisation's admin, endorsed by one peer of each of the organisations `endorsing`."""
    async with connect(profile_of(network, organisation), admin_of(network, organisation)) as connection:
        on_channel = connection.channel(channel.name)
        by_msp: dict[str, Node] = {}
        for node in on_channel.nodes.endorsers:
            by_msp.setdefault(node.msp_id, node)
        await on_channel.submit(call, [by_msp[network.organisation(name).msp_id] for name in endorsing])
