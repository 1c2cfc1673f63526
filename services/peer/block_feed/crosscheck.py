"""Compares what we were given with what others were given."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing

from privysharing.protocol.block_checks import BadBlock
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.deliver import SeekContentType, SeekInfo, SeekPosition
from privysharing.protocol.errors import MalformedMessage
from privysharing.rpc.errors import NodeError, NodeUnavailable
from services.peer.block_feed.evidence import check_same
from services.peer.block_feed.feed import NEVER, BlockFeed, FeedConfig, OrdererCalls
from services.peer.block_feed.sources import OrdererSource, of_other_organisations
from services.peer.ledger.types import LedgerPort
from services.peer.notifier import CommitNotifier

_log = logging.getLogger(__name__)


class CrossCheck:
    """Compares the ledger with an orderer of another organisation than the one whose blocks it takes."""

    def __init__(
        self,
        feed: BlockFeed,
        ledger: LedgerPort,
        config: Callable[[], ChannelConfig],
        sources: Callable[[], Sequence[OrdererSource]],
        calls: OrdererCalls,
        notifier: CommitNotifier,
        settings: FeedConfig,
    ) -> None:
        self._feed = feed
        self._ledger = ledger
        self._config = config
        self._sources = sources
        self._calls = calls
        self._notifier = notifier
        self._settings = settings
        self._next = ledger.height - 1
        self.compared = 0  # blocks found equal

    async def run(self) -> None:
        """Compare for ever. Raises ForkedChain, ChannelStopped."""
        attempts = 0
        while True:
            followed = self._feed.source
            others = of_other_organisations(self._sources(), followed.msp_id) if followed else ()
            if others:
                await self._compare_with(others[attempts % len(others)])
                attempts += 1
            await asyncio.sleep(self._settings.pause_seconds_max)

    async def _compare_with(self, source: OrdererSource) -> None:
        seek = SeekInfo(
            SeekPosition.at(self._next),
            SeekPosition.at(NEVER),
            content_type=SeekContentType.HEADER_WITH_SIG_BYTES,
        )
        try:
            async with aclosing(self._calls.blocks(source, self._ledger.channel_id, seek)) as answers:
                async for raw in answers:
                    await self._compare(parse_block(raw), source)
        except (NodeError, BadBlock, MalformedMessage) as error:
            level = logging.INFO if isinstance(error, NodeUnavailable) else logging.WARNING
            _log.log(
                level,
                "cannot compare with orderer",
                extra={"channel": self._ledger.channel_id, "orderer": source.address, "reason": str(error)},
            )

    async def _compare(self, theirs: Block, source: OrdererSource) -> None:
        number = self._next
        await self._notifier.above(number)
        ours = await asyncio.to_thread(self._ledger.block, number)
        assert ours is not None
        check_same(ours, theirs, source.address, self._config)
        self.compared += 1
        self._next = number + 1
