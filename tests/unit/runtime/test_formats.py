"""A folder says in which format it is, and one of another is refused and left as it is."""

from pathlib import Path

import pytest

from services.orderer.channels import FORMAT as ORDERER
from services.orderer.channels import LOCK_FILE, Channels
from services.peer.ledger.ledger import FORMAT as LEDGER
from services.peer.private_data.store import FORMAT as PRIVATE
from services.runtime.disk import read_whole, write_whole
from services.runtime.formats import FORMAT_FILE, Format, OtherFormat
from services.runtime.memorydisk import MemoryDisk
from tests.support.ordering import context

FOLDER = Path("/data")
THINGS = Format("things", 3, "run the release that wrote them")


@pytest.fixture
def disk() -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_folder(FOLDER)
    return disk


def test_a_new_folder_is_marked_and_known_again(disk: MemoryDisk) -> None:
    for _ in range(2):
        THINGS.check(disk, FOLDER, "boxes")
    assert read_whole(disk, FOLDER / FORMAT_FILE) == b"privysharing things, format 3\n"


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        (b"privysharing things, format 4\n", "format 4"),
        (b"privysharing things, format 2\n", "format 2"),
        (b"", "b''"),
        (b"something else\n" * 100, "b'something else"),
    ],
)
def test_another_format_is_refused_by_what_was_found_and_what_is_needed(
    disk: MemoryDisk, mark: bytes, found: str
) -> None:
    write_whole(disk, FOLDER / FORMAT_FILE, mark)
    with pytest.raises(OtherFormat) as refused:
        THINGS.check(disk, FOLDER, "boxes")
    assert str(refused.value).startswith(f"/data: needed things of format 3, found {found}")
    assert str(refused.value).endswith("run the release that wrote them")
    assert read_whole(disk, FOLDER / FORMAT_FILE) == mark


def test_contents_without_a_mark_are_refused_unless_there_were_none_before(disk: MemoryDisk) -> None:
    disk.make_folder(FOLDER / "boxes")
    with pytest.raises(OtherFormat, match="found no file FORMAT beside boxes"):
        THINGS.check(disk, FOLDER, "boxes")
    assert disk.list(FOLDER) == []
    THINGS.check(disk, FOLDER)
    assert disk.list(FOLDER) == [FORMAT_FILE]


def test_every_store_has_a_name_of_its_own() -> None:
    assert len({each.name for each in (LEDGER, ORDERER, PRIVATE)}) == 3


async def test_an_orderers_folder_of_another_format_is_refused_and_stays_as_it_is(disk: MemoryDisk) -> None:
    write_whole(disk, FOLDER / FORMAT_FILE, ORDERER.mark.replace(b"1", b"2"))
    with pytest.raises(OtherFormat, match="needed orderer's folder of format 1, found format 2; run the release"):
        await Channels(disk, FOLDER, context()).open([])
    assert disk.list(FOLDER) == [FORMAT_FILE]
    assert disk.folders(FOLDER) == []
    disk.lock(FOLDER / LOCK_FILE)  # it has been let go of
