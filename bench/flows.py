"""A workload's calls on a running network: connections, what must be there first, and flows taken step by step."""

import asyncio
import contextlib
import itertools
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.load import commit_everywhere
from bench.steps import OWNER, Flow
from bench.workloads import CONTRACT, Workload, prepared_key, value
from deploy.manifest import Network
from deploy.wallets import network_wallet
from privysharing.sdk import Call, Channel, ConnectionProfile, Transport, connect
from privysharing.sdk import Network as Connection
from privysharing.sdk.commits import CommitListener
from services.client.network.identities import profile_of

_PREPARED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Place:
    """One channel: as each caller uses it, and the verdicts of every peer on it."""

    channels: Mapping[str, Channel]
    listeners: list[CommitListener]


class Flows:
    """Each attempt takes the next step of a flow that waits for one, or begins a flow."""

    def __init__(self, workload: Workload, places: Sequence[Place]) -> None:
        self._workload = workload
        self._places = places
        self._waiting: deque[Flow] = deque()
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count()

    async def attempt(self, _number: int) -> None:
        """One call. A flow ends with its first failure."""
        flow = self._waiting.popleft() if self._waiting else Flow(self._run, next(self._numbers))
        place = self._places[flow.number % len(self._places)]
        steps = self._workload.steps
        step = steps[len(flow.tx_ids)]
        channel, call = place.channels[step.caller], step.call(flow)
        if self._workload.queries:
            await channel.evaluate(call)
            return
        flow.tx_ids.append(await commit_everywhere(channel, call, place.listeners))
        if len(flow.tx_ids) < len(steps):
            self._waiting.append(flow)


@contextlib.asynccontextmanager
async def flows_of(workload: Workload, network: Network, transport: Transport) -> AsyncIterator[Flows]:
    """Connect whoever takes part, prepare what the workload reads, and listen to every peer."""
    async with contextlib.AsyncExitStack() as stack:
        labels = dict.fromkeys(step.caller for step in workload.steps)
        places: list[Place] = []
        for turn in range(sum(node.role == "orderer" for node in network.nodes)):
            connections = {
                label: await stack.enter_async_context(_connected(network, label, transport, turn)) for label in labels
            }
            for number, channel in enumerate(network.channels):
                channels = {label: connection.channel(channel.name) for label, connection in connections.items()}
                if turn:  # the same ledgers, by way of another orderer
                    places.append(Place(channels, places[number].listeners))
                    continue
                owners = channels[OWNER]
                await _prepare(owners, workload.prepared_keys)
                places.append(Place(channels, [await owners.commits(node) for node in owners.nodes.event_sources]))
        yield Flows(workload, places)


@contextlib.asynccontextmanager
async def _connected(network: Network, label: str, transport: Transport, turn: int) -> AsyncIterator[Connection]:
    entry = network_wallet(network).get(label)
    profile = _turned(profile_of(network, entry.msp_id), turn)
    async with connect(profile, entry.signing_identity(), transport=transport) as connection:
        yield connection


def _turned(profile: ConnectionProfile, turn: int) -> ConnectionProfile:
    """The profile with another orderer first, so that all take traffic."""
    channels = {
        name: replace(nodes, orderers=nodes.orderers[turn:] + nodes.orderers[:turn])
        for name, nodes in profile.channels.items()
    }
    return replace(profile, channels=channels)


async def _prepare(channel: Channel, keys: int) -> None:
    """Commit the keys that the workload reads."""
    for first in range(0, keys, _PREPARED_AT_ONCE):
        names = [prepared_key(first + number) for number in range(_PREPARED_AT_ONCE)]
        await asyncio.gather(*(channel.submit(Call(CONTRACT, "Create", (name, value()))) for name in names))
