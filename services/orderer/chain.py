"""One channel's chain: the shell that reads the log, does what the sequencer says, and tells when to cut.

Blocks depend on the log alone; the clock only decides when a TimeToCut record is posted to it: right behind the first
envelopes, unless a block was cut shortly before (see `pace`), and after the channel's BatchTimeout in any case.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.blocks import encode_block, last_config_index
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import NONCE_BYTES
from privysharing.protocol.ordering import Connect, Record, RecordClass, Regular, TimeToCut
from privysharing.rpc.outside import Outside
from services.orderer.admitted import Transaction
from services.orderer.log import REMEDY, Entry, LogClosed, LogUnavailable, LostRecords, OrderedLog
from services.orderer.log.notopen import WHY, NotOpen
from services.orderer.metrics import (
    RELATION_CONSENTER,
    STATUS_ACTIVE,
    STATUS_FAILED,
    STATUS_INACTIVE,
    STATUS_ONBOARDING,
    OrdererMetrics,
)
from services.orderer.pace import Pace
from services.orderer.sealing import config_envelope, next_header, position_of, seal
from services.orderer.sequencer import Cut, Effect, Reconfigure, Resubmit, Sequencer, Skip, SkipReason
from services.orderer.store import BlockStore
from services.runtime.disk import StorageError

BACK_UP_S = 0.25  # after the channel's BatchTimeout, another orderer posts what the one who leads has not posted
POST_AGAIN_S = 0.5  # after which a record is appended again that the log did not take

HALTED = "consenter for this channel has been halted"

# Why an envelope comes to nothing of which somebody was told that it would be ordered.
_BROKEN_PROMISES = frozenset({SkipReason.NO_LONGER_VALID, SkipReason.BAD_CONFIG})

_log = logging.getLogger(__name__)


class ChainHalted(Exception):
    """The chain takes nothing more."""


@dataclass(frozen=True, slots=True)
class ChainContext:
    """What all chains of a process share."""

    signer: SigningIdentity
    metrics: OrdererMetrics
    cut_interval_s: float
    outside: Outside = Outside()
    leads: Callable[[str], bool] = lambda _: True  # whether we are the first to say that a channel is to be cut


class Chain:
    """One channel. `config` and `height` are those of the newest stored block.

    Stored blocks can be had at any time; new ones are made from `start` on. `fault`: why that has ended for good.
    """

    def __init__(self, store: BlockStore, context: ChainContext) -> None:
        """`store` holds the genesis block at least."""
        self._store = store
        self._context = context
        self._ordering: OrderedLog = NotOpen()
        self.halted = False
        self.fault: LostRecords | None = None
        self._grown = asyncio.Event()
        self._progress = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._open = asyncio.Event()  # no configuration is on its way again
        self._open.set()
        self._pending_since = 0.0
        self._pace = Pace(context.cut_interval_s)
        self._asked_for = -1  # the block for which a TimeToCut is on its way
        self._alarm: asyncio.Handle | None = None
        self._goal = 0  # blocks up to here in the log are there before anybody is served
        self._take_up()
        self.channel_id = self.config.channel_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"chain-{self.channel_id}")
        context.metrics.relation.of(self.channel_id).set(RELATION_CONSENTER)
        for reason in SkipReason:
            context.metrics.skipped.of(self.channel_id, reason)  # from now on there is a 0 that it grows from
        context.metrics.status.of(self.channel_id).set(STATUS_ONBOARDING)

    def start(self, log: OrderedLog) -> None:
        """Go on where the store ends, which may have grown. Raises LostRecords."""
        self._ordering = log
        self._take_up()
        if log.end() <= self._stored_to:
            raise LostRecords(
                f"block {self.height - 1} ends at offset {self._stored_to} of the ordering log, which has "
                f"{log.end()} records; {REMEDY}"
            )
        self._goal = log.end()
        if self._goal == 0:
            self._post(Connect())  # before anybody can put an envelope at offset 0
        self._context.metrics.status.of(self.channel_id).set(STATUS_ACTIVE)

    def _take_up(self) -> None:
        """Be where the store ends, and one block before that in a log that still has the newest block's records.

        That block is made again: a log that makes another one is not the log that it was made from.
        """
        store = self._store
        self.height = store.height
        tip = behind = store.block(self.height - 1)
        self.config = store.config_behind(tip)
        self._tip_hash = header_hash(tip.header)
        self._last_config = last_config_index(tip)
        self._stored_to = position_of(tip).last_offset
        self._again: Block | None = None  # the newest block, until it is made again
        if tip.header.number > 0:
            before = store.block(tip.header.number - 1)
            if position_of(before).last_offset + 1 >= self._ordering.start():
                self._again, behind = tip, before
        position = position_of(behind)
        self._sequencer = Sequencer(store.config_behind(behind), behind.header.number + 1, position)
        self._next_offset = position.last_offset + 1

    def order(self, record: Regular, size: int | None = None) -> asyncio.Future[int]:
        """Give a record its place; the future comes when the place is durable.

        Raises ChainHalted, and what `OrderedLog.append` raises.

        `size`: of its envelope, when that is known to be a signed transaction: it is not read again.
        """
        if self.halted:
            raise ChainHalted(HALTED)
        raw = encode_record(record)
        durable = self._ordering.append(raw)
        if size is not None:
            self._sequencer.admitted.put(raw, Transaction(record, size))
        if self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_soon(self._schedule_cut)  # behind all that comes with it
        return durable

    async def room(self) -> None:
        """Return when the chain takes new records: never while an earlier configuration is on its way again."""
        await self._open.wait()
        await self._ordering.room()

    @property
    def has_room(self) -> bool:
        """Whether `room` would return at once."""
        return self._open.is_set() and self._ordering.has_room

    @property
    def refusal(self) -> str | None:
        """What to tell whoever wants something ordered; None when that can be done."""
        if self.fault is not None:
            return f"{HALTED}: its ordering log has lost records"
        if self.halted:
            return HALTED
        return None if self._caught_up.is_set() else WHY

    def illness(self) -> str | None:
        """Why the chain takes nothing at the moment, for operators; None when it does."""
        if self.fault is not None:
            return str(self.fault)
        if self.halted:
            return "halted"
        return self._ordering.illness() or (None if self._caught_up.is_set() else "catches up with its log")

    async def caught_up(self) -> None:
        """Return when every block that the log had in it at the start has been made, or none will be."""
        await self._caught_up.wait()

    async def reaches(self, number: int) -> bool:
        """Return when there is a block of this number; False when the chain halts before."""
        while number >= self.height:
            if self.halted:
                return False
            await self._grown.wait()
        return True

    async def block(self, number: int) -> bytes:
        """A marshalled block that there is. Raises DamagedRecord."""
        recent = self._store.recent(number)
        if recent is not None:
            return recent
        return await asyncio.to_thread(self._store.read, number)

    async def run(self) -> None:
        """Make blocks until the log is closed, or lost. Raises StorageError."""
        try:
            if self._next_offset >= self._goal:
                self._caught_up.set()
            async for entries in self._ordering.entries(self._next_offset):
                await self._take(entries)
                self._next_offset = entries[-1].offset + 1
                self._schedule_cut()
                self._progress.set()
                if self._next_offset >= self._goal:
                    if self._again is not None:
                        raise self._another_log(self._again)
                    self._caught_up.set()
        finally:
            self.halt()

    def lose(self, fault: LostRecords) -> None:
        """The log is not, or no longer, the one that the blocks were made from: halt, and say so."""
        self.fault = fault
        self.halt()
        self._context.metrics.status.of(self.channel_id).set(STATUS_FAILED)
        _log.error("channel halted: %s", fault, extra={"channel": self.channel_id})

    def halt(self) -> None:
        """Take nothing more, and let go of everybody who waits for a block."""
        self.halted = True
        self._context.metrics.status.of(self.channel_id).set(STATUS_INACTIVE)
        self._caught_up.set()
        if self._alarm is not None:
            self._alarm.cancel()
        self._open.set()
        self._progress.set()
        self._wake()

    async def close(self) -> None:
        """Halt, and store durably what there is. `run` must have ended."""
        self.halt()
        await self._ordering.close()
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store.sync)
        finally:
            self._thread.shutdown()
            self._store.close()

    @property
    def idle(self) -> bool:
        """Whether everything that was ordered is in a block."""
        return not self._sequencer.pending and self._ordering.quiet(self._next_offset)

    async def drained(self) -> None:
        """Return when everything that was ordered is in a block, or nothing more will be."""
        while not self.halted and not self.idle:
            self._progress.clear()
            await self._progress.wait()

    async def _take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if not self._sequencer.pending:
                self._pending_since = self._context.outside.monotonic()
            effects = self._sequencer.take(entry.offset, entry.record)
            if effects:
                for effect in effects:
                    if isinstance(effect, Cut) or entry.offset > self._stored_to:  # else it has been seen to
                        await self._apply(entry.offset, effect)
                self._open_or_close()
        self._open_or_close()

    def _open_or_close(self) -> None:
        if self._sequencer.awaits_config:
            self._open.clear()
        else:
            self._open.set()

    async def _apply(self, offset: int, effect: Effect) -> None:
        if isinstance(effect, Cut):
            if self._again is None:
                await self._write(effect)
            elif (effect.envelopes, effect.position) != (self._again.data, position_of(self._again)):
                raise self._another_log(self._again)
            else:
                self._again = None
        elif isinstance(effect, Resubmit):
            await self._post_surely(effect.record)
        elif isinstance(effect, Reconfigure):
            await self._post_surely(self._reconfigured(effect))
        else:
            self._skip(offset, effect)

    def _another_log(self, stored: Block) -> LostRecords:
        return LostRecords(f"the ordering log makes another block {stored.header.number} than is stored; {REMEDY}")

    def _reconfigured(self, effect: Reconfigure) -> Regular:
        config = self._sequencer.config
        envelope = config_envelope(
            self.channel_id,
            derive(config, effect.update),
            signer=self._context.signer,
            now_ns=self._context.outside.now_ns(),
            nonce=self._context.outside.random_bytes(NONCE_BYTES),
        )
        return Regular(envelope, config.sequence, RecordClass.CONFIG, effect.original_offset)

    def _skip(self, offset: int, skip: Skip) -> None:
        if skip.reason is SkipReason.NOTHING_TO_CUT:
            self._asked_for = -1  # what it was to cut came to nothing
        self._context.metrics.skipped.of(self.channel_id, skip.reason).inc()
        _log.log(
            logging.WARNING if skip.reason in _BROKEN_PROMISES else logging.DEBUG,
            "record skipped",
            extra={"channel": self.channel_id, "offset": offset, "reason": skip.reason.value, "detail": skip.detail},
        )

    async def _write(self, cut: Cut) -> None:
        """Make, sign and store a block, in the chain's thread; then let it be seen."""
        number = self.height
        started = self._context.outside.monotonic()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._make, number, cut)
        self.height = number + 1
        if cut.config is not None:
            self.config = cut.config
        stored = self._context.outside.monotonic()
        self._pace.stored(stored, len(cut.envelopes))
        self._wake()
        metrics = self._context.metrics
        metrics.height.of(self.channel_id).set(self.height)
        metrics.last_offset.of(self.channel_id).set(cut.position.last_offset)
        metrics.commit_time.of(self.channel_id).observe(stored - started)
        metrics.fill_duration.of(self.channel_id).observe(max(0.0, started - self._pending_since))
        self._pending_since = started  # what is pending now came with the record that led to this block
        _log.debug(
            "block written",
            extra={"channel": self.channel_id, "block": number, "envelopes": len(cut.envelopes)},
        )

    def _make(self, number: int, cut: Cut) -> None:
        if cut.config is not None:
            self._last_config = number
        header = next_header(number, self._tip_hash, cut.envelopes)
        block = seal(
            header,
            cut.envelopes,
            last_config=self._last_config,
            position=cut.position,
            signer=self._context.signer,
            nonce=self._context.outside.random_bytes(NONCE_BYTES),
        )
        self._store.append(encode_block(block))
        self._tip_hash = header_hash(header)

    def _schedule_cut(self) -> None:
        """Ask for a cut when it is time: what has been appended is in the log before it, and so in the block."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self.idle or self._asked_for == self._sequencer.next_block or self.halted:
            return
        now = self._context.outside.monotonic()
        waiting_since = self._pending_since if self._sequencer.pending else now
        timeout_s = self._sequencer.config.orderer.batch_timeout_s
        if not self._context.leads(self.channel_id):
            due = waiting_since + timeout_s + BACK_UP_S
        elif self._ordering.end() > self._next_offset:
            due = waiting_since + timeout_s  # perhaps it has been cut already
        else:
            due = self._pace.due(waiting_since, timeout_s)
        if due <= now:
            self._pace.asked(now)
            self._ask_to_cut(self._sequencer.next_block)
        else:
            self._alarm = asyncio.get_running_loop().call_later(due - now, self._schedule_cut)

    def _ask_to_cut(self, number: int) -> None:
        self._asked_for = number
        try:
            self._post(TimeToCut(number)).add_done_callback(lambda posted: self._asked(number, posted))
        except (LogClosed, LogUnavailable, StorageError):  # what a log failed of, its reader is told
            self._ask_again(number)

    def _asked(self, number: int, posted: asyncio.Future[int]) -> None:
        if not posted.cancelled() and isinstance(posted.exception(), LogUnavailable):
            self._ask_again(number)

    def _ask_again(self, number: int) -> None:
        """Later, unless the block is there by then."""
        if self._sequencer.next_block == number and not self.halted:
            self._asked_for = -1
            self._alarm = asyncio.get_running_loop().call_later(POST_AGAIN_S, self._schedule_cut)

    async def _post_surely(self, record: Record) -> None:
        """Append what the chain cannot go on without; it may get there twice, and counts once. Raises StorageError."""
        while True:
            try:
                await self._post(record)
            except LogUnavailable:
                await asyncio.sleep(POST_AGAIN_S)
            else:
                return

    def _post(self, record: Record) -> asyncio.Future[int]:
        return self._ordering.append(encode_record(record))

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()
