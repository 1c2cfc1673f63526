"""An orderer that takes envelopes as it likes, and hands out blocks that it did not cut.

What becomes of envelopes is up to `LyingLog` and `Forbidding`: an acknowledgement, or a refusal, is its word and no
more. What it shows of the chain goes through an interceptor in front of its Deliver service: `BadBlocks` here,
`two_stories` elsewhere. Behind all of them runs the honest program.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc

from privysharing.protocol.batches import CallFailed
from privysharing.protocol.codec.batches import encode_batch_response, parse_batch_response
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.deliver import (
    encode_deliver_block,
    encode_deliver_status,
    parse_deliver_response,
    parse_seek_info,
)
from privysharing.protocol.codec.envelopes import encode_envelope, parse_envelope, parse_payload
from privysharing.protocol.codec.ordering import encode_record, parse_record
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekContentType, SeekInfo
from privysharing.protocol.ordering import RecordClass, Regular, TimeToCut
from privysharing.rpc.batch import BROADCAST
from privysharing.wire.orderer.ab_pb2 import BroadcastResponse
from services.orderer.log import LogClosed
from services.runtime.machine import Machine
from tests.simulation.computers import Program
from tests.simulation.liars import HONEST, Moods, Told
from tests.simulation.log import Cluster, SharedLog
from tests.simulation.loop import Life
from tests.support.liars import LyingOrderer, flipped

LIAR: Final = "lying orderer"
LATE_S = 3.0  # mean
DELIVER: Final = "/orderer.AtomicBroadcast/Deliver"
FORBIDDEN: Final = BroadcastResponse(status=Status.FORBIDDEN.name).SerializeToString()

TAKES_NOTHING, ANSWERS_NOTHING, ANSWERS_LATE = "acknowledges and drops", "never answers", "answers late"
ORDERS_LATE, REFUSES, DENIES = "orders late", "refuses", "orders what it refuses"
TWICE, STUFFS, SPOILS = "orders twice", "stuffs the log", "orders a spoilt copy first"
IN_ITS_LOG: Final = (TAKES_NOTHING, ANSWERS_NOTHING, ANSWERS_LATE, ORDERS_LATE, REFUSES, DENIES, TWICE, STUFFS, SPOILS)

FORBIDS_WHAT_IT_ORDERS: Final = "forbids what it orders"

SILENT, FALLS_SILENT, HANGS_UP = "is silent", "falls silent", "hangs up"
HAS_NOTHING, FORBIDS = "has no such block", "forbids"
REPEATS, SKIPS, SWAPS = "repeats a block", "skips a block", "sends a later block first"
OF_BLOCKS: Final = (
    *(SILENT, FALLS_SILENT, HANGS_UP, HAS_NOTHING, FORBIDS, REPEATS, SKIPS, SWAPS),
    *sorted(LyingOrderer.LIES),
)
LIES: Final = (*IN_ITS_LOG, FORBIDS_WHAT_IT_ORDERS, *OF_BLOCKS)
# Properly signed: where a peer compares them with its own block of that height, they prove two stories.
_PROOFS = frozenset(("wrong previous", "empty", "skipped", "repeated"))


class LyingLog(SharedLog):
    """The shared log as a lying orderer uses it."""

    def __init__(self, cluster: Cluster, life: Life, chance: random.Random, moods: Moods, told: Told) -> None:
        super().__init__(cluster, life)
        self._chance = chance
        self._moods = moods
        self._told = told

    def append(self, record: bytes) -> "asyncio.Future[int]":
        content = parse_record(record)
        lie = self._moods.now()
        if lie == HONEST or not isinstance(content, Regular):
            return super().append(record)
        self._told.tell(LIAR, lie)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if lie == TAKES_NOTHING:
            answer.set_result(self.end())
        elif lie == REFUSES:
            answer.set_exception(LogClosed("there is no room"))
        elif lie == ORDERS_LATE:
            self._later(lambda: super(LyingLog, self).append(record).add_done_callback(lambda _: _settle(answer)))
        elif lie != ANSWERS_NOTHING:
            for extra in self._extras(lie, content):
                super().append(extra)
            durable = super().append(record)
            if lie == ANSWERS_LATE:
                durable.add_done_callback(lambda _: self._later(lambda: _settle(answer)))
            elif lie == DENIES:
                durable.add_done_callback(lambda _: answer.set_exception(LogClosed("it is lost")))
            else:
                return durable
        return answer

    def _later(self, do: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(self._chance.expovariate(1 / LATE_S), do)

    def _extras(self, lie: str, content: Regular) -> list[bytes]:
        """What gets into the log before a record."""
        if lie == TWICE:
            return [encode_record(content)]
        if lie == SPOILS:
            return [encode_record(replace(content, envelope=self._spoilt(content.envelope)))]
        if lie == STUFFS:
            chance = self._chance
            garbage = chance.randbytes(chance.randint(0, 50))
            stuff = [
                encode_record(TimeToCut(chance.choice((0, 1, 30, 2**63)))),
                encode_record(replace(content, kind=RecordClass.CONFIG)),
                encode_record(replace(content, config_sequence=7)),
                encode_record(Regular(garbage, content.config_sequence, RecordClass.NORMAL)),
                encode_record(Regular(encode_envelope(garbage, b""), content.config_sequence, RecordClass.NORMAL)),
                encode_record(Regular(encode_envelope(garbage, garbage), content.config_sequence, RecordClass.NORMAL)),
                garbage,
            ]
            return chance.sample(stuff, chance.randint(1, len(stuff)))
        return []

    def _spoilt(self, envelope: bytes) -> bytes:
        """What no orderer that checks takes: its signature is bad, its id is that of the good one."""
        honest = parse_envelope(envelope)
        spoilt = encode_envelope(honest.payload, flipped(honest.signature, self._chance))
        self._told.forge(spoilt, SPOILS)
        return spoilt


def _settle(answer: "asyncio.Future[int]") -> None:
    if not answer.done():
        answer.set_result(0)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for blocks, and for which."""

    name: str  # of his process
    seek: SeekInfo

    @property
    def whole(self) -> bool:
        """Whether he wants blocks with their transactions."""
        return self.seek.content_type is SeekContentType.BLOCK


