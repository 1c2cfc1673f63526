"""The embedded log of a channel becomes a topic, record by record: every offset stays what it is, so every block does.

May be broken off at any moment and run again: what the topic holds already is compared, and only the rest is copied.
The log's folder is set aside at the very end, after the whole topic has been read again; only from then on does an
orderer take the topic, and it never takes the folder again.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from kafka import TopicPartition
from kafka.errors import KafkaError

from services.orderer.kafka import topics
from services.orderer.kafka.connecting import KEY, PARTITION, Connecting
from services.orderer.kafka.ordering import ASIDE, TOPIC_ID
from services.runtime.disk import Disk, StorageError, write_whole
from services.runtime.recordlog import RecordLog

COPIED_AT_ONCE = 500  # records
POLL_MS = 1000

Tell = Callable[[int, int], None]
"""Told of so many records, of so many."""


class NotTheSame(StorageError):
    """The topic holds something that the log does not."""


def migrate(
    disk: Disk, folder: Path, channel_id: str, connecting: Connecting, envelope_bytes_max: int, tell: Tell
) -> int:
    """Copy a log, and set it aside; how many records it has. Raises NotTheSame, StorageError, KafkaError."""
    log = RecordLog.open(disk, folder)
    try:
        log.sync()
        with closing(connecting.admin()) as admin:
            found = topics.survey(admin, channel_id) or topics.make(
                admin, channel_id, connecting.config, envelope_bytes_max
            )
        if found is None:
            raise KafkaError(f"topic {channel_id} was made, and the brokers do not know of it yet; run it again")
        if found.start != 0 or found.end > log.count:
            raise NotTheSame(f"topic {channel_id} has records {found.start} to {found.end}; the log has {log.count}")
        _compare(log, channel_id, found.end, connecting)
        _copy(log, channel_id, found.end, connecting, tell)
        _compare(log, channel_id, log.count, connecting)
        count = log.count
    finally:
        log.close()
    if found.id is not None:
        write_whole(disk, folder.with_name(folder.name + TOPIC_ID), found.id.encode())
    disk.rename(folder, folder.with_name(folder.name + ASIDE))
    disk.sync_folder(folder.parent)
    return count


def _copy(log: RecordLog, topic: str, first: int, connecting: Connecting, tell: Tell) -> None:
    """With a client that repeats nothing, since a record more would move all those behind it."""
    with closing(connecting.producer(repeats=False)) as producer:
        for start in range(first, log.count, COPIED_AT_ONCE):
            stop = min(log.count, start + COPIED_AT_ONCE)
            sent = [producer.send(topic, record, key=KEY, partition=PARTITION) for record in log.iterate(start, stop)]
            for offset, future in enumerate(sent, start):
                found = future.get(timeout=connecting.config.retry.read_timeout_s).offset
                if found != offset:
                    raise NotTheSame(f"record {offset} got offset {found} in topic {topic}: somebody else writes to it")
            tell(stop, log.count)


def _compare(log: RecordLog, topic: str, stop: int, connecting: Connecting) -> None:
    """Raises NotTheSame unless the topic begins with the log's records up to this one."""
    if stop == 0:
        return
    expected = enumerate(log.iterate(0, stop))
    for offset, record in _topic(topic, stop, connecting):
        if next(expected) != (offset, record):
            raise NotTheSame(f"record {offset} of topic {topic} is another one than in the log; it must be empty")


def _topic(topic: str, stop: int, connecting: Connecting) -> Iterator[tuple[int, bytes]]:
    place = TopicPartition(topic, PARTITION)
    with closing(connecting.consumer()) as consumer:
        consumer.assign([place])
        consumer.seek(place, 0)
        offset = 0
        while offset < stop:
            found = consumer.poll(timeout_ms=POLL_MS).get(place, ())
            if not found and consumer.end_offsets([place])[place] < stop:
                raise NotTheSame(f"topic {topic} ends before record {stop}: it lost what it had taken")
            for record in found:
                if record.offset < stop:
                    yield record.offset, record.value or b""
                offset = record.offset + 1
