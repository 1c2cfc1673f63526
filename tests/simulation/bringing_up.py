"""The first minutes of a network, which every run would spend alike: they are simulated once and copied."""

import asyncio
import copy
import functools
import random
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import dataclass

from deploy.collections import package
from privysharing.protocol.codec.lifecycle import encode_approve_args, encode_definition_args
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.sdk import Call, Channel, Network, Receipt, connect
from services.orderer.store import BlockStore
from services.runtime.machine import Machine
from tests.simulation.computers import Computer, Storage
from tests.simulation.judge.workload import Planned, Workload
from tests.simulation.log import Cluster, Topic
from tests.simulation.loop import SimulatedLoop, simulate
from tests.simulation.network import Network as Wires
from tests.simulation.nodes import CONTRACT, ORDERED, log_of, orderer_program, peer_program
from tests.simulation.rpc import Switchboard
from tests.simulation.town import CHANNEL, Town

ENDORSEMENTS = 2  # that the channel's policy asks for
TOOK_TOO_LONG_S = 120.0
OPENING_S = 1.0  # until every node serves


@dataclass(frozen=True, slots=True)
class Stage:
    """What is on disks and brokers, and how late it is."""

    storage: Mapping[str, Storage]
    topic: Topic
    now: float
    height: int  # of the channel

    def copy(self) -> "Stage":
        """A stage of one's own."""
        return copy.deepcopy(self)


@functools.cache
def brought_up(town: Town, day_seconds: int) -> Stage:
    """The network with its contract defined, assets and coins made, and every node stopped in good order."""
    chance = random.Random(0)
    return simulate(chance, lambda loop: _bring_up(loop, chance, town, day_seconds))


async def _bring_up(loop: SimulatedLoop, chance: random.Random, town: Town, day_seconds: int) -> Stage:
    switchboard = Switchboard(Wires(loop, chance), town.ports)
    cluster = Cluster(loop, chance, Topic())
    computers = {node.full_name: Computer(node.full_name, loop, switchboard, "0") for node in town.topology.nodes}
    for node in town.topology.orderers:
        computers[node.full_name].boot(orderer_program(town, node.full_name, log_of(town, cluster)))
    for peer in town.topology.peers:
        computers[peer.full_name].boot(peer_program(town, peer.full_name, chance))
    workload = Workload(random.Random(0), day_seconds)
    client = Computer("operator", loop, switchboard, "0")
    done = asyncio.Event()

    async def operate(machine: Machine, _stop: asyncio.Event) -> None:
        await asyncio.sleep(OPENING_S)
        await _define(town, machine)
        for planned in workload.opening():
            await _carry_out(town, machine, planned)
        done.set()

    client.boot(operate)
    await asyncio.wait((asyncio.create_task(done.wait()),), timeout=TOOK_TOO_LONG_S)
    assert done.is_set(), {name: computer.faults for name, computer in (computers | {"operator": client}).items()}
    for computer in computers.values():
        computer.stop()
    await asyncio.sleep(20.0)
    assert not any(computer.running or computer.faults for computer in computers.values())
    for computer in computers.values():
        computer.kill()
        computer.storage.disk.restart()  # nothing is half done: it can be copied
    with closing(BlockStore(computers[town.topology.orderers[0].full_name].storage.disk, ORDERED)) as chain:
        height = chain.height
    storage = {name: computer.storage for name, computer in computers.items()}
    return Stage(storage, cluster.topic, loop.now, height)


async def _define(town: Town, machine: Machine) -> None:
    """Each member approves the contract, one commits it."""
    (contract,) = town.channel.contracts
    definition = ChaincodeDefinition(sequence=1, version=contract.version, collections=package(contract.collections))
    for org in town.channel.members:
        async with _connected(town, machine, org.name, "Admin") as network:
            arguments = encode_approve_args(CONTRACT, definition, f"{CONTRACT}:in-process")
            channel = network.channel(CHANNEL)
            own = next(node for node in channel.nodes.endorsers if node.msp_id == org.msp_id)
            call = Call(LIFECYCLE, "ApproveChaincodeDefinitionForMyOrg", (arguments,))
            await _everywhere(channel, await channel.submit(call, [own]))
    async with _connected(town, machine, town.channel.members[0].name, "Admin") as network:
        channel = network.channel(CHANNEL)
        call = Call(LIFECYCLE, "CommitChaincodeDefinition", (encode_definition_args(CONTRACT, definition),))
        await _everywhere(channel, await channel.submit(call, channel.nodes.endorsers))


async def _carry_out(town: Town, machine: Machine, planned: Planned) -> None:
    user, _, msp_id = planned.who.party.rpartition("@")
    async with _connected(town, machine, town.organisation(msp_id), user) as network:
        channel = network.channel(CHANNEL)
        await _everywhere(channel, await channel.submit(Call(CONTRACT, planned.function, planned.args)))


async def _everywhere(channel: Channel, receipt: Receipt) -> None:
    """Return once every peer has committed it: whoever asks next may ask any."""
    for node in channel.nodes.event_sources:
        await (await channel.commits(node)).verdict(receipt.tx_id, channel.timeouts.commit)


def _connected(town: Town, machine: Machine, org: str, user: str) -> AbstractAsyncContextManager[Network]:
    return connect(town.profile(org, ENDORSEMENTS), town.user_identity(org, user), outside=machine.outside)
