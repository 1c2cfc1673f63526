"""Deliver: the shell around `privysharing.protocol.seek`, which waits for blocks and sends them."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from privysharing.protocol.channel.bundle import CHANNEL_READERS
from privysharing.protocol.channel.settings import ConsensusState
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import encode_deliver_block, encode_deliver_status
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import SeekContentType, SeekErrorResponse
from privysharing.protocol.seek import (
    Permission,
    Refusal,
    SeekRequest,
    open_request,
    plan,
    read_seek,
    without_transactions,
)
from services.orderer.admission import Clock
from services.orderer.chain import Chain
from services.orderer.channels import Channels
from services.orderer.metrics import OrdererMetrics
from services.runtime.callers import NOBODY, Caller
from services.runtime.shares import Shares

UNREAD_BLOCKS_MAX = 64  # that wait for their clients at a time; others are not read from the disk meanwhile
ORDERER_READERS = "/Channel/Orderer/Readers"

_log = logging.getLogger(__name__)


class Delivery:
    """Serves blocks of all channels. `clock` gives the window of seek requests, which is Fabric's and not ours."""

    def __init__(
        self,
        channels: Channels,
        clock: Callable[[], Clock],
        metrics: OrdererMetrics,
        unread_blocks_max: int = UNREAD_BLOCKS_MAX,
    ) -> None:
        self._channels = channels
        self._clock = clock
        self._metrics = metrics
        self._unread = Shares(unread_blocks_max)

    async def serve(
        self, requests: AsyncIterator[bytes], certificate_hash: bytes | None, caller: Caller = NOBODY
    ) -> AsyncGenerator[bytes, None]:
        """Marshalled DeliverResponses to one stream of seek requests: the first that fails ends it.

        `certificate_hash`: see `seek.open_request`.
        """
        self._metrics.streams_opened.of().inc()
        try:
            async for raw in requests:
                status = Status.INTERNAL_SERVER_ERROR
                async with aclosing(self._deliver(raw, certificate_hash, caller)) as outcomes:
                    async for outcome in outcomes:
                        if isinstance(outcome, bytes):
                            yield outcome
                        else:
                            status = outcome
                yield encode_deliver_status(status)
                if status is not Status.SUCCESS:
                    return
        finally:
            self._metrics.streams_closed.of().inc()

    async def _deliver(
        self, raw: bytes, certificate_hash: bytes | None, caller: Caller
    ) -> AsyncGenerator[bytes | Status]:
        """Blocks in wire form, and at the end the status of the request."""
        clock = self._clock()
        request = open_request(raw, now_ns=clock.now_ns, window_ns=clock.window_ns, certificate_hash=certificate_hash)
        if isinstance(request, Refusal):
            yield self._refuse("unknown", request)
            return
        chain = self._channels.get(request.channel_id)
        if chain is None:
            yield self._refuse("unknown", Refusal(Status.NOT_FOUND, "channel not found"))
            return
        labels = (chain.channel_id, "false", "block")
        self._metrics.requests_received.of(*labels).inc()
        status = Status.INTERNAL_SERVER_ERROR
        try:
            async with aclosing(self._blocks(chain, request, clock.check_expiry, caller)) as outcomes:
                async for outcome in outcomes:
                    if isinstance(outcome, bytes):
                        self._metrics.blocks_sent.of(*labels).inc()
                        yield outcome
                    else:
                        status = self._refuse(chain.channel_id, outcome)
                        break
                else:
                    status = Status.SUCCESS
            yield status
        finally:
            success = "true" if status is Status.SUCCESS else "false"
            self._metrics.requests_completed.of(*labels, success).inc()

    async def _blocks(
        self, chain: Chain, request: SeekRequest, check_expiry: bool, caller: Caller
    ) -> AsyncGenerator[bytes | Refusal]:
        """Blocks in wire form up to the last one asked for, or to a refusal."""
        seek = read_seek(request)
        if isinstance(seek, Refusal):
            yield seek
            return
        halted = Refusal(Status.SERVICE_UNAVAILABLE, "the chain has been halted")
        if chain.refusal is not None and chain.fault is None and seek.error_response is SeekErrorResponse.STRICT:
            yield Refusal(Status.SERVICE_UNAVAILABLE, chain.refusal)  # another orderer may have more blocks
            return
        permission = Permission(request, check_expiry=check_expiry)
        refusal = self._check(permission, chain)
        agreed = refusal or plan(seek, chain.height)
        if isinstance(agreed, Refusal):
            yield agreed
            return
        number = agreed.first
        while True:
            refusal = agreed.refusal_at(number, chain.height)
            if refusal is not None:
                yield refusal
                return
            refusal = self._check(permission, chain) if await chain.reaches(number) else halted
            if refusal is not None:
                yield refusal
                return
            async with self._unread.one(caller):
                block = await chain.block(number)
                whole = seek.content_type is SeekContentType.BLOCK
                yield encode_deliver_block(block if whole else without_transactions(parse_block(block)))
            if number == agreed.last:
                return
            number += 1

    def _check(self, permission: Permission, chain: Chain) -> Refusal | None:
        config = chain.config
        normal = config.orderer.state is ConsensusState.NORMAL
        return permission.check(config, CHANNEL_READERS if normal else ORDERER_READERS, self._clock().now_ns)

    def _refuse(self, channel: str, refusal: Refusal) -> Status:
        _log.info("deliver refused", extra={"channel": channel, "status": refusal.status.name, "why": refusal.reason})
        return refusal.status
