"""A channel of three blocks, and the Deliver service over it, without a connection."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.codec.transactions import encode_chaincode_event
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.deliver import (
    DeliverResponse,
    SeekInfo,
)
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.transactions import ChaincodeEvent
from services.peer.committer import store_genesis
from services.peer.events.delivery import BLOCKS, BareBlocks, Deliveries, FilteredBlocks, Form
from services.peer.ledger.memory import MemoryLedger
from services.peer.metrics import DeliverMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.store import PrivateStore
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support import chains
from tests.support.ordering import CHANNEL, CITY, NOW_NS, genesis, seek_envelope

EVENT = encode_chaincode_event(ChaincodeEvent("kv", TxId("t1"), "shared", b"secret payload"))


class Room:
    """A channel of three blocks and the service over it."""

    def __init__(self, certificate_hash: bytes | None = None, window_ns: int = 10**9) -> None:
        self.ledger = MemoryLedger(CHANNEL)
        store_genesis(self.ledger, genesis())
        self.config = ChannelConfig.from_block(genesis())
        self.notifier = CommitNotifier(1)
        self.filtered = FilteredBlocks(self.ledger)
        self.bare = BareBlocks(self.ledger)
        disk = MemoryDisk()
        self.private = PrivateStore.open(
            self.ledger, Path("/private"), disk, MemoryDatabases(disk), self.config, CITY.peer.msp_id
        )
        self.registry = Registry()
        self.metrics = DeliverMetrics.register(self.registry)
        self.now_ns = NOW_NS
        self.certificate_hash = certificate_hash
        self.deliveries = Deliveries(
            {CHANNEL: self}.get,
            self.metrics,
            window_ns=window_ns,
            clock_ns=lambda: self.now_ns,
        )
        self.grow(chains.Tx("t1", {("kv", "a"): b"1"}))
        self.grow(chains.Tx("t2", {("kv", "a"): b"2"}, code=TxCode.MVCC_READ_CONFLICT))

    def grow(self, tx: chains.Tx) -> Block:
        previous = self.ledger.block(self.ledger.height - 1)
        block = chains.next_block(previous, [chains.envelope(tx, CHANNEL, EVENT)], [tx.code])
        self.ledger.append(chains.replay(block, self.ledger.state, b""))
        self.notifier.committed(block.header.number)
        return block

    async def closed_streams(self, count: int) -> None:
        """Return once so many streams have ended."""
        for _ in range(500):
            if self.metrics.streams_closed.of()._value.get() >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("a stream goes on")

    def ask(self, *requests: bytes, form: Form = BLOCKS) -> aclosing[AsyncGenerator[bytes]]:
        async def incoming() -> AsyncIterator[bytes]:
            for request in requests:
                yield request

        return aclosing(self.deliveries.serve(incoming(), form, self.certificate_hash))

    async def answers(self, *requests: bytes, form: Form = BLOCKS) -> list[DeliverResponse]:
        async with asyncio.timeout(5), self.ask(*requests, form=form) as answers:
            return [parse_deliver_response(answer) async for answer in answers]

    async def numbers(self, seek: SeekInfo) -> list[int | Status]:
        found: list[int | Status] = []
        for answer in await self.answers(seek_envelope(seek)):
            if answer.block is not None:
                found.append(parse_block(answer.block).header.number)
            else:
                assert answer.status is not None
                found.append(answer.status)
        return found
