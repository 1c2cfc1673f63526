"""Every canary is found in every encoding, in whatever it is packed; and nothing is found where nothing is."""

import base64
import gzip
import hashlib
import json
import os
import random
import urllib.parse
import zlib
from collections.abc import Callable

import cramjam
import pytest

from tests.canary import search
from tests.canary.canaries import Canary, bytes_canary, number_canary, text_canary, word_canary
from tests.canary.search import Search

TEXT = text_canary("text")
CANARIES = [TEXT, word_canary("word"), bytes_canary("bytes"), bytes_canary("short", 16), number_canary("number")]
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64 of something before it": lambda value: base64.b64encode(b"1" + value + b"behind"),
    "base64 of more before it": lambda value: base64.b64encode(b"12" + value + b"behind"),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(b"1" + value),
    "base64 in JSON": lambda value: json.dumps({"v": base64.b64encode(b"12" + value).decode()}).encode(),
    "percent": lambda value: urllib.parse.quote_from_bytes(value, safe="").encode(),
    "every byte percent": lambda value: "".join(f"%{byte:02x}" for byte in value).encode(),
    "reversed": lambda value: value[::-1],
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zlib, hardly": lambda value: zlib.compress(value, 0),
    "gzip that breaks off": lambda value: gzip.compress(value + random.Random(1).randbytes(100_000))[:-50_000],
    "snappy": lambda value: bytes(cramjam.snappy.compress(b"and " + value)) + b"something behind",
    "gzip in zlib": lambda value: zlib.compress(b"in" + gzip.compress(value)),
    "SHA-256": lambda value: hashlib.sha256(value).digest(),
    "SHA-256 as hex": lambda value: hashlib.sha256(value).hexdigest().encode(),
    "SHA-256 as HEX": lambda value: hashlib.sha256(value).hexdigest().upper().encode(),
    "SHA-256 as base64": lambda value: base64.b64encode(b"1" + hashlib.sha256(value).digest()),
    "repr": lambda value: repr(value).encode(),
}
TEXT_ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "JSON": lambda text: json.dumps({"v": text}).encode(),
    "JSON that is UTF-8": lambda text: json.dumps({"v": text}, ensure_ascii=False).encode(),
    "JSON in JSON": lambda text: json.dumps({"v": json.dumps([text])}).encode(),
    "JSON as Go writes it": lambda text: json.dumps(text, ensure_ascii=False).replace("<", "\\u003c").encode(),
    "JSON, all escaped": lambda text: "".join(f"\\u{ord(one):04x}" for one in text).encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big endian": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "a form": lambda text: urllib.parse.urlencode({"v": text}).encode(),
    "percent in JSON": lambda text: json.dumps(urllib.parse.quote(text)).encode(),
    "repr": lambda text: repr(text).encode(),
}


def found(content: bytes) -> set[str]:
    return {finding.canary for finding in Search(CANARIES).find("here", content)}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_a_canary_is_found_in_every_encoding(canary: Canary, encoding: str) -> None:
    assert found(b"before " + ENCODINGS[encoding](canary.forms[0]) + b" behind") == {canary.name}


@pytest.mark.parametrize("encoding", TEXT_ENCODINGS)
def test_text_is_found_however_it_is_escaped(encoding: str) -> None:
    assert found(b"before" + TEXT_ENCODINGS[encoding](TEXT.text) + b" behind") == {"text"}


def test_one_half_of_a_text_is_enough() -> None:
    assert found(TEXT.forms[1]) == found(TEXT.forms[2]) == {"text"}


def test_a_number_is_found_as_a_double() -> None:
    number = CANARIES[-1]
    assert found(b"\x00" + number.forms[1]) == found(b"\x00" + number.forms[2]) == {"number"}


def test_nothing_is_found_where_nothing_is() -> None:
    others = [text_canary("text"), word_canary("word"), bytes_canary("bytes"), number_canary("number")]
    strange = b" ".join(other.forms[0] + gzip.compress(other.forms[0]) for other in others)
    assert found(strange + os.urandom(1_000_000) + bytes(100_000)) == set()
    assert found(b"") == set()


def test_the_hash_of_a_key_gives_nothing_away_that_fabric_does_not_write_into_blocks_anyhow() -> None:
    key = word_canary("key", hashed=False)
    sought = Search([key])
    assert list(sought.find("here", hashlib.sha256(key.forms[0]).digest())) == []
    assert len(list(sought.find("here", key.forms[0]))) == 1


@pytest.mark.parametrize("before", range(-40, 3))
def test_what_is_cut_by_the_windows_of_the_search_is_found_once(before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WINDOW_BYTES", 1000)
    word = CANARIES[1]
    content = bytes(1000 + before) + word.forms[0] + bytes(3000)
    sought = Search(CANARIES)
    (finding,) = sought.find("here", content)
    assert (finding.canary, finding.encoding, finding.place, finding.offset) == ("word", "raw", "here", 1000 + before)
    assert sought.bytes == len(content)
