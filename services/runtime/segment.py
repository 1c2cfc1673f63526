"""One file of a record log: a header, then records one after the other.

Layout, little-endian. Header: magic, format version, index of the first record, salt, CRC-32. Record: magic, length,
index, how many records of the log were durable when it was written, CRC-32, payload. The checksums start from the
segment's salt, so that a payload made to look like a record does not pass for one.
"""

import logging
import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.runtime.disk import Disk, DiskFile, StorageError, read_whole, write_whole

FORMAT_VERSION = 1
SALT_BYTES = 16
STRIDE = 16  # records between two entries of the position index

_log = logging.getLogger(__name__)

_SEGMENT_MAGIC = b"PSRL"
_INDEX_MAGIC = b"PSRX"
_RECORD_MAGIC = b"\xa5rec"
_SEGMENT_HEADER = struct.Struct("<4sIQ16sI")
_INDEX_HEADER = struct.Struct("<4sIQQI")
_RECORD_HEADER = struct.Struct("<4sIQQI")
_RECORD_FIELDS = struct.Struct("<4sIQQ")  # what the record's checksum covers, before the payload


class DamagedRecord(StorageError):
    """A record that was durable is not what was written. Not a torn tail: the disk, or somebody, changed it."""

    def __init__(self, path: Path, index: int, found: str) -> None:
        super().__init__(f"record {index} in {path} is damaged: {found}")
        self.index = index


class UnknownFormat(StorageError):
    """The file was written by another program, or by a later version of this one."""


@dataclass(frozen=True, slots=True)
class _Header:
    length: int
    index: int
    durable: int
    checksum: int


@dataclass(frozen=True, slots=True)
class _Index:
    """How many records were durable when it was written, where they end, and where every STRIDE-th begins."""

    count: int
    end: int
    positions: "array[int]"