class Deliveries(ABC, grpc.aio.ServerInterceptor):
    """Stands between the honest Deliver service and those who ask it."""

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if details.method != DELIVER:
            return handler

        async def deliver(requests: AsyncIterator[bytes], context: Any) -> AsyncGenerator[bytes]:
            asked = await anext(aiter(requests))
            seek = parse_seek_info(parse_payload(parse_envelope(asked).payload).data)
            asker = Asker(context.peer().removeprefix("process:"), seek)

            async def again() -> AsyncGenerator[bytes]:
                yield asked
                async for further in requests:
                    yield further

            async with aclosing(handler.stream_stream(again(), context)) as honest:
                async for told in self.tell(asker, honest):
                    yield told

        return grpc.stream_stream_rpc_method_handler(deliver)

    @abstractmethod
    def tell(self, asker: Asker, honest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """What is answered instead of the honest answers."""


class BadBlocks(Deliveries):
    """Sends blocks that no peer may take, or takes them in the wrong way, or sends none."""

    def __init__(self, signer: SigningIdentity, chance: random.Random, moods: Moods, told: Told) -> None:
        self._liar = LyingOrderer(signer, chance)
        self._moods = moods
        self._told = told

    async def tell(self, asker: Asker, honest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        sent, held = b"", b""
        async for answer in honest:
            block = parse_deliver_response(answer).block
            lie = HONEST if block is None else self._moods.now()
            if lie in _PROOFS and not (sent and asker.whole):
                lie = HONEST  # the first block of a stream is one that the peer has
            if lie == FALLS_SILENT and not sent:
                lie = HONEST
            if lie != HONEST:
                self._told.tell(LIAR, lie)
            if lie in (SILENT, FALLS_SILENT):
                await asyncio.Event().wait()
            if lie == HANGS_UP:
                return
            if lie in (HAS_NOTHING, FORBIDS):
                yield encode_deliver_status(Status.NOT_FOUND if lie == HAS_NOTHING else Status.FORBIDDEN)
                return
            if lie == SWAPS and not held:
                held = answer
            elif lie != SKIPS:
                if lie == REPEATS and sent:
                    yield sent
                yield self._forged(block, lie) if block and lie in LyingOrderer.LIES else answer
                sent = answer
                if held:
                    yield held
                    held = b""

    def _forged(self, block: bytes, lie: str) -> bytes:
        return encode_deliver_block(encode_block(self._liar.block(parse_block(block), lie)))


class Forbidding(grpc.aio.ServerInterceptor):
    """Tells clients that what is ordered was refused, and for good."""

    def __init__(self, moods: Moods, told: Told) -> None:
        self._moods = moods
        self._told = told

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if details.method != BROADCAST:
            return handler

        async def broadcast(requests: AsyncIterator[bytes], context: Any) -> AsyncGenerator[bytes]:
            async with aclosing(handler.stream_stream(requests, context)) as honest:
                async for raw in honest:
                    answer = parse_batch_response(raw)
                    told = [replace(each, outcome=self._told_instead(each.outcome)) for each in answer.answers]
                    yield encode_batch_response(replace(answer, answers=told))

        return grpc.stream_stream_rpc_method_handler(broadcast)

    def _told_instead(self, outcome: bytes | CallFailed) -> bytes | CallFailed:
        if self._moods.now() == HONEST or isinstance(outcome, CallFailed):
            return outcome
        self._told.tell(LIAR, FORBIDS_WHAT_IT_ORDERS)
        return FORBIDDEN


def in_front(program: Program, liars: Sequence[grpc.aio.ServerInterceptor]) -> Program:
    """The program of a node, with these between its server and whoever calls."""

    async def run(machine: Machine, stop: asyncio.Event) -> None:
        def make_server(*, interceptors: Sequence[Any] = (), **others: Any) -> grpc.aio.Server:
            return machine.make_server(interceptors=(*interceptors, *liars), **others)

        await program(replace(machine, make_server=make_server), stop)

    return run
