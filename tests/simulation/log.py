"""The ordering log that several orderers share, as a cluster of brokers keeps it: durable whatever happens to them.

As with Kafka, a producer sends what has waited as one batch, one at a time. A batch whose acknowledgement was lost may
be in the log all the same, and a retry may put it there twice; the order of records never changes, and everybody reads
the same. While there is no leader a producer gives up after a while, refuses what comes, and tries one batch at a time.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from services.orderer.log import Entry, LogClosed, LogPlace, LogUnavailable
from tests.simulation.loop import Life, SimulatedLoop, current_life

BROKER_S = 0.002  # mean time to the brokers, and back
REPEATED_SHARE = 0.03  # batches that a retry put into the log twice
DELIVERY_S = 5.0  # after which a producer gives up (KafkaConfig.delivery_timeout_s)


class Topic:
    """One channel's records, kept by brokers that do not crash."""

    def __init__(self, records: Sequence[bytes] = ()) -> None:
        self.records = list(records)


class Cluster:
    """The brokers, as the simulation sees them."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random, topic: Topic) -> None:
        self.topic = topic
        self.met: Counter[str] = Counter()
        self.away = False  # whether no producer and no consumer reaches them
        self._loop = loop
        self._chance = chance
        self._changed = asyncio.Event()

    async def open(self, _place: LogPlace) -> "SharedLog":
        """An orderer's view of the topic: see `services.orderer.log.OpenLog`."""
        life = current_life()
        assert life is not None
        return SharedLog(self, life)

    def leave(self) -> None:
        """No leader: nothing is taken and nothing is given, until `come_back`."""
        self.away = True

    def come_back(self) -> None:
        """A leader is elected."""
        self.away = False
        self._wake()

    def delay(self) -> float:
        """Seconds on the way to the brokers or back."""
        return self._chance.expovariate(1 / BROKER_S)

    async def reachable(self) -> None:
        """Return when there is a leader."""
        while self.away:
            await self.changed()

    async def changed(self) -> None:
        """Return when there are new records, or a leader."""
        await self._changed.wait()

    def take(self, batch: Sequence[bytes]) -> int:
        """Put records into the log; the offset of the first, where it was acknowledged."""
        self.topic.records += batch
        if self._chance.random() < REPEATED_SHARE:
            self.met["log: batch repeated"] += 1
            self.topic.records += batch
        self._wake()
        return len(self.topic.records) - len(batch)

    def loses_answer(self) -> bool:
        """Whether what the leader last took was never acknowledged, since it went away."""
        lost = self._chance.random() < 0.5
        self.met["log: taken without an answer" if lost else "log: not taken"] += 1
        return lost

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class SharedLog:
    """See `services.orderer.log.OrderedLog`."""

    def __init__(self, cluster: Cluster, life: Life) -> None:
        self._cluster = cluster
        self._life = life
        self._seen = len(cluster.topic.records)  # the end that the brokers last told us
        self._queue: list[tuple[bytes, asyncio.Future[int]]] = []
        self._sent: list[tuple[bytes, asyncio.Future[int]]] = []
        self._appended = asyncio.Event()
        self._refused = False
        self._closed = False
        self._producer = life.start(self._produce())

    def append(self, record: bytes) -> "asyncio.Future[int]":
        if self._closed:
            raise LogClosed("the log is closed")
        if self._refused and (self._queue or self._sent):
            raise LogUnavailable("no leader")
        durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.append((record, durable))
        self._appended.set()
        return durable

    async def room(self) -> None:
        """There is always room."""

    @property
    def has_room(self) -> bool:
        return True

    async def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        records = self._cluster.topic.records
        while not self._closed:
            await self._cluster.reachable()
            if start < len(records):
                await asyncio.sleep(self._cluster.delay())
                found = [Entry(offset, records[offset]) for offset in range(start, len(records))]
                start += len(found)
                self._seen = max(self._seen, start)
                yield found
            else:
                await self._cluster.changed()

    def start(self) -> int:
        return 0

    def end(self) -> int:
        return self._seen

    def quiet(self, offset: int) -> bool:
        return offset == self._seen and not self._queue and not self._sent

    def illness(self) -> str | None:
        return "no leader" if self._refused else None

    async def close(self) -> None:
        self._closed = True
        self._producer.cancel()
        await asyncio.gather(self._producer, return_exceptions=True)
        _refuse((*self._sent, *self._queue), LogClosed("the log was closed before the brokers answered"))

    async def _produce(self) -> None:
        """One request after the other, which keeps their order."""
        while True:
            while not self._queue:
                self._appended.clear()
                await self._appended.wait()
            self._sent, self._queue = self._queue, []
            try:
                async with asyncio.timeout(DELIVERY_S):
                    first = await self._deliver([record for record, _ in self._sent])
            except TimeoutError:
                self._refused = True
                _refuse(self._sent, LogUnavailable("no leader"))
            else:
                self._refused = False
                self._seen = max(self._seen, first + len(self._sent))
                for offset, (_, durable) in enumerate(self._sent, first):
                    if not durable.done():
                        durable.set_result(offset)
            self._sent = []

    async def _deliver(self, batch: Sequence[bytes]) -> int:
        """The offset of the first record, once the leader has told it. It may go away before it does."""
        if self._cluster.away and self._cluster.loses_answer():
            self._cluster.take(batch)
        await self._cluster.reachable()
        await asyncio.sleep(self._cluster.delay())
        first = self._cluster.take(batch)
        await asyncio.sleep(self._cluster.delay())
        return first


def _refuse(batch: Sequence[tuple[bytes, "asyncio.Future[int]"]], why: Exception) -> None:
    for _, durable in batch:
        if not durable.done():
            durable.set_exception(why)
            durable.exception()  # whoever waits gets it; nobody has to
