"""Records from a topic, as they come. A thread of its own, which waits on the brokers for as long as it takes."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from services.orderer.kafka import topics
from services.orderer.kafka.connecting import FETCH_WAIT_MS, PARTITION, Connecting
from services.orderer.kafka.gauges import Figures
from services.orderer.kafka.patience import Patience
from services.orderer.log import REMEDY, Entry, LostRecords

POLL_MS = FETCH_WAIT_MS  # in which nothing came: then somebody may have deleted the topic
MISSING_LOOKS_MAX = 30  # brokers know of no topics without a controller: ZooKeeper believes in a killed one for 18 s
LOOK_SECONDS_MAX = 30.0  # until the topic is looked at while records never cease
RECORDS_MAX = 1000  # handed over at a time

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader tells: records, or how the topic is, or why there will be no more."""

    entries: Sequence[Entry] = ()
    survey: topics.Survey | None = None
    illness: str | None = None
    fault: LostRecords | None = None


class Reading:
    """Reads one topic from an offset on, and tells `post` about it, from its thread.

    A new connection begins with the record that was read last: it has to be the same to the byte, and of the same time.
    """

    def __init__(
        self, topic: str, topic_id: str | None, connecting: Connecting, post: Callable[[Found], None], start: int
    ) -> None:
        self._topic = topic
        self._topic_id = topic_id
        self._place = TopicPartition(topic, PARTITION)
        self._connecting = connecting
        self._post = post
        self._next = start
        self._last: Any = None  # the record before it, once one was read
        self._known: Any = None  # the one that comes once more
        self._missing = 0
        self._looked_at = 0.0
        self._consumer: KafkaConsumer | None = None
        self._stopped = threading.Event()
        self._room = threading.Event()
        self._room.set()
        self._thread = threading.Thread(target=self._run, name=f"read-{topic}", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Read no more for now."""
        self._room.clear()

    def resume(self) -> None:
        """Go on reading."""
        self._room.set()

    def stop(self) -> None:
        """End; what is under way may still be told."""
        self._stopped.set()
        self._room.set()

    def figures(self) -> Figures:
        """The client's own metrics, by group and name."""
        consumer = self._consumer
        return consumer.metrics() if consumer is not None else {}

    def _run(self) -> None:
        patience = Patience(self._connecting.config.retry)
        while not self._stopped.is_set():
            before = self._next
            try:
                with ExitStack() as clients:
                    consumer = clients.enter_context(closing(self._connecting.consumer()))
                    admin = clients.enter_context(closing(self._connecting.admin()))
                    self._consumer = consumer
                    found = self._look(admin)
                    consumer.assign([self._place])
                    trimmed = self._last is None or (found is not None and found.start == self._next)
                    self._known = None if trimmed else self._last
                    consumer.seek(self._place, self._next if trimmed else self._last.offset)
                    self._read(consumer, admin)
            except LostRecords as fault:
                self._tell(Found(fault=fault))
                return
            except Exception as error:  # also what the library does not foresee: nobody would see this thread end
                if self._next != before:
                    patience.forget()
                why = str(error) if isinstance(error, KafkaError) else repr(error)
                _log.warning("the brokers cannot be read from", extra={"topic": self._topic, "why": why})
                self._tell(Found(illness=f"no broker can be read from: {why}"))
                self._stopped.wait(patience.pause())

    def _read(self, consumer: KafkaConsumer, admin: KafkaAdminClient) -> None:
        while not self._stopped.is_set():
            self._room.wait()
            try:
                found = consumer.poll(timeout_ms=POLL_MS, max_records=RECORDS_MAX).get(self._place, ())
            except OffsetOutOfRangeError:
                self._look(admin)
                raise
            except LogTruncationError as error:  # a new leader lacks what the one before it gave us
                with suppress(KafkaError):
                    self._look(admin)  # which may tell more
                raise LostRecords(
                    f"topic {self._topic} does not hold all records up to {self._next} any more "
                    f"that were read; {REMEDY}"
                ) from error
            if found:
                self._last = found[-1]
                self._next = self._last.offset + 1
                self._tell(Found([Entry(each.offset, each.value or b"") for each in self._unknown(found)]))
            if not found or time.monotonic() - self._looked_at > LOOK_SECONDS_MAX:
                self._look(admin)

    def _unknown(self, found: Sequence[Any]) -> Sequence[Any]:
        """What was not read over the connection before. Raises LostRecords."""
        known, self._known = self._known, None
        if known is None:
            return found
        first = found[0]
        if (first.offset, first.timestamp, first.value) != (known.offset, known.timestamp, known.value):
            raise LostRecords(
                f"record {known.offset} of topic {self._topic} is another one than was read: the topic was cut off and "
                f"filled again; {REMEDY}"
            )
        return found[1:]

    def _tell(self, found: Found) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._post(found)

    def _look(self, admin: KafkaAdminClient) -> topics.Survey | None:
        """See that the topic is still the same, and how well it is. Raises LostRecords, KafkaError."""
        self._looked_at = time.monotonic()
        found = topics.survey(admin, self._topic)
        self._missing = 0 if found else self._missing + 1
        if found is None and self._missing < MISSING_LOOKS_MAX:
            self._tell(Found(illness=f"the brokers do not know of topic {self._topic}"))
            return None
        topics.check(self._topic, found, self._topic_id, self._next)
        assert found is not None
        if found.start > self._next:
            raise LostRecords(
                f"records {self._next} to {found.start - 1} of topic {self._topic} were removed "
                "before they were read; start this orderer again: it takes the blocks from other orderers"
            )
        self._tell(Found(survey=found, illness=found.illness(self._connecting.config.in_sync_replicas)))
        return found
