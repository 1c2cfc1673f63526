"""Protobuf's wire format without any schema: fields, and messages inside of fields as far as bytes look like some."""

from collections.abc import Sequence
from dataclasses import dataclass

from privysharing.protocol.codec.varint import encode_varint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIELD_NUMBER_MAX = 2**29 - 1
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


@dataclass(slots=True)
class Field:
    """One field as it stands in a message. `value` is a number for VARINT, and bytes for everything else."""

    number: int
    kind: int
    value: int | bytes

    def encode(self) -> bytes:
        """Tag and value."""
        tag = encode_varint(self.number << 3 | self.kind)
        if isinstance(self.value, int):
            return tag + encode_varint(self.value)
        return tag + (encode_varint(len(self.value)) if self.kind == BYTES else b"") + self.value


def encode(fields: Sequence[Field]) -> bytes:
    """A message of these fields, in this order."""
    return b"".join(field.encode() for field in fields)


def parse(raw: bytes) -> list[Field] | None:
    """The fields of a message; None for bytes that cannot be one. No bytes are a message of no field."""
    fields = []
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, kind = tag >> 3, tag & 7
        if at < 0 or not 0 < number <= FIELD_NUMBER_MAX:
            return None
        if kind == VARINT:
            value, at = _varint(raw, at)
            if at < 0:
                return None
            fields.append(Field(number, kind, value))
            continue
        size = _FIXED_SIZES.get(kind, -1)
        if kind == BYTES:
            size, at = _varint(raw, at)
        if size < 0 or at < 0 or at + size > len(raw):
            return None
        fields.append(Field(number, kind, raw[at : at + size]))
        at += size
    return fields


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """A number and what comes after it; -1 for what is no number of 64 bits."""
    number = shift = 0
    while at < len(raw) and shift < 64:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number, at) if number < 2**64 else (0, -1)
        shift += 7
    return 0, -1
