"""One client's Deliver stream: seeks in, blocks and statuses out."""

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import (
    encode_deliver_block,
    encode_deliver_filtered,
    encode_deliver_status,
    encode_deliver_with_private,
)
from privysharing.protocol.codes import Status, TxCode
from privysharing.protocol.deliver import SeekContentType
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.seek import (
    Permission,
    Plan,
    Refusal,
    SeekRequest,
    open_request,
    plan,
    read_seek,
    without_transactions,
)
from services.peer.events.filtered import filtered_block, filtered_commit
from services.peer.events.private import readable_sets
from services.peer.ledger.types import LedgerPort
from services.peer.metrics import DeliverMetrics
from services.peer.notifier import ChannelStopped, CommitNotifier
from services.peer.private_data.types import PrivateData
from services.runtime.callers import NOBODY, Caller
from services.runtime.shares import Shares

UNREAD_BLOCKS_MAX = 64  # that wait for their clients at a time; others are not read from the disk meanwhile
ANSWERS_KEPT = 64  # encoded answers of one form that a channel keeps: all listeners want the newest blocks

_log = logging.getLogger(__name__)


class Readable(Protocol):
    """What a delivery needs of a channel."""

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def config(self) -> ChannelConfig: ...

    @property
    def notifier(self) -> CommitNotifier: ...

    @property
    def filtered(self) -> "FilteredBlocks": ...

    @property
    def bare(self) -> "BareBlocks": ...

    @property
    def private(self) -> PrivateData: ...


@dataclass(frozen=True, slots=True)
class Form:
    """One of the service's methods: the resource that guards it, and its labels in the metrics."""

    resource: str
    filtered: bool
    data_type: str


BLOCKS = Form("event/Block", filtered=False, data_type="block")
WITH_PRIVATE_DATA = Form("event/Block", filtered=False, data_type="block_and_pvtdata")
FILTERED = Form("event/FilteredBlock", filtered=True, data_type="filtered_block")


class NewestBlocks(ABC):
    """Encoded answers with a channel's blocks in one form, each made once for all who listen.

    Those with new blocks are made as these are committed, from what is at hand then; older ones are read again.
    """

    def __init__(self, ledger: LedgerPort) -> None:
        self._ledger = ledger
        self._made: OrderedDict[int, asyncio.Future[bytes]] = OrderedDict()

    async def answer(self, number: int) -> bytes:
        """The answer with this block, which must exist."""
        made = self._made.get(number)
        if made is None:
            made = asyncio.create_task(asyncio.to_thread(self._make, number))
            self._keep(number, made)
        return made.result() if made.done() else await asyncio.shield(made)

    def _put(self, number: int, answer: bytes) -> None:
        """Have the answer with a block that is about to be shown."""
        made: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        made.set_result(answer)
        self._keep(number, made)

    def _keep(self, number: int, made: "asyncio.Future[bytes]") -> None:
        self._made[number] = made
        if len(self._made) > ANSWERS_KEPT:
            self._made.popitem(last=False)

    def _make(self, number: int) -> bytes:
        block = self._ledger.block(number)
        assert block is not None
        return self._encode(block)

    @abstractmethod
    def _encode(self, block: Block) -> bytes: ...


class FilteredBlocks(NewestBlocks):
    """Filtered blocks: clients want these."""

    def committed(self, number: int, transactions: Sequence[ReadTransaction], codes: Sequence[TxCode]) -> None:
        """Take a block that is about to be shown."""
        filtered = filtered_commit(self._ledger.channel_id, number, transactions, codes)
        self._put(number, encode_deliver_filtered(filtered))

    def _encode(self, block: Block) -> bytes:
        return encode_deliver_filtered(filtered_block(self._ledger.channel_id, block))


class BareBlocks(NewestBlocks):
    """Headers and signatures: other peers want these, to compare them with their own."""

    def committed(self, block: Block) -> None:
        """Take a block that is about to be shown."""
        self._put(block.header.number, self._encode(block))

    def _encode(self, block: Block) -> bytes:
        return encode_deliver_block(without_transactions(block))


