"""Somebody who listens to every node all the time, from any block to any other, and whether he was told the truth.

Streams are checked as they come: from the first block asked for to the last, none left out, none twice. What they
brought is held against what the nodes have on their disks when all is over, read by the judge's own means.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import FilteredBlock, SeekContentType, SeekInfo, SeekPosition
from privysharing.rpc.deliver import ORDERER_BLOCKS, PEER_BLOCKS, DeliverClient, DeliverRefused
from privysharing.rpc.errors import NodeError
from services.runtime.machine import Machine
from tests.simulation.judge.ledger import chain
from tests.simulation.judge.ledger.messages import (
    Unreadable,
    chaincode_event,
    common,
    proposals,
    read,
    responses,
    transactions,
)
from tests.simulation.town import CHANNEL, Town

NEVER = 2**64 - 1
STREAMS = 2  # at a time
LISTENS_S = 3.0  # mean
RESTS_S = 0.5  # mean
BLOCKS_MAX = 6  # of a stream that ends by itself
_FILTERED, _WHOLE, _HEADERS = "filtered blocks", "blocks", "headers"


@dataclass(slots=True)
class Watcher:
    """What one listener was told. `names`: whom he listens to. `faults`: streams that were not what they should be."""

    town: Town
    names: Sequence[str]
    chance: random.Random
    faults: list[str] = field(default_factory=list)
    filtered: dict[tuple[str, int], FilteredBlock] = field(default_factory=dict)
    whole: dict[tuple[str, int], Any] = field(default_factory=dict)  # common.Block
    _reached: int = 0

    async def run(self, machine: Machine, _stop: asyncio.Event) -> None:
        """Listen for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(STREAMS):
                group.create_task(self._listen(machine))

    async def _listen(self, machine: Machine) -> None:
        identity = self.town.user_identity(self.town.channel.members[0].name, "Admin")
        while True:
            name = self.chance.choice(self.names)
            channel = machine.outside.open_channel(self.town.address(name), None)
            client = DeliverClient(name, channel, identity, outside=machine.outside)
            try:
                async with asyncio.timeout(self.chance.expovariate(1 / LISTENS_S)):
                    await self._follow(name, client)
            except (NodeError, TimeoutError) as error:
                if isinstance(error, DeliverRefused) and error.status is Status.FORBIDDEN:
                    self.faults.append(f"{name} refused to deliver: {error}")
            finally:
                await channel.close()
            await asyncio.sleep(self.chance.expovariate(1 / RESTS_S))

    async def _follow(self, name: str, client: DeliverClient) -> None:
        """One stream, to its end. Raises NodeError when it breaks."""
        is_peer = any(peer.full_name == name for peer in self.town.topology.peers)
        form = self.chance.choice((_FILTERED, _FILTERED, _WHOLE) if is_peer else (_WHOLE, _HEADERS))
        first = self.chance.randint(max(0, self._reached - BLOCKS_MAX), self._reached)
        last = self.chance.choice((NEVER, first + self.chance.randrange(BLOCKS_MAX)))
        seek = SeekInfo(
            SeekPosition.at(first),
            SeekPosition.at(last),
            content_type=SeekContentType.HEADER_WITH_SIG_BYTES if form is _HEADERS else SeekContentType.BLOCK,
        )
        expected = first
        async with aclosing(self._numbers(name, form, client, seek, is_peer=is_peer)) as numbers:
            async for number in numbers:
                if number != expected or number > last:
                    self.faults.append(f"{name} was asked for {form} {first} to {last}: {number} is not {expected}")
                    return
                expected += 1
                self._reached = max(self._reached, number)
        if expected != last + 1:
            self.faults.append(f"{name} was asked for {form} {first} to {last}, and ended before {expected}")

    async def _numbers(
        self, name: str, form: str, client: DeliverClient, seek: SeekInfo, *, is_peer: bool
    ) -> AsyncGenerator[int]:
        """Of the blocks as they come, which are remembered."""
        if form is _FILTERED:
            async for found in client.filtered_blocks(CHANNEL, seek):
                self.filtered[name, found.number] = found
                yield found.number
            return
        async for raw in client.blocks(CHANNEL, seek, method=PEER_BLOCKS if is_peer else ORDERER_BLOCKS):
            block = read(common.Block, raw)
            if form is _WHOLE:
                self.whole[name, block.header.number] = block
            yield block.header.number

    def judged(self, stored: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
        """All that is wrong. `stored`: the blocks of each node, from the first."""
        yield from self.faults
        for (name, number), told in self.filtered.items():
            if number < len(stored[name]):
                right = _filtered(read(common.Block, stored[name][number]))
                if (found := _shown(told)) != right:
                    yield f"{name} told of block {number}: {found}, not {right}"
        for (name, number), block in self.whole.items():
            if number < len(stored[name]):
                kept = read(common.Block, stored[name][number])
                if _meaning(block) != _meaning(kept):
                    yield f"{name} showed another block {number} than it has"


def _meaning(block: Any) -> tuple[object, ...]:
    """Of a block, all but signatures: one that a power cut took may come from another orderer."""
    verdicts = bytes(block.metadata.metadata[chain.TRANSACTIONS_FILTER])
    return chain.header_bytes(block.header), tuple(block.data.data), verdicts


_Line = tuple[str, int, tuple[str, ...]]  # id, verdict, names of events


def _shown(told: FilteredBlock) -> list[_Line]:
    return [(each.tx_id, each.code, tuple(event.name for event in each.events)) for each in told.transactions]


def _filtered(block: Any) -> list[_Line]:
    """What a listener is to be told of a block (deliverevents toFilteredBlock)."""
    verdicts = block.metadata.metadata[chain.TRANSACTIONS_FILTER]
    lines = []
    for raw, code in zip(block.data.data, verdicts, strict=True):
        try:
            payload = read(common.Payload, read(common.Envelope, raw).payload)
            header = read(common.ChannelHeader, payload.header.channel_header)
        except Unreadable:
            continue
        endorsed = header.type == common.ENDORSER_TRANSACTION
        lines.append((str(header.tx_id), int(code), tuple(_events(payload.data)) if endorsed else ()))
    return lines


def _events(data: bytes) -> list[str]:
    try:
        names = []
        for action in read(transactions.Transaction, data).actions:
            endorsed = read(transactions.ChaincodeActionPayload, action.payload).action.proposal_response_payload
            answer = read(proposals.ChaincodeAction, read(responses.ProposalResponsePayload, endorsed).extension)
            event = read(chaincode_event.ChaincodeEvent, answer.events)
            names += [str(event.event_name)] if event.chaincode_id else []
    except Unreadable:
        return []
    return names
