"""Fields are taken apart by hand exactly where protobuf would have written them so."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.frames import FIELDS_MAX, fields, pair
from privysharing.protocol.codec.varint import encode_varint
from privysharing.wire.common import common_pb2

Frame = tuple[int, bytes, str]
FRAMES = st.tuples(
    st.sampled_from((0x0A, 0x0A, 0x12, 0x12, 0x1A, 0x08)),
    st.binary(max_size=200),
    st.sampled_from(("",) * 20 + ("length not minimal", "too long")),
)


def framed(tag: int, content: bytes, oddity: str = "") -> bytes:
    size = encode_varint(len(content) + (oddity == "too long"))
    if oddity == "length not minimal":
        size = size[:-1] + bytes((size[-1] | 0x80, 0))
    return bytes((tag,)) + size + content


@given(st.lists(FRAMES, max_size=3))
def test_a_pair_is_what_protobuf_would_write_of_its_fields(parts: Sequence[Frame]) -> None:
    raw = b"".join(framed(*part) for part in parts)
    try:
        found = common_pb2.Envelope.FromString(raw)
    except DecodeError:
        assert pair(raw) is None
        return
    both = (found.payload, found.signature)
    is_pair = all(both) and common_pb2.Envelope(payload=both[0], signature=both[1]).SerializeToString() == raw
    assert pair(raw) == (both if is_pair else None)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(min_size=1, max_size=300)), max_size=5))
def test_fields_are_what_was_framed(parts: Sequence[tuple[int, bytes]]) -> None:
    tags, contents = fields(b"".join(framed(tag, content) for tag, content in parts))
    assert (bytes(tags), contents) == (bytes(tag for tag, _ in parts), [content for _, content in parts])


@given(st.lists(FRAMES, min_size=1, max_size=4), st.binary(max_size=3))
def test_whatever_the_bytes_fields_that_are_found_are_all_of_them(parts: Sequence[Frame], behind: bytes) -> None:
    raw = b"".join(framed(*part) for part in parts) + behind
    tags, contents = fields(raw)
    if contents:
        assert b"".join(framed(tag, content) for tag, content in zip(tags, contents, strict=True)) == raw


@pytest.mark.parametrize(("size", "is_read"), [(0, False), (127, True), (128, True), (16383, True), (16384, False)])
def test_fields_that_are_empty_or_very_long_are_left_to_protobuf(size: int, is_read: bool) -> None:
    for raw in (framed(0x0A, bytes(size)) + framed(0x12, b"x"), framed(0x0A, b"x") + framed(0x12, bytes(size))):
        assert (pair(raw) is not None) is is_read
        assert bool(fields(raw)[1]) is is_read


def test_many_fields_are_left_to_protobuf_before_anything_is_made_of_all_of_them() -> None:
    one = framed(0x12, b"x")
    assert len(fields(one * FIELDS_MAX)[1]) == FIELDS_MAX
    assert not fields(one * (FIELDS_MAX + 1))[1]