class Deliveries:
    """Serves the streams of all clients."""

    def __init__(
        self,
        channel: Callable[[str], Readable | None],
        metrics: DeliverMetrics,
        *,
        window_ns: int,
        clock_ns: Callable[[], int] = time.time_ns,
        unread_blocks_max: int = UNREAD_BLOCKS_MAX,
    ) -> None:
        self._channel = channel
        self._metrics = metrics
        self._window_ns = window_ns
        self._clock_ns = clock_ns
        self._unread = Shares(unread_blocks_max)

    async def serve(
        self, requests: AsyncIterable[bytes], form: Form, certificate_hash: bytes | None, caller: Caller = NOBODY
    ) -> AsyncGenerator[bytes]:
        """Answers to requests, one request after the other, until one is refused (deliver Handler.Handle).

        Whoever asks for more of an answer has taken the one before.

        `certificate_hash` is the caller's, None where client certificates are not required.
        """
        self._metrics.streams_opened.of().inc()
        try:
            async for raw in requests:
                status = Status.SUCCESS
                async with aclosing(self._answers(raw, form, certificate_hash, caller)) as answers:
                    async for answer in answers:
                        if isinstance(answer, Refusal):
                            status = answer.status
                            _log.warning("refused to deliver", extra={"status": status.name, "reason": answer.reason})
                            break
                        yield answer
                yield encode_deliver_status(status)
                if status is not Status.SUCCESS:
                    return
        finally:
            self._metrics.streams_closed.of().inc()

    async def _answers(
        self, raw: bytes, form: Form, certificate_hash: bytes | None, caller: Caller
    ) -> AsyncGenerator[bytes | Refusal]:
        """The blocks that one request asks for; a refusal, if there is one, comes last."""
        request = open_request(
            raw, now_ns=self._clock_ns(), window_ns=self._window_ns, certificate_hash=certificate_hash
        )
        if isinstance(request, Refusal):
            yield request
            return
        channel = self._channel(request.channel_id)
        if channel is None:
            yield Refusal(Status.NOT_FOUND, f"channel {request.channel_id} not found")
            return
        labels = (request.channel_id, str(form.filtered).lower(), form.data_type)
        self._metrics.requests_received.of(*labels).inc()
        success = False  # unless it gets to its end: the client may hang up
        try:
            async with aclosing(self._blocks(request, channel, form, caller)) as answers:
                async for answer in answers:
                    yield answer
                    if isinstance(answer, Refusal):
                        return
                    self._metrics.blocks_sent.of(*labels).inc()
            success = True
        finally:
            self._metrics.requests_completed.of(*labels, str(success).lower()).inc()

    async def _blocks(
        self, request: SeekRequest, channel: Readable, form: Form, caller: Caller
    ) -> AsyncGenerator[bytes | Refusal]:
        seek = read_seek(request)
        if isinstance(seek, Refusal):
            yield seek
            return
        bare = seek.content_type is SeekContentType.HEADER_WITH_SIG_BYTES
        permission = Permission(request)
        chosen = self._permitted(permission, channel, form) or plan(seek, channel.ledger.height)
        if isinstance(chosen, Refusal):
            yield chosen
            return
        for number in range(chosen.first, chosen.last + 1):
            refusal = await _await_block(chosen, number, channel) or self._permitted(permission, channel, form)
            if refusal is not None:
                yield refusal
                return
            if form.filtered:
                yield await channel.filtered.answer(number)
            elif bare and form is BLOCKS:
                yield await channel.bare.answer(number)
            else:
                async with self._unread.one(caller):
                    yield await asyncio.to_thread(_block_answer, channel, number, bare, form, request.signed.creator)

    def _permitted(self, permission: Permission, channel: Readable, form: Form) -> Refusal | None:
        config = channel.config
        return permission.check(config, config.acl(form.resource), self._clock_ns())


async def _await_block(chosen: Plan, number: int, channel: Readable) -> Refusal | None:
    """Return once the block is there; why it will not come, otherwise."""
    refusal = chosen.refusal_at(number, channel.ledger.height)
    if refusal is None:
        try:
            await channel.notifier.above(number)
        except ChannelStopped as stopped:
            return Refusal(Status.SERVICE_UNAVAILABLE, str(stopped))
    return refusal


def _block_answer(channel: Readable, number: int, bare: bool, form: Form, reader: bytes) -> bytes:
    raw = channel.ledger.block_bytes(number)
    assert raw is not None
    if bare:
        raw = without_transactions(parse_block(raw))
    if form is not WITH_PRIVATE_DATA:
        return encode_deliver_block(raw)
    private = readable_sets(channel.ledger, channel.private, channel.config, reader, number)
    return encode_deliver_with_private(raw, private)
