"""What is in the files of a LevelDB, read without LevelDB: entries of tables, unpacked, and records of logs.

Formats: leveldb doc/table_format.md and doc/log_format.md. Everything that is in a file is handed out, also what a
later entry has overwritten or deleted. What cannot be read raises: a search that has not seen a file proves nothing.
Only a log may break off, where a process ended.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import cramjam

TABLE = re.compile(r"\d+\.(ldb|sst)")
LOG = re.compile(r"\d+\.log|MANIFEST-\d+")
LOG_BLOCK_BYTES = 32 * 1024
_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_HEAD = struct.Struct("<IHB")  # checksum, length, kind
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_PLAIN, _SNAPPY = 0, 1


class UnreadableTable(ValueError):
    """A file that is not what its name says."""


def is_database(folder: Path) -> bool:
    """Whether a folder holds a LevelDB."""
    return (folder / "CURRENT").is_file()


def entries(table: bytes) -> Iterator[bytes]:
    """Key and value of each entry, one behind the other."""
    if len(table) < _FOOTER_BYTES or struct.unpack("<Q", table[-8:])[0] != _TABLE_MAGIC:
        raise UnreadableTable("a table ends with its magic number")
    footer = memoryview(table)[-_FOOTER_BYTES:]
    _, footer = _handle(footer)  # of the metaindex block: filters of hashed keys
    index, _ = _handle(footer)
    for _, place in _block(table, *index):
        handle, _ = _handle(memoryview(place))
        for key, value in _block(table, *handle):
            yield key + value


def records(log: bytes) -> Iterator[bytes]:
    """Each record, put together again; also the beginning of a last one that breaks off."""
    parts: list[bytes] = []
    for start in range(0, len(log), LOG_BLOCK_BYTES):
        block = log[start : start + LOG_BLOCK_BYTES]
        place = 0
        while place + _HEAD.size <= len(block):
            _, length, kind = _HEAD.unpack_from(block, place)
            part = block[place + _HEAD.size : place + _HEAD.size + length]
            place += _HEAD.size + length
            if kind in (_FULL, _FIRST):
                if parts:
                    yield b"".join(parts)
                parts = []
            if kind in (_FULL, _FIRST, _MIDDLE, _LAST):
                parts.append(part)
            if kind in (_FULL, _LAST):
                yield b"".join(parts)
                parts = []
    if parts:
        yield b"".join(parts)


def _block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Entries of one block: each key without what it shares with the key before."""
    packing, raw = table[offset + size], table[offset : offset + size]
    if packing not in (_PLAIN, _SNAPPY):
        raise UnreadableTable(f"a block is packed in a way that is not known: {packing}")
    content = memoryview(bytes(cramjam.snappy.decompress_raw(raw)) if packing == _SNAPPY else raw)
    restarts = struct.unpack("<I", content[-4:])[0]
    content = content[: len(content) - 4 * (restarts + 1)]
    key = b""
    while content:
        shared, content = _number(content)
        fresh, content = _number(content)
        length, content = _number(content)
        key = key[:shared] + bytes(content[:fresh])
        yield key, bytes(content[fresh : fresh + length])
        content = content[fresh + length :]


def _handle(raw: memoryview) -> tuple[tuple[int, int], memoryview]:
    offset, raw = _number(raw)
    size, raw = _number(raw)
    return (offset, size), raw


def _number(raw: memoryview) -> tuple[int, memoryview]:
    """A varint, and what is behind it."""
    number = 0
    for place, byte in enumerate(raw):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, raw[place + 1 :]
    raise UnreadableTable("a number does not end")
