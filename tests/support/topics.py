"""A topic as another Kafka client has it, and the blocks that it makes by Fabric's rules, told without our code."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.support.foreign_client import common

configtx: Any = import_module("fabric_protos.common.configtx_pb2")

PARTITION: Final = 0
KEY: Final = b"0"
UNKNOWN, NORMAL, CONFIG = 0, 1, 2  # KafkaMessageRegular.Class
SIGNATURES: Final = 0  # common.BlockMetadataIndex
CONFIG_HEADER: Final = 1  # common.HeaderType
SECONDS_MAX: Final = 20.0
BYTES_MAX: Final = 2_000_000  # of a record


@dataclass(frozen=True, slots=True)
class Regular:
    """orderer.KafkaMessageRegular."""

    payload: bytes
    sequence: int
    kind: int
    original_offset: int


@dataclass(frozen=True, slots=True)
class TimeToCut:
    """orderer.KafkaMessageTimeToCut."""

    number: int


Records = Sequence[tuple[int, bytes]]  # with their offsets


def read_topic(brokers: Sequence[str], topic: str) -> Records:
    """Everything that is committed in its one partition."""
    consumer = Consumer(
        {"bootstrap.servers": ",".join(brokers), "group.id": "nobody", "enable.auto.commit": False, "log_level": 0}
    )
    with contextlib.closing(consumer):
        start, end = consumer.get_watermark_offsets(TopicPartition(topic, PARTITION), timeout=SECONDS_MAX)
        consumer.assign([TopicPartition(topic, PARTITION, start)])
        records: list[tuple[int, bytes]] = []
        while not records or records[-1][0] < end - 1:
            message = consumer.poll(SECONDS_MAX)
            assert message is not None, f"{topic} ends before {end}"
            assert message.error() is None, message.error()
            records.append((message.offset() or 0, message.value() or b""))
        return records


def write_topic(brokers: Sequence[str], topic: str, records: Sequence[bytes]) -> None:
    """Append records, whatever they are."""
    producer = Producer(
        {"bootstrap.servers": ",".join(brokers), "acks": "all", "message.max.bytes": BYTES_MAX, "log_level": 0}
    )
    for record in records:
        producer.produce(topic, value=record, key=KEY, partition=PARTITION)
    assert producer.flush(SECONDS_MAX) == 0, f"{topic} takes no records"


def read_record(raw: bytes) -> Regular | TimeToCut | None:
    """orderer.KafkaMessage; None for one that makes no block: a Connect, or whatever else is in a topic."""
    try:
        ((number, body),) = _fields(raw)
        inside = dict(_fields(body)) if isinstance(body, bytes) else {}
    except (ValueError, IndexError):
        return None
    if number == 1 and isinstance(inside.get(1), bytes):
        return Regular(inside[1], *(inside.get(field, 0) for field in (2, 3, 4)))
    return TimeToCut(inside.get(1, 0)) if number == 2 else None


def contradictions(records: Records, blocks: Sequence[bytes]) -> list[str]:
    """What an orderer's blocks, from the first on, say otherwise than the topic."""
    found: list[str] = []
    rest = iter(records)
    position, sequence, settled = -1, 0, 0
    for raw in blocks[1:]:
        block = common.Block.FromString(raw)
        number, envelopes, last = block.header.number, list(block.data.data), _last_offset(block)
        if last <= position:
            found.append(f"block {number} ends at {last}, and the one before it at {position}")
        taken = 0
        while position < last:
            position, record = next(rest)
            message = read_record(record)
            if isinstance(message, TimeToCut) and message.number == number and taken and position < last:
                found.append(f"block {number} should end at {position}, where the topic says so, and not at {last}")
            if not isinstance(message, Regular) or message.kind == UNKNOWN or message.sequence != sequence:
                continue  # of another configuration: it comes again, if it still counts
            if 0 < message.original_offset <= settled:
                continue
            settled = max(settled, message.original_offset)
            if taken == len(envelopes) or envelopes[taken] != message.payload:
                found.append(f"block {number} does not have record {position} as its envelope {taken}")
                break
            taken += 1
        if taken < len(envelopes):
            found.append(f"block {number} has {len(envelopes) - taken} envelopes that are not in the topic")
        if found:
            return found
        sequence = _sequence(envelopes[0], sequence)
    return found


def differences(chains: Sequence[Sequence[bytes]]) -> list[int]:
    """Blocks that orderers made otherwise than each other, by number: headers, data, and what they sign."""
    made = [[_without_signatures(raw) for raw in chain] for chain in chains]
    return [number for number, blocks in enumerate(zip(*made, strict=False)) if len(set(blocks)) > 1]


def _without_signatures(raw: bytes) -> tuple[bytes, ...]:
    block = common.Block.FromString(raw)
    header, data = block.header.SerializeToString(deterministic=True), tuple(block.data.data)
    return header, *data, _metadata(block).value


def _metadata(block: Any) -> Any:
    return common.Metadata.FromString(block.metadata.metadata[SIGNATURES])


def _last_offset(block: Any) -> int:
    """KafkaMetadata.last_offset_persisted."""
    signed = common.OrdererBlockMetadata.FromString(_metadata(block).value)
    position = common.Metadata.FromString(signed.consenter_metadata).value
    return int(dict(_fields(position)).get(1, 0))


def _sequence(envelope: bytes, before: int) -> int:
    """Of the configuration in force after a block that begins with this envelope."""
    payload = common.Payload.FromString(common.Envelope.FromString(envelope).payload)
    if common.ChannelHeader.FromString(payload.header.channel_header).type != CONFIG_HEADER:
        return before
    return int(configtx.ConfigEnvelope.FromString(payload.data).config.sequence)


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protobuf message: numbers, and bytes or whole numbers. ValueError, IndexError: it is none."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = raw[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(raw):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 2:
            size = varint()
            if place + size > len(raw):
                raise ValueError("cut short")
            yield tag >> 3, raw[place : place + size]
            place += size
        else:
            raise ValueError("no field of these messages")
