"""Defining a network's contracts by the transactions that Fabric's operators use: each member approves, one commits."""

import asyncio
from collections.abc import Iterable, Sequence

from deploy.manifest import ChannelEntry, ContractEntry, Network
from privysharing.protocol.codec.lifecycle import (
    encode_approve_args,
    encode_definition_args,
    encode_query_args,
    parse_commit_readiness,
)
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.sdk import Call, Channel, Receipt, connect
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.errors import Refused
from privysharing.sdk.profile import Node
from services.client.network.identities import admin_of, profile_of
from services.client.network.processes import Processes

COMMIT_SECONDS_MAX = 30.0
_PACKAGE = "in-process"  # the peers of these networks run their contracts themselves


async def bring_up(processes: Processes) -> None:
    """Start what does not run yet, wait until everything serves, define what is not defined.

    When that fails, what was started is stopped; what had been running goes on.
    """
    ran_before = processes.pids()
    try:
        processes.start()
        await processes.ready()
        await define_contracts(processes.network)
    except BaseException:
        processes.stop([name for name in processes.names if name not in ran_before])
        raise


async def define_contracts(network: Network) -> None:
    """Approve and commit, on every channel, each contract of the topology that is not defined there yet."""
    await asyncio.gather(
        *(_define(network, channel, contract) for channel in network.channels for contract in channel.contracts)
    )


async def _define(network: Network, channel: ChannelEntry, contract: ContractEntry) -> None:
    definition = ChaincodeDefinition(sequence=1, version=contract.version)
    first = channel.members[0]
    async with connect(profile_of(network, first), admin_of(network, first)) as connection:
        on_channel = connection.channel(channel.name)
        if await _is_defined(on_channel, contract.name):
            return
        peers = [await on_channel.commits(node) for node in on_channel.nodes.event_sources]
        missing = await _missing_approvals(on_channel, contract.name, definition)
        approvals = await asyncio.gather(
            *(
                _approve(network, member, channel, contract, definition)
                for member in channel.members
                if network.organisation(member).msp_id in missing
            )
        )
        await _everywhere(peers, approvals)  # a peer that does not know of one would not endorse the commit
        commit = Call(LIFECYCLE, "CommitChaincodeDefinition", (encode_definition_args(contract.name, definition),))
        await _everywhere(peers, [await on_channel.submit(commit, list(_one_endorser_each(on_channel).values()))])


async def _missing_approvals(channel: Channel, contract: str, definition: ChaincodeDefinition) -> set[str]:
    """MSP ids of those who have not approved yet: an earlier attempt may have been interrupted half way."""
    question = Call(LIFECYCLE, "CheckCommitReadiness", (encode_definition_args(contract, definition),))
    readiness = parse_commit_readiness(await channel.evaluate(question))
    return {msp_id for msp_id, approved in readiness.approvals.items() if not approved}


async def _is_defined(channel: Channel, contract: str) -> bool:
    try:
        await channel.evaluate(Call(LIFECYCLE, "QueryChaincodeDefinition", (encode_query_args(contract),)))
    except Refused:
        return False
    return True


async def _approve(
    network: Network, organisation: str, channel: ChannelEntry, contract: ContractEntry, definition: ChaincodeDefinition
) -> Receipt:
    """An organisation's approval lives in a collection of its own, so its own peer endorses it."""
    arguments = encode_approve_args(contract.name, definition, f"{contract.name}:{_PACKAGE}")
    async with connect(profile_of(network, organisation), admin_of(network, organisation)) as connection:
        on_channel = connection.channel(channel.name)
        own = _one_endorser_each(on_channel)[network.organisation(organisation).msp_id]
        return await on_channel.submit(Call(LIFECYCLE, "ApproveChaincodeDefinitionForMyOrg", (arguments,)), [own])


async def _everywhere(peers: Sequence[CommitListener], receipts: Iterable[Receipt]) -> None:
    """Return once every peer has committed them."""
    tx_ids = [receipt.tx_id for receipt in receipts]
    await asyncio.gather(*(peer.verdict(tx_id, COMMIT_SECONDS_MAX) for peer in peers for tx_id in tx_ids))


def _one_endorser_each(channel: Channel) -> dict[str, Node]:
    """The first endorsing peer of each organisation, by MSP id."""
    found: dict[str, Node] = {}
    for node in channel.nodes.endorsers:
        found.setdefault(node.msp_id, node)
    return found
