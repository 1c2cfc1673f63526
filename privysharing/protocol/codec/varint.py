"""Fields of protobuf written by hand: for where bytes are framed without a message around them.

Most messages of a transaction are one or two fields of bytes, and are written many times a second: to frame them takes
a third of what it takes to make a message and to serialize it.
"""

from typing import Final

_UINT64_MAX: Final = 2**64 - 1
_LAST: Final = tuple(bytes([seven]) for seven in range(0x80))
_MORE: Final = tuple(bytes([seven | 0x80]) for seven in range(0x80))
_SHORT: Final = (*_LAST, *(_MORE[number & 0x7F] + _LAST[number >> 7] for number in range(0x80, 8192)))  # most there are


def encode_varint(number: int) -> bytes:
    """A non-negative number, seven bits a byte, the lowest first."""
    return _SHORT[number] if number < 8192 else _MORE[number & 0x7F] + encode_varint(number >> 7)


def message_field(tag: bytes, message: bytes) -> bytes:
    """A field that is there: a message, or one of repeated bytes, which may be empty."""
    return tag + encode_varint(len(message)) + message


def bytes_field(tag: bytes, content: bytes) -> bytes:
    """A field of bytes, which protobuf leaves out when it is empty."""
    return tag + encode_varint(len(content)) + content if content else b""


def number_field(tag: bytes, number: int) -> bytes:
    """A field of a number, which protobuf leaves out when it is zero, and writes in ten bytes when it is negative."""
    return tag + encode_varint(number & _UINT64_MAX) if number else b""
