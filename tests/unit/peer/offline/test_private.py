"""An operator finds out whether a stopped peer's private data are what its blocks have hashes of."""

from pathlib import Path

import pytest

from services.peer.offline.private import verify_private
from services.peer.offline.verification import Findings
from services.peer.private_data import records
from services.peer.private_data.types import Place
from services.runtime.database import LevelDatabases
from services.runtime.disk import InUse, RealDisk
from services.runtime.durable import DurableDatabase
from services.runtime.formats import OtherFormat
from tests.support.private_chain import CHAINCODE, PrivateChain, Put, stored_member
from tests.support.stored_ledger import digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A member's ledger with five private sets, one of them trimmed by a purge, and one missing."""
    chain = PrivateChain()
    chain.put("a", b"1")
    chain.add([Put("k", b"2"), Put("l", b"3")], [Put("m", b"4")])
    missing = chain.put("b", b"5")
    chain.purge("k")
    chain.put("c", b"6")
    ledger = tmp_path / "ledger"
    peer = stored_member(RealDisk(), LevelDatabases(), tmp_path)
    peer.follow(chain, {place: each for place, each in chain.sets.items() if place != missing})
    peer.private.erase()
    peer.close()
    (tmp_path / "private").rename(ledger / "private")
    return ledger


def verify(folder: Path) -> Findings:
    return verify_private(folder, RealDisk())


def change(folder: Path, place: Place, value: bytes) -> None:
    database = DurableDatabase.open(RealDisk(), LevelDatabases(), folder / "private" / "sets")
    database.write([(records.place_key(records.SET, place), value)])
    database.close()


def test_sets_are_as_they_should_be_and_nothing_is_changed_by_looking(folder: Path) -> None:
    before = digests(folder)
    found = verify(folder)
    assert (found.fault, found.entries, found.notes) == (None, 5, [])
    assert digests(folder) == before


@pytest.mark.parametrize(("block", "value"), [(2, b"\x00"), (2, b"\x00forged"), (3, b"\x01"), (1, b"\x00")])
def test_a_set_that_is_not_its_blocks_is_found(folder: Path, block: int, value: bytes) -> None:
    change(folder, Place(block, 0, CHAINCODE, "kept"), value)
    fault = verify(folder).fault
    assert fault is not None
    assert (fault.check, fault.block) == ("private_data", block)


def test_damage_is_found(folder: Path) -> None:
    for table in (folder / "private" / "sets" / "tables").glob("*.ldb"):
        table.write_bytes(table.read_bytes()[:-30])
    fault = verify(folder).fault
    assert fault is not None
    assert fault.check == "private_data"


def test_what_another_process_has_open_and_another_format_are_refused(folder: Path) -> None:
    lock = RealDisk().lock(folder / "LOCK")
    with pytest.raises(InUse):
        verify(folder)
    lock.release()
    (folder / "private" / "FORMAT").write_bytes(b"privysharing private data, format 9\n")
    with pytest.raises(OtherFormat, match="found format 9"):
        verify(folder)
