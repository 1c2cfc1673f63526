"""What went over a connection is seen in one piece, whatever frames, padding and compression make of it."""

import gzip
import struct
import zlib

import pytest
from hpack import Encoder

from tests.canary import http2
from tests.support.http2 import CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PREFACE, frame, message

SECRET = b"nobody is to see this"


def seen(*frames: bytes) -> dict[str, bytes]:
    return dict(http2.pieces(PREFACE + b"".join(frames)))


def test_a_value_that_frames_cut_is_seen() -> None:
    cut = [SECRET[:5], SECRET[5:6], SECRET[6:]]
    other = frame(DATA, 0, 3, b"of another stream")
    assert seen(*(frame(DATA, 0, 1, part) + other for part in cut))["stream 1"] == SECRET


def test_padding_and_other_frames_do_not_hide_it() -> None:
    padded = frame(DATA, http2.PADDED, 1, b"\x03" + SECRET[:9] + b"pad")
    assert seen(padded, frame(PING, 0, 0, bytes(8)), frame(DATA, 0, 1, SECRET[9:]))["stream 1"] == SECRET


def test_a_frame_that_breaks_off_is_seen_up_to_there() -> None:
    assert seen(frame(DATA, 0, 1, SECRET)[:-4])["stream 1"] == SECRET[:-4]
    assert seen(frame(HEADERS, END_HEADERS, 1, Encoder().encode([("name", "value")]))[:-1]) == {}


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_message_that_grpc_packed_is_seen(pack: object) -> None:
    assert callable(pack)
    packed = pack(SECRET)
    whole = message(b"one that is not") + struct.pack(">BI", 1, len(packed)) + packed
    assert seen(frame(DATA, 0, 1, whole))["stream 1, packed message 0"] == SECRET


def test_fields_of_headers_are_seen_though_they_are_packed_cut_and_only_referred_to() -> None:
    encoder = Encoder()
    first = encoder.encode([(b"grpc-message", SECRET)], huffman=True)
    again = encoder.encode([(b"grpc-message", SECRET)], huffman=True)
    assert SECRET not in first
    assert len(again) < 3
    found = seen(
        frame(HEADERS, http2.PRIORITY, 1, bytes(5) + first[:4]),
        frame(CONTINUATION, END_HEADERS, 1, first[4:]),
        frame(HEADERS, END_HEADERS, 3, again),
    )
    assert found == {f"headers of stream {stream}": b"grpc-message: " + SECRET for stream in (1, 3)}
