"""Record batches as brokers take them from anybody, read without the library's demands on what orderers never write.

It would stop for good at a record that a stranger put in: at one with a header whose key is not UTF-8, which brokers do
not look at, or with attributes that have no meaning yet, which it takes for a number of several bytes.
"""

from kafka.record import memory_records
from kafka.record.default_records import ControlRecord, DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

ATTRIBUTES_BYTES = 1


class Batch(DefaultRecordBatch):  # type: ignore[misc]  # which has no types
    """Its records are without their headers."""

    _pos: int

    def _read_msg(self) -> DefaultRecord:
        buffer = self._buffer
        size, start = decode_varint(buffer, self._pos)
        since_first, place = decode_varint(buffer, start + ATTRIBUTES_BYTES)
        offset_delta, place = decode_varint(buffer, place)
        key, place = _part(buffer, place)
        value, _ = _part(buffer, place)
        self._pos = start + size
        by_broker = self.timestamp_type == self.LOG_APPEND_TIME
        timestamp = self.max_timestamp if by_broker else self.first_timestamp + since_first
        kind = ControlRecord if self.is_control_batch else DefaultRecord
        return kind(size, self.base_offset + offset_delta, timestamp, self.timestamp_type, key, value, [])


def _part(buffer: bytes, place: int) -> tuple[bytes | None, int]:
    size, place = decode_varint(buffer, place)
    return (None, place) if size < 0 else (bytes(buffer[place : place + size]), place + size)


def read_all_that_brokers_take() -> None:
    """Have the library read this way, in this process."""
    memory_records.DefaultRecordBatch = Batch
