"""A workload's calls on a running network: connections, what must be there first, and flows taken step by step."""

import asyncio
import contextlib
import itertools
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bench.load import commit_everywhere
from bench.steps import OWNER, Flow
from bench.workloads import CONTRACT, Workload, prepared_key, value
from deploy.manifest import Network
from privysharing.sdk import Call, Channel, Transport, connect
from privysharing.sdk import Network as Connection
from privysharing.sdk.commits import CommitListener
from services.client.network.identities import network_wallet, profile_of

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
        connections = {
            label: await stack.enter_async_context(_connected(network, label, transport)) for label in labels
        }
        places = [await _place(connections, channel.name) for channel in network.channels]
        for place in places:
            await _prepare(place.channels[OWNER], workload.prepared_keys)
        yield Flows(workload, places)


@contextlib.asynccontextmanager
async def _connected(network: Network, label: str, transport: Transport) -> AsyncIterator[Connection]:
    entry = network_wallet(network).get(label)
    async with connect(profile_of(network, entry.msp_id), entry.signing_identity(), transport=transport) as connection:
        yield connection


async def _place(connections: Mapping[str, Connection], name: str) -> Place:
    channels = {label: connection.channel(name) for label, connection in connections.items()}
    owners = channels[OWNER]
    return Place(channels, [await owners.commits(node) for node in owners.nodes.event_sources])


async def _prepare(channel: Channel, keys: int) -> None:
    """Commit the keys that the workload reads."""
    for first in range(0, keys, _PREPARED_AT_ONCE):
        names = [prepared_key(first + number) for number in range(_PREPARED_AT_ONCE)]
        await asyncio.gather(*(channel.submit(Call(CONTRACT, "Create", (name, value()))) for name in names))
