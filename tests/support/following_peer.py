"""A ledger that follows orderers, without the rest of a peer."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.signers import verify_all
from services.peer.block_feed.crosscheck import CrossCheck
from services.peer.block_feed.feed import BlockFeed, FeedConfig
from services.peer.block_feed.sources import OrdererSource, PeerSource
from services.peer.commits import make_commit
from services.peer.committer import store_genesis
from services.peer.ledger.memory import MemoryLedger
from services.peer.notifier import CommitNotifier
from services.peer.validation.validate import read_block, validate_block
from tests.support.following import MemoryOrderers, OrderedChain
from tests.support.ordering import genesis

GENESIS = genesis()
SETTINGS = FeedConfig(first_answer_seconds=0.2, silence_seconds=0.05, pause_seconds_min=0.001, pause_seconds_max=0.01)


class CountedSources(list[OrdererSource]):
    """Counts how often somebody has gone through them."""

    looks = 0

    def __iter__(self) -> Iterator[OrdererSource]:
        self.looks += 1
        return super().__iter__()


class Follower:
    """A ledger that grows by what its feed yields."""

    def __init__(self, orderers: MemoryOrderers, sources: list[OrdererSource], crypto: ThreadPoolExecutor) -> None:
        self.ledger = MemoryLedger("health")
        store_genesis(self.ledger, GENESIS)
        self.config = ChannelConfig.from_block(GENESIS)
        self.notifier = CommitNotifier(1)
        tools = (self.ledger, lambda: self.config, lambda: sources, orderers, self.notifier)
        self.feed = BlockFeed(*tools, crypto, SETTINGS)
        self.peers: tuple[PeerSource, ...] = ()
        self.agreeing: list[int] = []
        self.cross_check = CrossCheck(self.feed, *tools, SETTINGS, lambda: self.peers, self.agreeing.append)

    async def take(self, stop: int) -> None:
        """Commit blocks until the ledger has that height."""
        async with asyncio.timeout(5), aclosing(self.feed.blocks()) as blocks:
            await self._take(blocks, stop)

    async def _take(self, blocks: AsyncGenerator[Block], stop: int) -> None:
        while self.ledger.height < stop:
            self.commit(await anext(blocks))

    def commit(self, block: Block) -> None:
        number = block.header.number
        transactions = read_block(block)
        signers = verify_all(transactions, "health", self.config.msps)
        judgement = validate_block(number, transactions, signers, self.config, self.ledger.state)
        self.ledger.append(make_commit(block, transactions, judgement.verdicts, judgement.updates, b""))
        self.config = judgement.config or self.config
        self.notifier.committed(number)

    @property
    def data(self) -> list[tuple[bytes, ...]]:
        blocks = (self.ledger.block(number) for number in range(self.ledger.height))
        return [block.data for block in blocks if block is not None]


def data_of(chain: OrderedChain) -> list[tuple[bytes, ...]]:
    return [block.data for block in chain.blocks]
