"""Messages of bytes fields, taken apart by hand where they are in canonical form.

Most levels of a transaction are two fields of bytes, one of them nearly as large as the whole. To slice them takes a
third of what protobuf takes to copy them into a message, and leaves no memory to be freed in pieces.
"""

from typing import Final

FIELDS_MAX: Final = 34  # of a message that is taken apart here: bytes can be a million fields

_OTHER: Final[tuple[bytes, list[bytes]]] = (b"", [])


def fields(raw: bytes) -> tuple[bytes | bytearray, list[bytes]]:
    """The tags of a message's fields and their contents, in order, if each is length-delimited.

    None at all for what only protobuf can tell: fields that are empty, of other types, longer than 16383 bytes or more
    than FIELDS_MAX, lengths that are not minimal, and bytes that are no message. Tags tell types: whoever finds those
    that he knows, ascending, has the message's canonical form.
    """
    tags, contents = bytearray(), []
    at, end = 0, len(raw)
    try:
        while at < end:
            start, size = at + 2, raw[at + 1]
            if size > 0x7F:
                high = raw[start]
                if not 0 < high < 0x80:
                    return _OTHER
                size += (high - 1) << 7
                start += 1
            tags.append(raw[at])
            at = start + size
            contents.append(raw[start:at])
            if not size or len(contents) > FIELDS_MAX:
                return _OTHER
    except IndexError:
        return _OTHER
    return (tags, contents) if at == end else _OTHER


def pair(raw: bytes) -> tuple[bytes, bytes] | None:
    """The contents of fields 1 and 2, if those are what there is: `fields` for the commonest case."""
    try:
        start, size = 2, raw[1]
        if size > 0x7F:
            start, size, high = 3, size + (raw[2] - 1 << 7), raw[2]
            if not 0 < high < 0x80:
                return None
        stop = start + size
        at, rest = stop + 2, raw[stop + 1]
        if rest > 0x7F:
            at, rest, high = stop + 3, rest + (raw[stop + 2] - 1 << 7), raw[stop + 2]
            if not 0 < high < 0x80:
                return None
        if raw[0] == 0x0A and raw[stop] == 0x12 and size and rest and at + rest == len(raw):
            return raw[start:stop], raw[at:]
    except IndexError:
        pass
    return None
