"""What went over an HTTP/2 connection, put together again: frames hide what they cut.

Of each stream and direction: its data in one piece, each gRPC message that was packed, unpacked, and the fields of its
headers, which Huffman coding hides.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator

from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PUSH_PROMISE, CONTINUATION = 0, 1, 5, 9
END_HEADERS, PADDED, PRIORITY = 4, 8, 0x20
HEADER_BYTES_MAX = 2**24
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_HEAD = struct.Struct(">BHBBI")  # length in two parts, kind, flags, stream


class NotHttp2(ValueError):
    """A direction of a connection that is something else, or broken."""


def pieces(direction: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of everything in one direction of a connection. A last frame may break off."""
    decoder = Decoder(HEADER_BYTES_MAX)
    decoder.max_allowed_table_size = HEADER_BYTES_MAX
    data: dict[int, bytearray] = defaultdict(bytearray)
    fragments = bytearray()
    for kind, flags, stream, payload in _frames(direction.removeprefix(PREFACE)):
        if kind == DATA:
            data[stream] += _unpadded(payload, flags)
        elif kind in (HEADERS, CONTINUATION):
            body = payload if kind == CONTINUATION else _unpadded(payload, flags)
            fragments += body[5:] if kind == HEADERS and flags & PRIORITY else body
            if flags & END_HEADERS:
                fields = decoder.decode(bytes(fragments), raw=True)
                fragments.clear()
                yield f"headers of stream {stream}", b"\n".join(b"%s: %s" % (name, value) for name, value, *_ in fields)
        elif kind == PUSH_PROMISE:
            raise NotHttp2("gRPC pushes nothing")
    for stream, sent in data.items():
        yield f"stream {stream}", bytes(sent)
        for number, message in enumerate(_packed_messages(bytes(sent))):
            yield f"stream {stream}, packed message {number}", message


def _frames(raw: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    place = 0
    while place + _HEAD.size <= len(raw):
        high, low, kind, flags, stream = _HEAD.unpack_from(raw, place)
        size = high << 16 | low
        payload = raw[place + _HEAD.size : place + _HEAD.size + size]
        place += _HEAD.size + size
        if place <= len(raw) or kind == DATA:  # fields that break off cannot be unpacked
            yield kind, flags, stream & 0x7FFFFFFF, payload


def _unpadded(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED and payload else payload


def _packed_messages(sent: bytes) -> Iterator[bytes]:
    """Messages of a gRPC stream that were packed, unpacked: some formats have no magic number."""
    place = 0
    while place + 5 <= len(sent):
        packed, size = struct.unpack_from(">BI", sent, place)
        message = sent[place + 5 : place + 5 + size]
        place += 5 + size
        if packed == 1:
            yield zlib.decompressobj(GZIP_OR_ZLIB).decompress(message)
