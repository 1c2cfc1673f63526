"""Defining a network's contracts by the transactions that Fabric's operators use: each member approves, one commits.

`define_contracts` does that with everybody's keys, as on one machine. Where each organisation has its own only, each
does its part: `take_part`.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence

from deploy.collections import package
from deploy.manifest import ChannelEntry, ContractEntry, Network
from privysharing.protocol.codec.lifecycle import (
    encode_approve_args,
    encode_definition_args,
    encode_query_args,
    parse_commit_readiness,
)
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.rpc.errors import NodeUnavailable
from privysharing.sdk import Call, Channel, Receipt, connect
from privysharing.sdk.commits import CommitListener
from privysharing.sdk.errors import CommitUnknown, Refused, Unavailable
from privysharing.sdk.profile import Node
from services.client.network.identities import admin_of, profile_of
from services.client.network.processes import Processes

COMMIT_SECONDS_MAX = 30.0
_INTERVAL_S = 0.5
_PACKAGE = "in-process"  # the peers of these networks run their contracts themselves


class NotApproved(Unavailable):
    """Organisations that have to approve a contract have not yet, as far as some peer knows."""

    def __init__(self, channel: str, contract: str, missing: Collection[str]) -> None:
        super().__init__(f"{contract} is not approved on {channel} by {', '.join(sorted(missing))} yet")


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


async def take_part(network: Network, organisation: str, seconds_max: float) -> None:
    """What an organisation has to do with that: it approves, and commits where it is a channel's first member.

    Returns once it need do no more; whoever commits waits until all have approved. Nodes that do not serve yet are
    asked again for so many seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    for channel in network.channels:
        for contract in channel.contracts if organisation in channel.members else ():
            while True:
                try:
                    await _take_part(network, organisation, channel, contract)
                    break
                except (Unavailable, CommitUnknown, NodeUnavailable):
                    if loop.time() > deadline:
                        raise
                await asyncio.sleep(_INTERVAL_S)


async def _define(network: Network, channel: ChannelEntry, contract: ContractEntry) -> None:
    definition = _definition(contract)
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
        await _commit(on_channel, peers, contract.name, definition)


async def _take_part(network: Network, organisation: str, channel: ChannelEntry, contract: ContractEntry) -> None:
    definition = _definition(contract)
    async with connect(profile_of(network, organisation), admin_of(network, organisation)) as connection:
        on_channel = connection.channel(channel.name)
        if await _is_defined(on_channel, contract.name):
            return
        if network.organisation(organisation).msp_id in await _missing_approvals(on_channel, contract.name, definition):
            await _approve(network, organisation, channel, contract, definition)
        if organisation != channel.members[0]:
            return
        members = {network.organisation(member).msp_id for member in channel.members}
        for peer in _one_endorser_each(on_channel).values():
            if missing := members & await _missing_approvals(on_channel, contract.name, definition, [peer]):
                raise NotApproved(channel.name, contract.name, missing)
        peers = [await on_channel.commits(node) for node in on_channel.nodes.event_sources]
        await _commit(on_channel, peers, contract.name, definition)


def _definition(contract: ContractEntry) -> ChaincodeDefinition:
    return ChaincodeDefinition(sequence=1, version=contract.version, collections=package(contract.collections))


async def _commit(
    channel: Channel, peers: Sequence[CommitListener], contract: str, definition: ChaincodeDefinition
) -> None:
    commit = Call(LIFECYCLE, "CommitChaincodeDefinition", (encode_definition_args(contract, definition),))
    await _everywhere(peers, [await channel.submit(commit, list(_one_endorser_each(channel).values()))])


async def _missing_approvals(
    channel: Channel, contract: str, definition: ChaincodeDefinition, peers: Sequence[Node] = ()
) -> set[str]:
    """MSP ids of those who have not approved yet, as one of `peers` knows it, or any.

    An earlier attempt may have been interrupted half way.
    """
    question = Call(LIFECYCLE, "CheckCommitReadiness", (encode_definition_args(contract, definition),))
    readiness = parse_commit_readiness(await channel.evaluate(question, peers))
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
