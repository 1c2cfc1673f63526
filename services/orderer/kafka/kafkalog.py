"""The ordered log of several orderers: a topic, seen from the event loop of one of them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from kafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.ordering import Connect
from services.orderer.kafka import topics
from services.orderer.kafka.aside import Aside
from services.orderer.kafka.connecting import Connecting
from services.orderer.kafka.gauges import Figures, KafkaGauges
from services.orderer.kafka.patience import Patience
from services.orderer.kafka.producing import Producing
from services.orderer.kafka.reading import MISSING_LOOKS_MAX, Found, Reading
from services.orderer.kafka.topics import Survey
from services.orderer.log import Entry, LogClosed, LogUnavailable, LostRecords
from services.orderer.log.appends import Appends, Batch, refuse
from services.runtime.handover import Handover

UNREAD_BYTES_MAX = 64 * 1024 * 1024  # read from the brokers and not yet taken: beyond it, nothing more is read
CLOSING_S = 2.0  # for what is under way to be acknowledged

_AWAY = "the brokers of the ordering log do not answer; try again later"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the log of a channel has to be.

    `next_offset`: 0 for a channel that has no blocks from it yet. `topic_id`: of the topic that it was, if it was one.
    """

    channel_id: str
    next_offset: int
    envelope_bytes_max: int
    topic_id: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether there need be no topic yet."""
        return self.next_offset == 0 and self.topic_id is None


class KafkaLog:
    """See `OrderedLog`. Open it inside the event loop that uses it."""

    def __init__(
        self, channel_id: str, found: Survey, connecting: Connecting, gauges: KafkaGauges, aside: Aside
    ) -> None:
        self._topic = channel_id
        self._start = found.start
        self._end = found.end
        self._newest_own = found.end - 1  # what we append stands behind it
        self._topic_id = found.id
        self._connecting = connecting
        self._gauges = gauges
        self._producing = Producing(channel_id, connecting.producer, connecting.config.delivery_timeout_s)
        self._aside = aside
        self._appends = Appends()
        self._handover: Handover[Found] = Handover(self._take_all)
        self._reading: Reading | None = None
        self._unread: deque[Sequence[Entry]] = deque()
        self._unread_bytes = 0
        self._grown = asyncio.Event()
        self._closed = False
        self._fault: LostRecords | None = None
        self._refused: str | None = None  # why the last records were not acknowledged
        self._unwell: str | None = None  # what the reader says
        self._writer = asyncio.create_task(self._write())

    @classmethod
    async def open(
        cls,
        wanted: Wanted,
        connecting: Connecting,
        gauges: KafkaGauges,
        tell: Callable[[str], None] = lambda _why: None,
    ) -> "KafkaLog":
        """Find the topic, or make it for a new channel; wait for brokers as long as it takes. Raises LostRecords.

        A CONNECT goes into it, as Fabric's orderers put one: it shows that the brokers take records. `tell`: told why
        they do not yet.
        """
        aside = Aside(f"log-{wanted.channel_id}")
        search = _Search(wanted, connecting, aside, tell)
        try:
            found = await search.topic()
        except BaseException:
            aside.close()
            raise
        log = cls(wanted.channel_id, found, connecting, gauges, aside)
        try:
            while True:
                try:
                    log._end = max(log._end, await log.append(encode_record(Connect())) + 1)
                except LogUnavailable as error:
                    await search.rest(error)
                else:
                    return log
        except BaseException:
            await log.close()
            raise

    @property
    def topic_id(self) -> str | None:
        """Of the topic; None when the brokers are too old to tell one from the next of its name."""
        return self._topic_id

    def append(self, record: bytes) -> asyncio.Future[int]:
        """See `OrderedLog.append`. While the brokers do not answer, one batch at a time finds out whether they do."""
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise LogClosed("the log is closed")
        if self._refused is not None and not self._appends.none:
            raise LogUnavailable(_AWAY)
        return self._appends.put(record)

    async def room(self) -> None:
        """See `OrderedLog.room`."""
        await self._appends.room()

    @property
    def has_room(self) -> bool:
        """See `OrderedLog.has_room`."""
        return self._appends.has_room

    async def entries(self, start: int) -> AsyncIterator[Sequence[Entry]]:
        """See `OrderedLog.entries`."""
        assert self._reading is None, "a log has one reader"
        self._reading = Reading(self._topic, self._topic_id, self._connecting, self._handover.post, start)
        while True:
            if self._unread:
                found = self._unread.popleft()
                self._unread_bytes -= sum(len(entry.record) for entry in found)
                if self._unread_bytes <= UNREAD_BYTES_MAX:
                    self._reading.resume()
                yield found
            elif self._fault is not None:
                raise self._fault
            elif self._closed:
                return
            else:
                self._grown.clear()
                await self._grown.wait()

    def start(self) -> int:
        """See `OrderedLog.start`: as it was when the log was opened."""
        return self._start

    def end(self) -> int:
        """See `OrderedLog.end`: as far as we have heard of it."""
        return self._end

    def quiet(self, offset: int) -> bool:
        """See `OrderedLog.quiet`; what other orderers have on its way is not known here."""
        return offset >= self._end and self._appends.none

    def illness(self) -> str | None:
        """See `OrderedLog.illness`."""
        return str(self._fault) if self._fault else self._unwell or self._refused

    async def close(self) -> None:
        """See `OrderedLog.close`. What no broker has acknowledged soon stays unacknowledged."""
        if self._closed:
            return
        self._closed = True
        self._appends.close()
        self._grown.set()
        await asyncio.wait([self._writer], timeout=CLOSING_S)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        refuse(self._appends.take(), LogUnavailable("the orderer stops"))
        if self._reading is not None:
            self._reading.stop()
        self._aside.close(self._producing.close)

    async def _write(self) -> None:
        """Send, again and again, whatever has been appended meanwhile."""
        while await self._appends.some():
            batch = self._appends.take()
            records = [record for record, _ in batch]
            try:
                outcomes = await self._aside.do(partial(self._producing.send, records))
            except asyncio.CancelledError:
                refuse(batch, LogUnavailable("the orderer stops"))
                raise
            self._appends.written()
            self._settle(batch, outcomes)
            self._gauges.look(self._topic, self._producing.figures, self._read_figures)

    def _settle(self, batch: Batch, outcomes: Sequence[int | KafkaError]) -> None:
        """Tell everybody what came of his record."""
        refused = None
        for (_, durable), sent in zip(batch, outcomes, strict=True):
            outcome = self._in_this_log(sent)
            if isinstance(outcome, int):
                self._end = max(self._end, outcome + 1)
                if not durable.done():
                    durable.set_result(outcome)
                continue
            if not isinstance(outcome, MessageSizeTooLargeError):
                refused = f"the brokers did not acknowledge a record: {outcome}"
            refuse([(b"", durable)], LogUnavailable(f"the brokers did not acknowledge it: {outcome}"))
        if (refused is None) != (self._refused is None):
            self._report(refused)
        self._refused = refused

    def _in_this_log(self, outcome: int | KafkaError) -> int | KafkaError:
        """A record's place, unless this is not, or no longer, the log that our records before it went to."""
        if isinstance(outcome, int) and self._fault is None:
            if outcome > self._newest_own:
                self._newest_own = outcome
                return outcome
            self._fail(topics.begun_anew(self._topic, outcome, self._newest_own))
        return outcome if self._fault is None else KafkaError(str(self._fault))

    def _fail(self, fault: LostRecords) -> None:
        self._fault = fault
        self._grown.set()

    def _read_figures(self) -> Figures:
        return self._reading.figures() if self._reading is not None else {}

    def _report(self, refused: str | None) -> None:
        if refused is None:
            _log.info("the brokers take records again", extra={"topic": self._topic})
        else:
            _log.error("the brokers take no records", extra={"topic": self._topic, "why": refused})

    def _take_all(self, found: Sequence[Found]) -> None:
        """What the reader tells, on the event loop."""
        for each in found:
            self._take(each)

    def _take(self, found: Found) -> None:
        self._unwell = found.illness
        if found.survey is not None:
            self._gauges.show_replicas(self._topic, found.survey.replicas, found.survey.in_sync)
        if found.fault is not None:
            self._fail(found.fault)
        if found.entries:
            self._end = max(self._end, found.entries[-1].offset + 1)
            self._unread.append(found.entries)
            self._unread_bytes += sum(len(entry.record) for entry in found.entries)
            if self._unread_bytes > UNREAD_BYTES_MAX and self._reading is not None:
                self._reading.pause()
        self._grown.set()


