"""Compares what we were given with what others were given."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing

from privysharing.protocol.block_checks import BadBlock
from privysharing.protocol.blocks import Block, BlockHeader, data_hash, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.deliver import SeekContentType, SeekInfo, SeekPosition
from privysharing.protocol.errors import MalformedMessage
from privysharing.rpc.errors import NodeError
from services.peer.block_feed.evidence import ForkedChain, check_same
from services.peer.block_feed.feed import NEVER, BlockCalls, BlockFeed, FeedConfig
from services.peer.block_feed.sources import BlockSource, OrdererSource, PeerSource, of_other_organisations
from services.peer.ledger.types import LedgerPort
from services.peer.notifier import CommitNotifier

_log = logging.getLogger(__name__)


class CrossCheck:
    """Compares the ledger's headers with those of every witness, with each in a stream of its own.

    Witnesses are the orderers of other organisations than the one whose blocks we take, and the anchor peers of other
    members: with a single orderer, it is they who were told another story. One that keeps silent, or is behind, or
    lies, hides nothing that any other one shows. Headers name their predecessors, so one equal header vouches for all
    the blocks before it, and chains that parted differ for ever after.
    """

    def __init__(
        self,
        feed: BlockFeed,
        ledger: LedgerPort,
        config: Callable[[], ChannelConfig],
        sources: Callable[[], Sequence[OrdererSource]],
        calls: BlockCalls,
        notifier: CommitNotifier,
        settings: FeedConfig,
        peers: Callable[[], Sequence[PeerSource]] = tuple,
        agreeing: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`peers` are those of other members. `agreeing` is told how many witnesses agree with us at present."""
        self._feed = feed
        self._ledger = ledger
        self._config = config
        self._sources = sources
        self._calls = calls
        self._notifier = notifier
        self._settings = settings
        self._peers = peers
        self._tell_agreeing = agreeing
        self._agreeing: set[BlockSource] = set()
        self.compared = 0  # headers found equal

    async def run(self) -> None:
        """Compare for ever. Raises a group of ForkedChain, ChannelStopped."""
        comparing: dict[BlockSource, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            for rounds in itertools.count():  # at first nobody is followed yet
                witnesses = dict.fromkeys(self._witnesses())
                for source in [source for source in comparing if source not in witnesses]:
                    comparing.pop(source).cancel()
                    self._note(source, agrees=False)
                for source in witnesses:
                    if source not in comparing:
                        comparing[source] = group.create_task(self._compare_with(source))
                await asyncio.sleep(self._settings.pause(rounds))

    def _witnesses(self) -> tuple[BlockSource, ...]:
        followed = self._feed.source
        orderers = of_other_organisations(self._sources(), followed.msp_id) if followed else ()
        return *orderers, *self._peers()

    async def _compare_with(self, source: BlockSource) -> None:
        """Compare with one witness for ever, from our newest block on: it vouches for those before.

        After a break the newest that was equal is asked for again: its coming tells that the witness is back.
        """
        newest, failures = self._ledger.height - 1, 0
        while True:
            number = newest
            seek = SeekInfo(
                SeekPosition.at(number),
                SeekPosition.at(NEVER),
                content_type=SeekContentType.HEADER_WITH_SIG_BYTES,
            )
            try:
                async with aclosing(self._calls.blocks(source, self._ledger.channel_id, seek)) as answers:
                    async for raw in answers:
                        await self._compare(number, parse_block(raw), source)
                        self._note(source, agrees=True)
                        newest, number, failures = number, number + 1, 0
            except (NodeError, BadBlock, MalformedMessage) as error:
                level = logging.INFO if isinstance(error, NodeError) else logging.WARNING
                _log.log(
                    level,
                    "cannot compare blocks",
                    extra={"channel": self._ledger.channel_id, "with": source.address, "reason": str(error)},
                )
            self._note(source, agrees=False)
            await asyncio.sleep(self._settings.pause(failures))
            failures += 1

    def _note(self, source: BlockSource, *, agrees: bool) -> None:
        """Keep count of those who could tell us of another story, and say aloud when the last one falls silent."""
        if (source in self._agreeing) == agrees:
            return
        if agrees:
            self._agreeing.add(source)
        else:
            self._agreeing.remove(source)
        self._tell_agreeing(len(self._agreeing))
        if not self._agreeing:
            _log.warning("nobody is left to compare blocks with", extra={"channel": self._ledger.channel_id})

    async def _compare(self, number: int, theirs: Block, source: BlockSource) -> None:
        await self._notifier.above(number)
        if not await self._is_ours(number, theirs.header):
            ours = await asyncio.to_thread(self._ledger.block, number)
            assert ours is not None
            try:
                check_same(ours, theirs, source.address, self._config)
            except ForkedChain as fork:
                raise ForkedChain(ours, await self._whole(theirs, source), source.address) from fork
        self.compared += 1

    async def _is_ours(self, number: int, header: BlockHeader) -> bool:
        """Whether that block of the ledger has this header. It is mostly the newest, for which no disk is asked."""
        hashed = header_hash(header)
        if header.number == number and hashed == self._ledger.tip:
            return True
        return await asyncio.to_thread(self._ledger.block_number_by_hash, hashed) == number

    async def _whole(self, bare: Block, source: BlockSource) -> Block:
        """Their block with its transactions too, if it is to be had: header and signatures are proof enough."""
        here = SeekPosition.at(bare.header.number)
        try:
            async with (
                asyncio.timeout(self._settings.first_answer_seconds),
                aclosing(self._calls.blocks(source, self._ledger.channel_id, SeekInfo(here, here))) as answers,
            ):
                whole = parse_block(await anext(answers))
        except (NodeError, TimeoutError, StopAsyncIteration, MalformedMessage):
            return bare
        return whole if whole.header == bare.header and data_hash(whole.data) == bare.header.data_hash else bare