class Segment:
    """Records `first`, `first + 1`, … in one file. One thread appends; any thread reads."""

    def __init__(self, disk: Disk, path: Path, file: DiskFile, first: int, seed: int) -> None:
        self._disk = disk
        self.path = path
        self._file = file
        self.first = first
        self._seed = seed
        self.count = 0
        self.end = _SEGMENT_HEADER.size
        self._positions: array[int] = array("Q")  # of every STRIDE-th record

    @classmethod
    def create(cls, disk: Disk, path: Path, first: int, salt: bytes) -> Self:
        """Make an empty segment; its header and its name are durable before it takes a record."""
        if disk.exists(path):
            disk.remove(path)  # the caller has seen that it holds no record
        file = disk.open(path, create=True)
        head = _SEGMENT_HEADER.pack(_SEGMENT_MAGIC, FORMAT_VERSION, first, salt, 0)[:-4]
        file.append(head + struct.pack("<I", zlib.crc32(head)))
        file.sync()
        disk.sync_folder(path.parent)
        return cls(disk, path, file, first, zlib.crc32(salt))

    @classmethod
    def open_last(cls, disk: Disk, path: Path, first: int) -> Self | None:
        """Open the segment that was being written, without its torn tail. None: it never came to hold a record."""
        file = disk.open(path)
        seed = _read_header(file, path, first)
        if seed is None:
            behind = file.read(_SEGMENT_HEADER.size, file.size)
            if any(behind) or disk.exists(path.with_suffix(".index")):  # zeros may be room that was never written to
                raise DamagedRecord(path, first, "the segment's header does not match its checksum")
            file.close()
            return None
        segment = cls(disk, path, file, first, seed)
        segment._scan()
        sealed = segment._read_index()
        if sealed is not None and segment.count < sealed.count:
            raise DamagedRecord(path, first + segment.count, "it was durable when the log was closed")
        if segment.end < file.size:
            segment._refuse_damage_before_the_tail()
            torn = {"file": str(path), "record": first + segment.count, "bytes": file.size - segment.end}
            _log.warning("cutting off what a crash left of a record that was never durable", extra=torn)
            file.truncate(segment.end)
            file.sync()
        return segment

    @classmethod
    def open_closed(cls, disk: Disk, path: Path, first: int, count: int) -> Self:
        """Open a full segment by its position index, or by reading it whole when the index is missing or bad."""
        file = disk.open(path)
        seed = _read_header(file, path, first)
        if seed is None:
            raise DamagedRecord(path, first, "the segment's header does not match its checksum")
        segment = cls(disk, path, file, first, seed)
        sealed = segment._read_index()
        if sealed is None or (sealed.count, sealed.end) != (count, file.size):
            segment._scan()
        else:
            segment.count, segment.end, segment._positions = sealed.count, sealed.end, sealed.positions
        if segment.count != count or segment.end != file.size:
            raise DamagedRecord(path, segment.first + min(segment.count, count), "the segment ends early, or late")
        return segment

    def append(self, records: Sequence[bytes], durable: int) -> None:
        """Write records behind the last. `durable`: how many records of the whole log are known to be synced."""
        parts: list[bytes] = []
        end = self.end
        positions = array("Q")
        for index, record in enumerate(records, self.first + self.count):
            if (index - self.first) % STRIDE == 0:
                positions.append(end)
            fields = _RECORD_FIELDS.pack(_RECORD_MAGIC, len(record), index, durable)
            parts += (fields, struct.pack("<I", self._checksum(fields, record)), record)
            end += _RECORD_HEADER.size + len(record)
        self._file.append(b"".join(parts))
        self._positions += positions
        self.end = end
        self.count += len(records)

    def sync(self) -> None:
        """Return once every record is durable."""
        self._file.sync()

    def settle(self) -> None:
        """Make durable what was found, even where a failed sync had left it in the system's memory only."""
        durable = 0
        if self.count:
            last = self.first + self.count - 1
            durable = self._header_at(self._position_of(last), last).durable
        self._file.rewrite(self._position_of(durable) if durable > self.first else 0)
        self._file.sync()

    def seal(self) -> None:
        """Sync, and write the position index beside the segment."""
        self.sync()
        body = self._positions.tobytes()
        checksum = self._index_checksum(self.count, self.end, body)
        head = _INDEX_HEADER.pack(_INDEX_MAGIC, FORMAT_VERSION, self.count, self.end, checksum)
        write_whole(self._disk, self._index_path, head + body)

    def read(self, index: int) -> bytes:
        """One record. Raises DamagedRecord."""
        return next(self.iterate(index))

    def iterate(self, index: int) -> Iterator[bytes]:
        """Records from `index` on, checked one by one. Raises DamagedRecord."""
        position = self._position_of(index)
        while index < self.first + self.count:
            record = self._record_at(position, index)
            position += _RECORD_HEADER.size + len(record)
            index += 1
            yield record

    def _position_of(self, index: int) -> int:
        place = index - self.first
        position = self._positions[place // STRIDE]
        for skipped in range(index - place % STRIDE, index):
            position += _RECORD_HEADER.size + self._header_at(position, skipped).length
        return position

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    @property
    def _index_path(self) -> Path:
        return self.path.with_suffix(".index")

    def _checksum(self, fields: bytes, record: bytes) -> int:
        return zlib.crc32(record, zlib.crc32(fields, self._seed))

    def _header_at(self, position: int, index: int) -> _Header:
        raw = self._file.read(position, _RECORD_HEADER.size)
        if len(raw) < _RECORD_HEADER.size:
            raise DamagedRecord(self.path, index, "the file ends inside it")
        magic, length, found, durable, checksum = _RECORD_HEADER.unpack(raw)
        if magic != _RECORD_MAGIC or found != index:
            raise DamagedRecord(self.path, index, "no record starts where it should")
        return _Header(length, found, durable, checksum)

    def _record_at(self, position: int, index: int) -> bytes:
        header = self._header_at(position, index)
        start = position + _RECORD_HEADER.size
        if start + header.length > self._file.size:
            raise DamagedRecord(self.path, index, "the file ends inside it")
        record = self._file.read(start, header.length)
        fields = _RECORD_FIELDS.pack(_RECORD_MAGIC, header.length, index, header.durable)
        if self._checksum(fields, record) != header.checksum:
            raise DamagedRecord(self.path, index, "it does not match its checksum")
        return record

    def _scan(self) -> None:
        """Count the good records, and find where they end."""
        self.count, self.end, self._positions = 0, _SEGMENT_HEADER.size, array("Q")
        while self.end < self._file.size:
            try:
                record = self._record_at(self.end, self.first + self.count)
            except DamagedRecord:
                return
            if self.count % STRIDE == 0:
                self._positions.append(self.end)
            self.end += _RECORD_HEADER.size + len(record)
            self.count += 1

    def _refuse_damage_before_the_tail(self) -> None:
        """A tail may be torn only where nothing was synced: a later record that knows better proves damage."""
        lost = self.first + self.count
        rest = self._file.read(self.end, self._file.size - self.end)
        at = rest.find(_RECORD_MAGIC)  # perhaps at once: what was there may have been cut out
        while at >= 0:
            head = rest[at : at + _RECORD_HEADER.size]
            if len(head) == _RECORD_HEADER.size:
                _, length, index, durable, checksum = _RECORD_HEADER.unpack(head)
                record = rest[at + _RECORD_HEADER.size : at + _RECORD_HEADER.size + length]
                whole = len(record) == length and self._checksum(head[:-4], record) == checksum
                if whole and index > lost and durable > lost:
                    raise DamagedRecord(self.path, lost, f"record {index} behind it says that it was durable")
            at = rest.find(_RECORD_MAGIC, at + 1)

    def _read_index(self) -> _Index | None:
        """What `seal` wrote, if it is whole."""
        if not self._disk.exists(self._index_path):
            return None
        raw = read_whole(self._disk, self._index_path)
        if len(raw) < _INDEX_HEADER.size:
            return None
        magic, version, count, end, checksum = _INDEX_HEADER.unpack_from(raw)
        body = raw[_INDEX_HEADER.size :]
        whole = self._index_checksum(count, end, body) == checksum
        return (
            _Index(count, end, array("Q", body))
            if whole and (magic, version) == (_INDEX_MAGIC, FORMAT_VERSION)
            else None
        )

    def _index_checksum(self, count: int, end: int, body: bytes) -> int:
        """Over all that the index says: one that is damaged anywhere says nothing."""
        return zlib.crc32(body, zlib.crc32(struct.pack("<QQ", count, end), self._seed))


def _read_header(file: DiskFile, path: Path, first: int) -> int | None:
    """The seed of the segment's checksums; None when the header is torn. Raises UnknownFormat."""
    raw = file.read(0, _SEGMENT_HEADER.size)
    if len(raw) < _SEGMENT_HEADER.size:
        return None
    magic, version, found, salt, checksum = _SEGMENT_HEADER.unpack(raw)
    if zlib.crc32(raw[:-4]) != checksum:
        return None
    if magic != _SEGMENT_MAGIC or found != first:
        raise UnknownFormat(f"{path}: needed a record log's file that begins with record {first}, found another")
    if version != FORMAT_VERSION:
        needed = f"needed a record log of format {FORMAT_VERSION}, found format {version}"
        raise UnknownFormat(f"{path}: {needed}; run the release that wrote it")
    return zlib.crc32(salt)
