"""orderer.KafkaMessage and orderer.KafkaMetadata: records of an ordering log, and a block's place in it."""

from functools import lru_cache

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.varint import encode_varint
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.ordering import Connect, LogPosition, Record, RecordClass, Regular, TimeToCut
from privysharing.wire.orderer import kafka_pb2

_REGULAR_TAG = b"\x0a"  # KafkaMessage.regular, field 1, length-delimited
_ENVELOPE_TAG = b"\x0a"  # KafkaMessageRegular.payload, likewise


def parse_record(raw: bytes) -> Record:
    """Read a record. A class that we do not know is refused like anything else that is no record."""
    message = decode(kafka_pb2.KafkaMessage, raw)
    kind = message.WhichOneof("Type")
    if kind == "regular":
        regular = message.regular
        # getattr: the field is named with a keyword of Python
        number = getattr(regular, "class")
        if number not in RecordClass._value2member_map_:
            raise MalformedMessage(f"record of class {number}")
        return Regular(regular.payload, regular.config_seq, RecordClass(number), regular.original_offset)
    if kind == "time_to_cut":
        return TimeToCut(message.time_to_cut.block_number)
    if kind == "connect":
        return Connect()
    raise MalformedMessage("not a record of an ordering log")


def encode_record(record: Record) -> bytes:
    """A record. An envelope is put into its frame without a message being built around it."""
    if isinstance(record, Regular):
        fields = _encode_fields(record.config_sequence, record.kind, record.original_offset)
        head = _ENVELOPE_TAG + encode_varint(len(record.envelope)) if record.envelope else b""
        size = encode_varint(len(head) + len(record.envelope) + len(fields))
        return b"".join((_REGULAR_TAG, size, head, record.envelope, fields))
    message = kafka_pb2.KafkaMessage()
    if isinstance(record, TimeToCut):
        message.time_to_cut.block_number = record.block_number
    else:
        message.connect.SetInParent()
    return message.SerializeToString()


@lru_cache(maxsize=16)
def _encode_fields(config_sequence: int, kind: RecordClass, original_offset: int) -> bytes:
    """A KafkaMessageRegular but for its envelope: mostly that of the record before."""
    message = kafka_pb2.KafkaMessageRegular(config_seq=config_sequence, original_offset=original_offset)
    setattr(message, "class", kind)  # the field is named with a keyword of Python
    return message.SerializeToString()


def parse_log_position(raw: bytes) -> LogPosition:
    """Read what a block remembers of its place in the log."""
    message = decode(kafka_pb2.KafkaMetadata, raw)
    return LogPosition(
        message.last_offset_persisted, message.last_original_offset_processed, message.last_resubmitted_config_offset
    )


def encode_log_position(position: LogPosition) -> bytes:
    """What a block remembers of its place in the log."""
    return kafka_pb2.KafkaMetadata(
        last_offset_persisted=position.last_offset,
        last_original_offset_processed=position.last_original_offset,
        last_resubmitted_config_offset=position.last_resubmitted_config,
    ).SerializeToString()
