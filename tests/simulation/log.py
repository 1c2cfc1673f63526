"""The ordering log that several orderers share, as a cluster of brokers keeps it: durable whatever happens to them.

As with Kafka, a producer whose acknowledgement was lost may have its record in the log all the same, and a retry may
put it there twice; the order of records never changes, and everybody reads the same.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from services.orderer.log import Entry, LogClosed, LogPlace
from tests.simulation.loop import Life, SimulatedLoop, current_life

BROKER_S = 0.002  # mean time to the brokers, and back
REPEATED_SHARE = 0.03  # records that a retry put into the log twice


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

    def take(self, record: bytes) -> int:
        """Put a record into the log; its offset."""
        self.topic.records.append(record)
        if self._chance.random() < REPEATED_SHARE:
            self.met["log: record repeated"] += 1
            self.topic.records.append(record)
        self._wake()
        return len(self.topic.records) - 1

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class SharedLog:
    """See `services.orderer.log.OrderedLog`."""

    def __init__(self, cluster: Cluster, life: Life) -> None:
        self._cluster = cluster
        self._life = life
        self._seen = len(cluster.topic.records)  # the end that the brokers last told us
        self._unanswered: list[asyncio.Future[int]] = []
        self._line: asyncio.Queue[tuple[bytes, asyncio.Future[int]]] = asyncio.Queue()
        self._closed = False
        self._producer = life.start(self._produce())

    def append(self, record: bytes) -> "asyncio.Future[int]":
        if self._closed:
            raise LogClosed("the log is closed")
        durable: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unanswered.append(durable)
        self._line.put_nowait((record, durable))
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
        return offset == self._seen and not self._unanswered

    def illness(self) -> str | None:
        return None

    async def close(self) -> None:
        self._closed = True
        self._producer.cancel()
        await asyncio.gather(self._producer, return_exceptions=True)
        for durable in self._unanswered:
            if not durable.done():
                durable.set_exception(LogClosed("the log was closed before the brokers answered"))
                durable.exception()

    async def _produce(self) -> None:
        """One request after the other, which keeps their order."""
        while True:
            record, durable = await self._line.get()
            await self._cluster.reachable()
            await asyncio.sleep(self._cluster.delay())
            offset = self._cluster.take(record)
            await asyncio.sleep(self._cluster.delay())
            self._unanswered.remove(durable)
            if not durable.done():
                durable.set_result(offset)
