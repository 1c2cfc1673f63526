"""Looking for all canaries at once, also in what is packed."""

import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cramjam
from ahocorasick_rs import BytesAhoCorasick, Implementation

from tests.canary.canaries import Canary
from tests.canary.encodings import patterns

PART_BYTES = 8  # of a pattern: what is looked for first, as fewer and shorter patterns are found faster
WINDOW_BYTES = 8 * 1024 * 1024  # what is searched at once
UNPACKED_BYTES_MAX = 64 * 1024 * 1024  # of one packed stream
DEPTH_MAX = 3  # streams within streams
_STEP_BYTES = 4096  # deflated streams are unpacked in such steps: of one that breaks off, the last may be missing
_SNAPPY = b"\xff\x06\x00\x00sNaPpY"
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|" + re.escape(_SNAPPY))
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A canary that was found, and where."""

    canary: str
    encoding: str
    place: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Sought:
    pattern: bytes
    start: int  # of the part by which it is noticed
    canary: str
    encoding: str


def _rarest(pattern: bytes) -> int:
    """Where a part begins that is as varied as any: zeros are everywhere."""
    starts = range(max(1, len(pattern) - PART_BYTES + 1))
    return max(starts, key=lambda start: len(set(pattern[start : start + PART_BYTES]) - {0}))


class Search:
    """Counts the bytes that it has looked at, unpacked ones too."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._sought: dict[bytes, list[_Sought]] = defaultdict(list)  # by a part that does not often come by chance
        self._overlap = 0
        for canary in canaries:
            for pattern, encoding in patterns(canary).items():
                start = _rarest(pattern)
                part = pattern[start : start + PART_BYTES]
                self._sought[part].append(_Sought(pattern, start, canary.name, encoding))
                self._overlap = max(self._overlap, len(pattern) - 1)
        self._parts = list(self._sought)
        self._automaton = BytesAhoCorasick(self._parts, implementation=Implementation.ContiguousNFA)
        self.bytes = 0

    def find(self, place: str, content: bytes, depth: int = 0) -> Iterator[Finding]:
        """Everything in `content`, which comes from `place`."""
        self.bytes += len(content)
        view = memoryview(content)
        for start in range(0, len(content), WINDOW_BYTES):
            window = view[start : start + WINDOW_BYTES + self._overlap]
            for which, begin, _ in self._automaton.find_matches_as_indexes(window, overlapping=True):
                for sought in self._sought[self._parts[which]]:
                    offset = begin - sought.start
                    if 0 <= offset < WINDOW_BYTES and window[offset : offset + len(sought.pattern)] == sought.pattern:
                        yield Finding(sought.canary, sought.encoding, place, start + offset)
        if depth < DEPTH_MAX:
            for match in _PACKED.finditer(content):
                for unpacked in _unpacked(view[match.start() :], match.group()):
                    yield from self.find(f"{place}, unpacked at {match.start()}", unpacked, depth + 1)


def _unpacked(packed: memoryview, magic: bytes) -> Iterator[bytes]:
    """What a stream that seems to begin here holds; mostly none does. One that breaks off is unpacked up to there."""
    unpacked = b"".join(_snappy(packed[len(_SNAPPY) :]) if magic == _SNAPPY else _deflated(packed))
    if unpacked:
        yield unpacked


def _deflated(packed: memoryview) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
    size = 0
    for start in range(0, len(packed), _STEP_BYTES):
        if unpacker.eof or size > UNPACKED_BYTES_MAX:
            return
        try:
            piece = unpacker.decompress(packed[start : start + _STEP_BYTES], UNPACKED_BYTES_MAX)
        except zlib.error:
            return
        size += len(piece)
        yield piece


def _snappy(chunks: memoryview) -> Iterator[bytes]:
    """Snappy's framing: chunks of a byte of kind, three of length, and four of checksum where there is data."""
    while len(chunks) > 4:
        kind, size = chunks[0], int.from_bytes(chunks[1:4], "little")
        data, chunks = chunks[8 : 4 + size], chunks[4 + size :]
        if kind == 0:
            try:
                yield bytes(cramjam.snappy.decompress_raw(data))
            except cramjam.DecompressionError:
                return
        elif kind == 1:
            yield bytes(data)
        elif kind < 0x80:
            return
