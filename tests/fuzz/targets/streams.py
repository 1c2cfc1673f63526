"""Streams: requests to Deliver, at a peer and at an orderer, and batches of calls."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from privysharing.protocol.batches import BatchResponse, CallFailed
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.batches import parse_batch_request, parse_batch_response
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.deliver import parse_deliver_response
from privysharing.protocol.deliver import FilteredBlock
from services.orderer.admission import Clock
from services.orderer.delivery import Delivery
from services.orderer.metrics import OrdererMetrics
from services.peer.committer import store_genesis
from services.peer.events.delivery import BLOCKS, FILTERED, WITH_PRIVATE_DATA, BareBlocks, Deliveries, FilteredBlocks
from services.peer.ledger.memory import MemoryLedger
from services.peer.metrics import DeliverMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.store import PrivateStore
from services.runtime.batching import BadBatch, BatchCalls, BatchLimits, Call
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.fuzz import messages
from tests.fuzz.material import CHANNEL, CLIENT, GENESIS, NOW_NS, ORDERER, PEERS, STRANGER, cold_config
from tests.fuzz.mutate import Mutator, spoilt
from tests.fuzz.oracle import check_told, require
from tests.fuzz.targets.loops import Loop
from tests.fuzz.targets.ordering import opened_channels, split

WINDOW_NS = 900 * 1_000_000_000
PATIENCE_S = 0.05  # for a request that waits for a block which does not come
ANSWERS_MAX = 10  # more than the channel has blocks
_HASH = b"t" * 32


@dataclass
class _Channel:
    """A channel of one block."""

    config: ChannelConfig = field(default_factory=cold_config)
    ledger: MemoryLedger = field(default_factory=lambda: MemoryLedger(CHANNEL))
    notifier: CommitNotifier = field(default_factory=lambda: CommitNotifier(1))

    def __post_init__(self) -> None:
        store_genesis(self.ledger, GENESIS)
        self.filtered = FilteredBlocks(self.ledger)
        self.bare = BareBlocks(self.ledger)
        disk = MemoryDisk()
        self.private = PrivateStore.open(
            self.ledger, Path("/private"), disk, MemoryDatabases(disk), self.config, PEERS[0].msp_id
        )


class PeerDelivering:
    """Requests to a peer. The first byte chooses the service, and whether TLS binds the caller."""

    name = "deliver"
    readers = (PEERS[0], PEERS[1], CLIENT, STRANGER)

    def __init__(self) -> None:
        channel = _Channel()
        self._deliveries = Deliveries(
            {CHANNEL: channel}.get,
            DeliverMetrics.register(Registry()),
            window_ns=WINDOW_NS,
            clock_ns=lambda: NOW_NS,
        )
        self._loop = Loop()
        self.close = self._loop.close

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        who, nonce = chance.choice(self.readers), chance.randbytes(24)
        return bytes((chance.randrange(4),)) + spoilt(
            chance, mutator, lambda hand: messages.seek(hand, chance, nonce, who), rate=0.15
        )

    def feed(self, raw: bytes) -> str:
        form = {b"\x01": FILTERED, b"\x03": WITH_PRIVATE_DATA}.get(raw[:1], BLOCKS)
        bound = _HASH if raw[:1] == b"\x02" else None
        return self._loop.run(_outcome(lambda requests: self._deliveries.serve(requests, form, bound), raw[1:]))


class OrdererDelivering:
    """Requests to an orderer."""

    name = "orderer-deliver"
    readers = (ORDERER, ORDERER, CLIENT)

    def __init__(self) -> None:
        clock = Clock(NOW_NS, WINDOW_NS)
        self._loop = Loop()
        self.close = self._loop.close
        channels = opened_channels(self._loop)
        self._delivery = Delivery(channels, lambda: clock, OrdererMetrics(Registry()))

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        who, nonce = chance.choice(self.readers), chance.randbytes(24)
        return spoilt(chance, mutator, lambda hand: messages.seek(hand, chance, nonce, who), rate=0.15)

    def feed(self, raw: bytes) -> str:
        return self._loop.run(_outcome(lambda requests: self._delivery.serve(requests, None), raw))


async def _outcome(serve: Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes]], raw: bytes) -> str:
    """What a stream of one request ends with; blocks come in order and only to those who may have them."""
    numbers: list[int] = []
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(serve(_stream([raw]))) as answers:
            async for answer in answers:
                check_told(answer)
                response = parse_deliver_response(answer)
                if response.status is not None:
                    return f"{response.status.name} after {len(numbers)}"
                require(len(numbers) < ANSWERS_MAX, "more blocks than there are")
                private = response.block_and_private_data
                block = response.block if private is None else private.block
                numbers.append(_number(block, response.filtered_block))
                require(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"blocks {numbers}")
    except TimeoutError:
        return f"waits after {len(numbers)}"
    raise AssertionError("the stream ended without a status")


def _number(block: bytes | None, filtered: FilteredBlock | None) -> int:
    if filtered is not None:
        return filtered.number
    return parse_block(block or b"").header.number


async def _stream(messages_sent: Sequence[bytes]) -> AsyncIterator[bytes]:
    for message in messages_sent:
        yield message


class Batching:
    """Messages of one stream of batches. Each item has at most one answer; who breaks the rules loses the stream."""

    name = "batch"
    messages_max = 3

    def __init__(self) -> None:
        self._loop = Loop()
        self.close = self._loop.close

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        made = []
        for _ in range(chance.randint(1, self.messages_max)):
            payloads = [chance.randbytes(chance.choice((0, 3, 40))) for _ in range(chance.choice((0, 1, 3, 64, 70)))]
            made.append(
                spoilt(chance, mutator, lambda hand: messages.batch(hand, chance, payloads), rate=0.02)  # noqa: B023
            )
        return b"".join(len(each).to_bytes(4, "big") + each for each in made)

    def feed(self, raw: bytes) -> str:
        return self._loop.run(self._outcome(split(raw)))

    async def _outcome(self, sent: Sequence[bytes]) -> str:
        begun: list[Call] = []

        def begin(calls: Sequence[Call]) -> None:
            begun.extend(calls)
            for call in calls:
                call.answer(call.payload)

        answers: list[int] = []
        try:
            async with aclosing(BatchCalls(begin, BatchLimits()).serve(_stream(sent))) as responses:
                async for response in responses:
                    answers += self._read(parse_batch_response(response))
        except BadBatch as bad:
            check_told(str(bad))
            return "bad batch"
        asked = [item.id for message in sent for item in parse_batch_request(message)]
        require(sorted(answers) == sorted(asked), f"asked {asked}, answered {answers}")
        return "answered"

    def _read(self, response: BatchResponse) -> list[int]:
        for answer in response.answers:
            if isinstance(answer.outcome, CallFailed):
                check_told(answer.outcome.message)
        return [answer.id for answer in response.answers]
