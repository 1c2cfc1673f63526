"""All byte strings that a value could stand for on a disk, on a wire or in memory."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator

from tests.canary.canaries import Canary

PATTERN_BYTES_MIN = 8  # shorter ones are found where nobody wrote them


def patterns(canary: Canary) -> dict[bytes, str]:
    """What to look for, and which encoding each is."""
    found: dict[bytes, str] = {}
    for form in canary.forms:
        for pattern, encoding in _encodings(form):
            found.setdefault(pattern, encoding)
    if canary.hashed:
        digest = hashlib.sha256(canary.forms[0]).digest()
        for pattern, encoding in _binary(digest):
            found.setdefault(pattern, f"SHA-256, {encoding}")
    return {pattern: encoding for pattern, encoding in found.items() if len(pattern) >= PATTERN_BYTES_MIN}


def _encodings(value: bytes) -> Iterator[tuple[bytes, str]]:
    yield from _binary(value)
    yield from _percent(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield from _texts(text)


def _binary(value: bytes) -> Iterator[tuple[bytes, str]]:
    """Of any bytes."""
    yield value, "raw"
    yield value[::-1], "reversed"
    yield repr(value)[2:-1].encode(), "Python's repr"
    for digits in (value.hex(), value.hex().upper()):
        yield digits.encode(), "hex"
    for offset in range(3):
        coded = _base64_at(value, offset)
        for name, variant in (("base64", coded), ("base64, url-safe", coded.translate(_URL_SAFE))):
            yield variant, f"{name} at {offset}"
            yield variant.replace(b"+", b"\\u002b").replace(b"/", b"\\/"), f"{name} at {offset}, JSON"
            yield variant.replace(b"+", b"%2B").replace(b"/", b"%2F"), f"{name} at {offset}, percent"


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64_at(value: bytes, offset: int) -> bytes:
    """The characters that depend on `value` alone when it stands so many bytes behind a multiple of three."""
    coded = base64.b64encode(bytes(offset) + value)
    first = -(-offset * 8 // 6)  # of these, some bits come from what is before
    last = (offset + len(value)) * 8 // 6  # and behind
    return coded[first:last]


def _percent(value: bytes) -> Iterator[tuple[bytes, str]]:
    for safe in ("", "/", "/\"\\<>µ !$&'()*+,:;=?@~"):
        quoted = urllib.parse.quote(value, safe=safe).encode()
        yield quoted, "percent"
        yield quoted.replace(b"%20", b"+"), "percent"
    every = "".join(f"%{byte:02X}" for byte in value)
    yield every.encode(), "percent"
    yield every.lower().encode(), "percent"
    yield "".join(f"\\x{byte:02x}" for byte in value).encode(), "escaped bytes"
    yield "".join(f"\\{byte:03o}" for byte in value).encode(), "octal bytes, as protobuf prints them"


def _texts(text: str) -> Iterator[tuple[bytes, str]]:
    for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield text.encode(name), name.upper()
    yield text.encode("latin-1", "replace"), "Latin-1"
    yield text[::-1].encode(), "reversed text"
    for ascii_only in (True, False):
        plain = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        for escaped in (plain, plain.replace("/", "\\/"), plain.replace("<", "\\u003c"), plain.replace("<", "\\u003C")):
            yield escaped.encode(), "JSON"
            yield json.dumps(escaped)[1:-1].encode(), "JSON in JSON"
    units = [text.encode("utf-16-be")[place : place + 2].hex() for place in range(0, 2 * len(text), 2)]
    for every in ("".join(f"\\u{unit}" for unit in units), "".join(f"\\u{unit.upper()}" for unit in units)):
        yield every.encode(), "JSON, all escaped"
    yield repr(text)[1:-1].encode(), "Python's repr"
