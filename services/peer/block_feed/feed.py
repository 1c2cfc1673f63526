"""Follows one orderer, and another when that one fails."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from privysharing.protocol.block_checks import BadBlock, check_block, is_config_block
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import SeekBehavior, SeekInfo, SeekPosition
from privysharing.protocol.errors import MalformedMessage
from privysharing.rpc.deliver import DeliverRefused
from privysharing.rpc.errors import NodeError, NodeUnavailable
from services.peer.block_feed.evidence import check_same
from services.peer.block_feed.sources import BlockSource, OrdererSource
from services.peer.ledger.types import LedgerPort
from services.peer.notifier import CommitNotifier

NEVER = 2**64 - 1  # a stop that no chain reaches
PAUSE_FACTOR = 1.2  # deliverclient: growth of the pause between attempts
SMALL_BYTES = 64 * 1024  # a block of so much is checked in 0.2 ms, the orderer's signature included

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedConfig:
    """core.yaml, peer.deliveryclient."""

    first_answer_seconds: float = 3.0  # connTimeout
    silence_seconds: float = 10.0  # ours: without a block, before we ask the others whether there is one
    pause_seconds_min: float = 0.1  # minimalReconnectInterval
    pause_seconds_max: float = 5.0  # ours; reConnectBackoffThreshold of Fabric is 3600 s

    def __post_init__(self) -> None:
        if not 0 < self.pause_seconds_min <= self.pause_seconds_max or not (
            self.first_answer_seconds > 0 and self.silence_seconds > 0
        ):
            raise ValueError("peer.deliveryclient: intervals must be positive, and the least one not above the most")

    def pause(self, rounds: int) -> float:
        """Seconds to wait after so many rounds without success."""
        return min(self.pause_seconds_max, self.pause_seconds_min * PAUSE_FACTOR ** min(rounds, 100))


class BlockCalls(Protocol):
    """Asks orderers and other peers for blocks, over connections that somebody else keeps."""

    def blocks(self, source: BlockSource, channel_id: str, seek: SeekInfo) -> AsyncGenerator[bytes]:
        """Marshalled blocks from this node. Raises NodeError."""
        ...


class BlockFeed:
    """The blocks behind a ledger's tip, for ever. One reader.

    Silence alone is no fault: a channel may be idle. An orderer that stays silent is left when another one has the
    next block. With one orderer, or with several that all withhold, nothing can be known, and we wait.

    Each connection begins with the block that the ledger ends in: an orderer that has another one there is on
    another chain, and that shows before anything of it is taken. One that does not have it has lost data, or has
    something else where we are: what it orders may never reach us, so `illness` says it aloud. So it does of blocks
    that cannot be taken, such as those of an orderer whose certificate the channel does not know.
    """

    def __init__(
        self,
        ledger: LedgerPort,
        config: Callable[[], ChannelConfig],
        sources: Callable[[], Sequence[OrdererSource]],
        calls: BlockCalls,
        notifier: CommitNotifier,
        checker: Executor,
        settings: FeedConfig,
    ) -> None:
        self._channel_id = ledger.channel_id
        self._config = config
        self._sources = sources
        self._calls = calls
        self._notifier = notifier
        self._checker = checker  # one thread of its own: behind others' verification each new block would wait
        self._settings = settings
        tip = ledger.block(ledger.height - 1)
        assert tip is not None, "a channel begins with its genesis block"
        self._last = tip
        self.source: OrdererSource | None = None  # whom we follow now
        self._behind: dict[str, str] = {}  # what is wrong, by address; empty once an orderer has had our last block
        self._bad: dict[str, str] = {}  # likewise; empty once an orderer has had a good next one, or is another one

    @property
    def illness(self) -> str | None:
        """Why no orderer gives us the next block, if there is one; None: no problem.

        Each that was asked lacks the block that the ledger ends in, or sends one that cannot be taken.
        """
        return "; ".join((*self._behind.values(), *self._bad.values())) or None

    async def blocks(self) -> AsyncGenerator[Block]:
        """Blocks, checked, each the next of the one before. Raises ForkedChain, ChannelStopped."""
        turn = failures = 0
        while True:
            sources = self._sources()
            if sources:
                self.source = sources[turn % len(sources)]
                async with aclosing(self._follow(self.source)) as blocks:
                    async for block in blocks:
                        failures = 0
                        yield block
            turn += 1
            failures += 1
            if failures >= len(sources):
                await asyncio.sleep(self._settings.pause(failures - len(sources)))

    async def _follow(self, source: OrdererSource) -> AsyncGenerator[Block]:
        """Blocks of one orderer, until it fails."""
        _log.info("following orderer", extra={"channel": self._channel_id, "orderer": source.address})
        seek = SeekInfo(SeekPosition.at(self._last.header.number), SeekPosition.at(NEVER))
        try:
            async with aclosing(self._calls.blocks(source, self._channel_id, seek)) as answers:
                async with asyncio.timeout(self._settings.first_answer_seconds):
                    first = await anext(answers)
                check_same(self._last, await self._parsed(first), source.address, self._config)
                self._behind.clear()
                if source.address not in self._bad:
                    self._bad.clear()
                while True:
                    self._last = await self._checked(await self._next(answers, source))
                    self._bad.clear()
                    yield self._last
                    if is_config_block(self._last):
                        await self._notifier.above(self._last.header.number)
        except (NodeError, TimeoutError, StopAsyncIteration) as error:
            if _not_found(error) or (isinstance(error, TimeoutError) and await self._is_behind(source)):
                self._note_behind(source)
            reason = str(error) or "no answer in time"
            _log.warning(
                "lost orderer", extra={"channel": self._channel_id, "orderer": source.address, "reason": reason}
            )
        except (BadBlock, MalformedMessage) as error:
            self._bad[source.address] = f"orderer {source.address} sent a bad block: {error}"
            _log.error(
                "orderer sent a bad block",
                extra={"channel": self._channel_id, "orderer": source.address, "reason": str(error)},
            )

    async def _is_behind(self, source: OrdererSource) -> bool:
        """Whether it says that it lacks our last block: asked to go on from there, it waits if that is its next one."""
        here = SeekPosition.at(self._last.header.number)
        seek = SeekInfo(here, here, SeekBehavior.FAIL_IF_NOT_READY)
        try:
            async with (
                asyncio.timeout(self._settings.first_answer_seconds),
                aclosing(self._calls.blocks(source, self._channel_id, seek)) as answers,
            ):
                await anext(answers)
        except (NodeError, TimeoutError, StopAsyncIteration) as error:
            return _not_found(error)
        return False

    def _note_behind(self, source: OrdererSource) -> None:
        """Say once of an orderer that it ends before us, until one is found that does not."""
        if source.address in self._behind:
            return
        what = (
            f"orderer {source.address} does not have block {self._last.header.number}, the last one here: "
            "it has lost data, or is on another chain"
        )
        self._behind[source.address] = what
        _log.error("orderer is behind this peer", extra={"channel": self._channel_id, "reason": what})

    async def _next(self, answers: AsyncGenerator[bytes], source: OrdererSource) -> bytes:
        """What the orderer sends next, however long that takes, unless another one has long had the next block.

        Raises NodeUnavailable for one that keeps silent all the same, StopAsyncIteration at the end of its answers.
        No task is made for a block that comes in time.
        """
        loop, silence = asyncio.get_running_loop(), self._settings.silence_seconds
        patience = asyncio.timeout(None)
        doubting: list[asyncio.Task[str]] = []
        timer = loop.call_later(silence, lambda: doubting.append(loop.create_task(self._doubt(source, patience))))
        try:
            async with patience:
                return await anext(answers)
        except TimeoutError:
            if not patience.expired():
                raise
            raise NodeUnavailable(source.address, await doubting[0]) from None
        finally:
            timer.cancel()
            for doubt in doubting:
                doubt.cancel()
                await asyncio.gather(doubt, return_exceptions=True)

    async def _doubt(self, source: OrdererSource, patience: asyncio.Timeout) -> str:
        """Lose patience with a silent orderer as soon as another one has had the next block for long; returns why."""
        silence, number = self._settings.silence_seconds, self._last.header.number + 1
        try:
            ahead = await self._who_is_ahead(source)
            while ahead is None:
                await asyncio.sleep(silence)
                ahead = await self._who_is_ahead(source)
            await asyncio.sleep(silence)
        except Exception:
            patience.reschedule(0)  # for whoever waits to find it
            raise
        patience.reschedule(0)
        return f"silent for {silence:g} s more, while {ahead.address} has block {number}"

    async def _who_is_ahead(self, of: OrdererSource) -> OrdererSource | None:
        """Another orderer that shows the block behind our last one; checked, so that nobody can lie us away."""
        here = SeekPosition.at(self._last.header.number + 1)
        seek = SeekInfo(here, here, SeekBehavior.FAIL_IF_NOT_READY)
        for other in self._sources():
            if other == of:
                continue
            try:
                async with (
                    asyncio.timeout(self._settings.first_answer_seconds),
                    aclosing(self._calls.blocks(other, self._channel_id, seek)) as answers,
                ):
                    await self._checked(await anext(answers))
            except (NodeError, TimeoutError, StopAsyncIteration, BadBlock, MalformedMessage):
                continue  # it has none, or none that is any good
            return other
        return None

    async def _parsed(self, raw: bytes) -> Block:
        return await asyncio.get_running_loop().run_in_executor(self._checker, parse_block, raw)

    async def _checked(self, raw: bytes) -> Block:
        """A block that is the next one. To hand a small one to another thread takes longer than to check it."""
        number, previous, config = self._last.header.number + 1, header_hash(self._last.header), self._config()

        def parse_and_check() -> Block:
            block = parse_block(raw)
            check_block(block, number, previous, config)
            return block

        if len(raw) <= SMALL_BYTES:
            return parse_and_check()
        return await asyncio.get_running_loop().run_in_executor(self._checker, parse_and_check)


def _not_found(error: Exception) -> bool:
    return isinstance(error, DeliverRefused) and error.status is Status.NOT_FOUND
