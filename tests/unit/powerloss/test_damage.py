"""Damage in the middle of a file of blocks or records is named by its number, and nothing is repaired."""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from privysharing.protocol.codec.blocks import encode_block
from services.orderer.log.filelog import FileLog
from services.orderer.store import BlockStore
from services.peer.commits import replay
from services.peer.ledger.errors import DamagedBlock
from services.peer.ledger.ledger import Ledger
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.recordlog import DamagedRecord
from tests.support.stored_ledger import BLOCKS

RECORDS = len(BLOCKS)
HEADER_BYTES = 36  # of a file
RECORD_HEADER_BYTES = 28


def peer_works(folder: Path) -> Iterator[None]:
    ledger = Ledger.open("fabric", folder, RealDisk(), LevelDatabases(), replay)
    for block in BLOCKS:
        ledger.append(replay(block, ledger.state, ledger.commit_hash))
    yield
    ledger.close()


def peer_opens(folder: Path) -> None:
    Ledger.open("fabric", folder, RealDisk(), LevelDatabases(), replay).close()


def log_works(folder: Path) -> Iterator[None]:
    async def work() -> FileLog:
        log = await FileLog.open(RealDisk(), folder)
        for block in BLOCKS:
            await log.append(encode_block(block))
        return log

    with asyncio.Runner() as runner:
        log = runner.run(work())
        yield
        runner.run(log.close())


def log_opens(folder: Path) -> None:
    async def reopen() -> None:
        await (await FileLog.open(RealDisk(), folder)).close()

    asyncio.run(reopen())


def store_works(folder: Path) -> Iterator[None]:
    store = BlockStore(RealDisk(), folder)
    for block in BLOCKS:
        store.append(encode_block(block))
        store.sync()
    yield
    store.close()


def store_opens(folder: Path) -> None:
    BlockStore(RealDisk(), folder).close()


@dataclass(frozen=True)
class Kept:
    """A store that was killed, or stopped."""

    folder: Path
    opens: Callable[[Path], None]

    @property
    def file(self) -> Path:
        (file,) = self.folder.rglob("*.records")
        return file


KINDS = {
    "peer": (peer_works, peer_opens),
    "ordering log": (log_works, log_opens),
    "orderer": (store_works, store_opens),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["killed", "stopped"])
def kept(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Kept:
    works, opens = KINDS[kind]
    working = works(tmp_path / "store")
    next(working)
    if request.param == "killed":
        shutil.copytree(tmp_path / "store", tmp_path / "killed")
    for _ in working:
        raise AssertionError
    return Kept(tmp_path / ("killed" if request.param == "killed" else "store"), opens)


def flipped(content: bytearray, start: int, end: int, _last: slice) -> None:
    content[start + (end - start) // 2] ^= 0x10


def flipped_length(content: bytearray, start: int, _end: int, _last: slice) -> None:
    content[start + 6] ^= 0x01


def flipped_index(content: bytearray, start: int, _end: int, _last: slice) -> None:
    content[start + 8] ^= 0x01


def sector_cut_out(content: bytearray, start: int, end: int, _last: slice) -> None:
    del content[start + 10 : min(end, start + 10 + 512)]


def sector_of_zeros(content: bytearray, start: int, end: int, _last: slice) -> None:
    stop = min(end, start + 512)
    content[start:stop] = bytes(stop - start)


def cut_out(content: bytearray, start: int, end: int, _last: slice) -> None:
    del content[start:end]


def swapped_with_the_last(content: bytearray, start: int, end: int, last: slice) -> None:
    content[:] = content[:start] + content[last] + content[end : last.start] + content[start:end]


def the_last_in_its_place(content: bytearray, start: int, end: int, last: slice) -> None:
    content[start:end] = content[last]


HARMS = [
    flipped, flipped_length, flipped_index, sector_cut_out, sector_of_zeros, cut_out, swapped_with_the_last,
    the_last_in_its_place,
]  # fmt: skip


def spans(content: bytes) -> list[tuple[int, int]]:
    """Where each record begins and ends."""
    found, start = [], HEADER_BYTES
    while start < len(content):
        end = start + RECORD_HEADER_BYTES + int.from_bytes(content[start + 4 : start + 8], "little")
        found.append((start, end))
        start = end
    return found


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".records", ".index"})
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@pytest.mark.parametrize("harm", HARMS)
def test_damage_in_the_middle_is_named_and_stays(kept: Kept, harm: Callable[..., None]) -> None:
    whole = kept.file.read_bytes()
    *middle, last = spans(whole)
    assert len(middle) == RECORDS - 1
    for number, (start, end) in enumerate(middle):
        content = bytearray(whole)
        harm(content, start, end, slice(*last))
        kept.file.write_bytes(content)
        before = digest(kept.folder)
        for _ in range(2):
            with pytest.raises((DamagedBlock, DamagedRecord)) as caught:
                kept.opens(kept.folder)
            named = caught.value.number if isinstance(caught.value, DamagedBlock) else caught.value.index
            assert named == number
        assert digest(kept.folder) == before
    kept.file.write_bytes(whole)
    kept.opens(kept.folder)


def test_damage_that_a_running_peer_meets_names_the_block(tmp_path: Path) -> None:
    ledger = Ledger.open("fabric", tmp_path, RealDisk(), LevelDatabases(), replay)
    for block in BLOCKS:
        ledger.append(replay(block, ledger.state, ledger.commit_hash))
    (file,) = (tmp_path / "blocks").glob("*.records")
    start, end = spans(file.read_bytes())[3]
    with file.open("r+b") as opened:
        opened.seek((start + end) // 2)
        opened.write(b"\xff\x00\xff")
    with pytest.raises(DamagedBlock, match="stored block 3 is damaged") as caught:
        ledger.block(3)
    assert caught.value.number == 3
    assert ledger.block(4) == BLOCKS[4]
    ledger.close()
