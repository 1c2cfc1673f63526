"""One channel of a peer: its ledger, its configuration, and the pipeline that makes both grow."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codes import TxCode
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.signers import Vouched
from services.peer.block_feed.crosscheck import CrossCheck
from services.peer.block_feed.evidence import EVIDENCE, ForkedChain, keep, kept
from services.peer.block_feed.feed import BlockCalls, BlockFeed, FeedConfig
from services.peer.block_feed.sources import OrdererSource, PeerSource, anchor_peers, channel_sources
from services.peer.committer import Committer, Workers
from services.peer.events.delivery import BareBlocks, FilteredBlocks
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.types import LedgerPort
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.dissemination import Dissemination
from services.peer.private_data.erasing import Eraser
from services.peer.private_data.exchange import ExchangeTools, PrivateExchange
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import TransientStore
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.validate import CONFIG_KEY, CONFIG_NAMESPACE
from services.peer.verifier import Verifier
from services.runtime.database import Databases
from services.runtime.disk import Disk

E = TypeVar("E", bound=Exception)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTools:
    """What all channels of a peer share."""

    disk: Disk
    databases: Databases
    crypto: Executor
    verifier: Verifier
    crypto_parts: int = 1  # see `Workers.parts`
    metrics: LedgerMetrics
    calls: BlockCalls
    feed: FeedConfig
    vouched: Vouched  # endorsements whose signatures need not be verified: those of this very peer
    msp_id: str  # the peer's own organisation: it compares blocks with peers of others
    room: Callable[[], Awaitable[None]]  # returns when the disk can take a block
    exchange: ExchangeTools


class Channel:
    """See the module. Made on the event loop; `ledger` and `config` may be read by any thread."""

    def __init__(
        self,
        ledger: LedgerPort,
        private: PrivateStore,
        folder: Path,
        tools: ChannelTools,
        sources: Sequence[OrdererSource] = (),
    ) -> None:
        """`sources` are the orderers to follow, instead of those that the channel's configuration names."""
        self.channel_id = ledger.channel_id
        self.ledger = ledger
        self.private = private
        self.transient: TransientStore = private.transient
        figures = tools.exchange.metrics
        figures.follow(self.channel_id, private)
        erase_expired_s = tools.exchange.settings.erase_expired_seconds
        self._eraser = Eraser(private, figures.erasures.of(self.channel_id), erase_expired_s)
        self.config = stored_config(ledger)
        self.notifier = CommitNotifier(ledger.height)
        self.exchange = PrivateExchange(
            ledger, lambda: self.config, self.notifier, private.transient, private, tools.exchange
        )
        self.dissemination: Dissemination = self.exchange.dissemination
        self.filtered = FilteredBlocks(ledger)
        self.bare = BareBlocks(ledger)
        self.stopped: str | None = None  # why nothing is committed any more
        self._folder = folder
        self._disk = tools.disk
        self._room = tools.room
        self._checker = ThreadPoolExecutor(1, f"blocks-{ledger.channel_id}")
        self._store = ThreadPoolExecutor(1, f"ledger-{ledger.channel_id}")
        workers = Workers(tools.crypto, self._store, tools.verifier, tools.crypto_parts)
        self._committer = Committer(
            ledger,
            self.config,
            self.notifier,
            workers,
            tools.metrics,
            self._set_config,
            private,
            self.exchange.resolver,
            tools.vouched,
            self._committed,
        )
        followed = _sources(self, sources)
        self._feed = BlockFeed(
            ledger, lambda: self.config, followed, tools.calls, self.notifier, self._checker, tools.feed
        )
        self._cross_check = CrossCheck(
            self._feed,
            ledger,
            lambda: self.config,
            followed,
            tools.calls,
            self.notifier,
            tools.feed,
            lambda: self._peers_of_others(tools.msp_id),
            tools.metrics.witnesses.of(self.channel_id).set,
        )
        tools.metrics.witnesses.of(self.channel_id).set(0)
        self._stopped = tools.metrics.stopped.of(self.channel_id)
        self._stopped.set(0)
        tools.metrics.set_height(self.channel_id, ledger.height)

    @property
    def private_values(self) -> PrivateStore:
        """See `chaincode_host.ports.Channel`."""
        return self.private

    @property
    def illness(self) -> str | None:
        """Why nothing is committed, for good or until an orderer catches up; None when all is well."""
        return self.stopped or self._feed.illness

    async def run(self) -> None:
        """Follow the orderers until cancelled, or until the channel cannot go on. Storage faults are raised.

        What an earlier process found out about them still holds: a channel that forked waits for its operator.
        """
        if proof := await asyncio.to_thread(kept, self._disk, self._folder / EVIDENCE, self.ledger.block):
            self._stop(f"it has forked: {', '.join(map(str, proof))} are kept; move them away to go on")
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._committer.follow(self._blocks()))
                group.create_task(self._cross_check.run())
                group.create_task(self._eraser.run())
                group.create_task(self.exchange.run())
        except* ForkedChain as found:
            await self._stop_forked(_first_of(found, ForkedChain))
        except* ChannelHalted as found:
            self._stop(str(_first_of(found, ChannelHalted)))

    def close(self) -> None:
        """After `run` has ended: finish what is being stored, release the files."""
        self._checker.shutdown()
        self._store.shutdown()
        self.private.close()
        self.ledger.close()

    def _peers_of_others(self, msp_id: str) -> tuple[PeerSource, ...]:
        return tuple(peer for peer in anchor_peers(self.config) if peer.msp_id != msp_id)

    async def _blocks(self) -> AsyncGenerator[Block]:
        """What the feed brings, while there is room for it: the orderers keep the rest."""
        async with aclosing(self._feed.blocks()) as blocks:
            async for block in blocks:
                await self._room()
                yield block

    async def _stop_forked(self, fork: ForkedChain) -> None:
        paths = await asyncio.to_thread(keep, self._disk, self._folder / EVIDENCE, fork)
        self._stop(f"{fork}; both are kept: {paths[0]}, {paths[1]}")

    def _stop(self, reason: str) -> None:
        self.stopped = reason
        self._stopped.set(1)
        self.notifier.stop(f"channel {self.channel_id} has stopped")
        _log.critical("channel stopped", extra={"channel": self.channel_id, "reason": reason})

    def _committed(self, block: Block, transactions: Sequence[ReadTransaction], verdicts: Sequence[TxCode]) -> None:
        self.filtered.committed(block.header.number, transactions, verdicts)
        self.bare.committed(block)
        self._eraser.wake()

    def _set_config(self, config: ChannelConfig) -> None:
        self.config = config


def stored_config(ledger: LedgerPort) -> ChannelConfig:
    """The configuration in force at a ledger's height."""
    stored = ledger.state.get(CONFIG_NAMESPACE, CONFIG_KEY)
    if stored is None:
        raise LedgerFault(f"channel {ledger.channel_id}: the state holds no configuration")
    return ChannelConfig.from_config(ledger.channel_id, parse_config_envelope(stored.value).config)


def _sources(channel: Channel, given: Sequence[OrdererSource]) -> Callable[[], Sequence[OrdererSource]]:
    return lambda: given or channel_sources(channel.config)


def _first_of(group: BaseExceptionGroup[BaseException], kind: type[E]) -> E:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return _first_of(error, kind)
        if isinstance(error, kind):
            return error
    raise AssertionError("an exception group is never empty")
