"""common.Envelope and what is inside it: payload, headers, timestamps."""

from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.codec.frames import pair
from privysharing.protocol.codec.varint import bytes_field, message_field, number_field
from privysharing.protocol.envelopes import ChannelHeader, Envelope, Header, Payload, SignatureHeader, TxId
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.common import common_pb2
from privysharing.wire.google.protobuf.timestamp_pb2 import Timestamp

NANOSECONDS = 1_000_000_000
ADDRESSES_CACHED_MAX: Final = 64  # of messages that this process sends: a channel and a chaincode each


def parse_envelope(raw: bytes) -> Envelope:
    """Read the two fields of an envelope; either may be empty."""
    if parts := pair(raw):
        return Envelope(parts[0], parts[1], raw)
    message = decode(common_pb2.Envelope, raw)
    return Envelope(message.payload, message.signature, raw)


def parse_and_marshal_envelope(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """An envelope's payload, its signature, and its canonical form: `raw` itself, if that is the one."""
    if parts := pair(raw):
        return parts[0], parts[1], raw
    message = decode(common_pb2.Envelope, raw)
    canonical = message.SerializeToString()
    return message.payload, message.signature, raw if canonical == raw else canonical


def encode_envelope(payload: bytes, signature: bytes) -> bytes:
    """An envelope of these two fields."""
    return bytes_field(b"\x0a", payload) + bytes_field(b"\x12", signature)


def canonical_envelope(raw: bytes) -> bytes:
    """The form in which an orderer stores an envelope; a peer refuses a block with any other.

    It is the envelope marshalled again, and so keeps what we do not know: fields of other numbers, behind our own.
    """
    return parse_and_marshal_envelope(raw)[2]


def split_header(raw: bytes) -> tuple[bytes, bytes] | None:
    """A payload's channel header bytes and signature header bytes, unread; None when it has no header."""
    parts = split_payload(raw)
    return None if parts is None else parts[:2]


def split_payload(raw: bytes) -> tuple[bytes, bytes, bytes] | None:
    """A payload's channel header bytes, signature header bytes and data, unread; None when it has no header."""
    if (parts := pair(raw)) and (headers := pair(parts[0])):
        return headers[0], headers[1], parts[1]
    message = decode(common_pb2.Payload, raw)
    if not message.HasField("header"):
        return None
    return message.header.channel_header, message.header.signature_header, message.data


def parse_payload(raw: bytes) -> Payload:
    """Read a payload together with both of its headers."""
    parts = split_payload(raw)
    if parts is None:
        raise MalformedMessage("payload has no header")
    channel_bytes, signature_bytes, data = parts
    return Payload(join_header(channel_bytes, signature_bytes), data)


def encode_payload(channel_header: bytes, signature_header: bytes, data: bytes) -> bytes:
    """A payload from encoded headers and data."""
    return message_field(b"\x0a", encode_header(channel_header, signature_header)) + bytes_field(b"\x12", data)


def parse_header(raw: bytes) -> Header:
    """Read a common.Header, as a proposal carries it."""
    if parts := pair(raw):
        return join_header(parts[0], parts[1])
    message = decode(common_pb2.Header, raw)
    return join_header(message.channel_header, message.signature_header)


def encode_header(channel_header: bytes, signature_header: bytes) -> bytes:
    """A common.Header from encoded headers."""
    return bytes_field(b"\x0a", channel_header) + bytes_field(b"\x12", signature_header)


def join_header(channel_bytes: bytes, signature_bytes: bytes) -> Header:
    """Read both headers and keep the bytes that they came from."""
    return Header(
        parse_channel_header(channel_bytes), parse_signature_header(signature_bytes), channel_bytes, signature_bytes
    )


def parse_channel_header(raw: bytes) -> ChannelHeader:
    """Read a channel header; empty bytes are a header of defaults, as in protobuf."""
    message = decode(common_pb2.ChannelHeader, raw)
    return ChannelHeader(
        message.type,
        message.channel_id,
        TxId(message.tx_id),
        message.version,
        timestamp_ns(message.timestamp) if message.HasField("timestamp") else None,
        message.epoch,
        message.extension,
        message.tls_cert_hash,
    )


def parse_address(raw: bytes) -> tuple[int, str, int | None]:
    """Of a channel header, what says where an envelope goes: type, channel id, timestamp in nanoseconds."""
    message = decode(common_pb2.ChannelHeader, raw)
    return message.type, message.channel_id, timestamp_ns(message.timestamp) if message.HasField("timestamp") else None


def encode_channel_header(header: ChannelHeader) -> bytes:
    """A channel header; a timestamp of None stays out."""
    stamp = b""
    if header.timestamp_ns is not None:
        seconds, nanos = divmod(header.timestamp_ns, NANOSECONDS)
        stamp = message_field(b"\x1a", number_field(b"\x08", seconds) + number_field(b"\x10", nanos))
    first, channel_id, last = _lasting_fields(
        header.type, header.version, header.channel_id, header.epoch, header.extension, header.tls_cert_hash
    )
    return first + stamp + channel_id + bytes_field(b"\x2a", header.tx_id.encode()) + last


@lru_cache(ADDRESSES_CACHED_MAX)
def _lasting_fields(
    kind: int, version: int, channel_id: str, epoch: int, extension: bytes, tls_cert_hash: bytes
) -> tuple[bytes, bytes, bytes]:
    """What is before, between and behind what no two channel headers of one sender share: their times and ids."""
    return (
        number_field(b"\x08", kind) + number_field(b"\x10", version),
        bytes_field(b"\x22", channel_id.encode()),
        number_field(b"\x30", epoch) + bytes_field(b"\x3a", extension) + bytes_field(b"\x42", tls_cert_hash),
    )


def parse_signature_header(raw: bytes) -> SignatureHeader:
    """Read a signature header."""
    if parts := pair(raw):
        return SignatureHeader(parts[0], parts[1])
    message = decode(common_pb2.SignatureHeader, raw)
    return SignatureHeader(message.creator, message.nonce)


def encode_signature_header(header: SignatureHeader) -> bytes:
    """A signature header."""
    return bytes_field(b"\x0a", header.creator) + bytes_field(b"\x12", header.nonce)


def timestamp(nanoseconds: int) -> Timestamp:
    """google.protobuf.Timestamp of nanoseconds since the epoch."""
    seconds, nanos = divmod(nanoseconds, NANOSECONDS)
    return Timestamp(seconds=seconds, nanos=nanos)


def timestamp_ns(message: Timestamp) -> int:
    """Nanoseconds since the epoch of a google.protobuf.Timestamp."""
    return message.seconds * NANOSECONDS + message.nanos