def _find(wanted: Wanted, connecting: Connecting) -> Survey:
    """The topic as it is, which is made for a new channel. Blocks. Raises KafkaError, LostRecords."""
    name = wanted.channel_id
    with closing(connecting.admin()) as admin:
        found = topics.survey(admin, name)
        if found is None and wanted.is_new:
            with connecting.alone(name):
                found = topics.survey(admin, name) or topics.make(
                    admin, name, connecting.config, wanted.envelope_bytes_max
                )
        if found is None:
            raise UnknownTopicOrPartitionError(f"the brokers do not know of topic {name}")
    topics.check(name, found, wanted.topic_id, wanted.next_offset)
    return found


class _Search:
    """Looks for a topic until it is found."""

    def __init__(self, wanted: Wanted, connecting: Connecting, aside: Aside, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._wanted = wanted
        self._connecting = connecting
        self._patience = Patience(connecting.config.retry)
        self._aside = aside
        self._missing = 0

    async def topic(self) -> Survey:
        """The topic as it is. Raises LostRecords."""
        while True:
            try:
                return await self._aside.do(partial(_find, self._wanted, self._connecting))
            except UnknownTopicOrPartitionError as error:
                self._missing += 1
                if self._missing == MISSING_LOOKS_MAX and not self._wanted.is_new:
                    topics.check(self._wanted.channel_id, None, None, 0)
                await self.rest(error)
            except KafkaError as error:
                await self.rest(error)

    async def rest(self, why: Exception) -> None:
        """Wait before the next attempt, and say why."""
        self._tell(str(why))
        _log.warning("no brokers to order with yet", extra={"topic": self._wanted.channel_id, "why": str(why)})
        await asyncio.sleep(self._patience.pause())
