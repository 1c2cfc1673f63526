"""A channel's topic on real brokers, as orderers use it and as strangers may."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatchBuilder

from deploy.kafka.cluster import Cluster
from privysharing.protocol.codec.ordering import parse_record
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.ordering import Connect
from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.connecting import KEY, PARTITION, Connecting
from services.orderer.kafka.gauges import KafkaGauges
from services.orderer.kafka.kafkalog import KafkaLog, Wanted
from services.orderer.kafka.patience import Retry
from services.orderer.log import Entry, OrderedLog
from services.runtime.metrics import Registry
from tests.support.nodes import until

ENVELOPE_BYTES_MAX = 2 * 1024 * 1024
QUICK = Retry(short_interval_s=0.2, dial_timeout_s=2.0, read_timeout_s=3.0, producer_backoff_s=0.05)
_names = itertools.count(1)


def new_topic() -> str:
    """A name that nobody has used."""
    return f"channel{next(_names)}"


def connecting(cluster: Cluster, delivery_timeout_s: float = 5.0) -> Connecting:
    """How orderers reach the brokers in tests: they are patient for shorter than otherwise."""
    config = KafkaConfig(replication_factor=1, delivery_timeout_s=delivery_timeout_s, retry=QUICK)
    return Connecting(config, lambda: cluster.bootstrap)


async def open_log(clients: Connecting, topic: str, next_offset: int = 0, registry: Registry | None = None) -> KafkaLog:
    """An orderer's view of a topic."""
    gauges = KafkaGauges(registry or Registry(), asyncio.get_running_loop().time)
    return await KafkaLog.open(Wanted(topic, next_offset, ENVELOPE_BYTES_MAX), clients, gauges)


async def take(log: OrderedLog, start: int, count: int, timeout_s: float = 20.0) -> list[Entry]:
    """So many records from an offset on that are not CONNECT."""
    found: list[Entry] = []
    async with asyncio.timeout(timeout_s):
        async for entries in log.entries(start):
            found += [entry for entry in entries if not _is_connect(entry.record)]
            if len(found) >= count:
                break
    return found


def admin(cluster: Cluster) -> Any:
    """A client that may do anything to a topic; a context that closes it."""
    return closing(KafkaAdminClient(bootstrap_servers=list(cluster.bootstrap)))


async def make_again(cluster: Cluster, topic: str) -> None:
    """Delete a topic, and make one of its name."""
    with admin(cluster) as client:
        client.delete_topics([topic])
        await until(lambda: not client.describe_topics([topic])[0]["partitions"])
        await asyncio.sleep(1)
        client.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)


def write(cluster: Cluster, topic: str, records: Sequence[bytes | None], compression: str | None = None) -> None:
    """Records of a stranger's."""
    with closing(
        KafkaProducer(
            bootstrap_servers=list(cluster.bootstrap), compression_type=compression, max_request_size=64 * 1024 * 1024
        )
    ) as producer:
        for sent in [producer.send(topic, record, key=KEY, partition=PARTITION) for record in records]:
            sent.get(timeout=10)


class _OddBatch(DefaultRecordBatchBuilder):  # type: ignore[misc]  # which has no types
    """Of one short record, whose attributes mean nothing, and whose header's key is no text. Brokers take it."""

    def _maybe_compress(self) -> bool:
        self._buffer[self.HEADER_STRUCT.size + 1] = 0x80
        at = self._buffer.index(b"strange")
        self._buffer[at : at + 7] = b"\xff" * 7
        return bool(super()._maybe_compress())


def write_odd(cluster: Cluster, topic: str, record: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of a stranger's whose attributes mean nothing, and whose header's key is no text: brokers take it."""
    with closing(KafkaProducer(bootstrap_servers=list(cluster.bootstrap))) as producer, monkeypatch.context() as patch:
        patch.setattr(memory_records, "DefaultRecordBatchBuilder", _OddBatch)
        producer.send(topic, record, key=KEY, partition=PARTITION, headers=[("strange", b"")]).get(timeout=10)


def read(cluster: Cluster, topic: str) -> list[Entry]:
    """The whole topic, as another client reads it."""
    place = TopicPartition(topic, PARTITION)
    with closing(KafkaConsumer(bootstrap_servers=list(cluster.bootstrap), group_id=None)) as consumer:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end = consumer.end_offsets([place])[place]
        found: list[Entry] = []
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=1000).values():
                found += [Entry(record.offset, record.value or b"") for record in records]
    return found


def _is_connect(record: bytes) -> bool:
    try:
        return isinstance(parse_record(record), Connect)
    except MalformedMessage:
        return False
