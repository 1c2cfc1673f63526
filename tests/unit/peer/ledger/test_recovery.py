"""What a crash leaves, the next opening makes whole."""

import shutil
from pathlib import Path

import plyvel
import pytest

from privysharing.protocol.blocks import Block
from privysharing.protocol.codes import TxCode
from services.peer.ledger.errors import DamagedBlock, LedgerFault, UnsupportedFormat
from services.peer.ledger.ledger import FORMAT, Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import Commit, LedgerPort, StateView
from services.runtime.database import DamagedDatabase, DatabaseFault, Databases, LevelDatabases
from services.runtime.disk import Disk, InUse, RealDisk
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk, PowerLoss
from tests.support.chains import CHANNEL, Tx, chain, replay

BLOCKS = chain(
    [Tx(f"t{n}.{i}", {("cc", f"k{(n + i) % 4}"): b"%d.%d" % (n, i) if (n + i) % 3 else None}) for i in range(3)]
    + [Tx(f"bad{n}", {("cc", "bad"): b"x"}, code=TxCode.ENDORSEMENT_POLICY_FAILURE)]
    for n in range(6)
)


FOLDER = Path("/ledgersData/testchannel")


def open_ledger(folder: Path, disk: Disk, databases: Databases | None = None) -> Ledger:
    return Ledger.open(CHANNEL, folder, disk, databases or LevelDatabases(), replay)


def append(ledger: LedgerPort, blocks: list[Block]) -> None:
    for block in blocks:
        ledger.append(replay(block, ledger.state, ledger.commit_hash))


def contents(ledger: LedgerPort) -> object:
    return (
        ledger.height,
        ledger.tip,
        ledger.commit_hash,
        [ledger.block(n) for n in range(ledger.height)],
        list(ledger.state.range("cc", "", "")),
        [ledger.transaction(tx_id) for n in range(6) for tx_id in (f"t{n}.0", f"bad{n}")],
        [list(ledger.history("cc", f"k{n}")) for n in range(4)],
    )


def expected(height: int) -> object:
    reference = MemoryLedger(CHANNEL)
    append(reference, BLOCKS[:height])
    return contents(reference)


@pytest.mark.parametrize("power", [True, False])
def test_a_machine_or_a_process_may_end_before_any_deed(power: bool) -> None:
    """Whatever the database forgot, what `append` acknowledged is there, and one block more at most."""
    for deeds in range(200):
        for seed in range(4):
            disk = MemoryDisk()
            databases = MemoryDatabases(disk, buffer_bytes=1000)
            disk.cut_power_after(deeds)
            acknowledged = append_until_it_ends(disk, databases)
            disk.restart(seed) if power else disk.crash()
            recovered = open_again(disk, databases)
            assert acknowledged <= recovered.height <= acknowledged + 1, f"{deeds=} {seed=}"
            assert contents(recovered) == expected(recovered.height), f"{deeds=} {seed=}"
            append(recovered, BLOCKS[recovered.height :])
            assert contents(recovered) == expected(len(BLOCKS)), f"{deeds=} {seed=}"
        if acknowledged == len(BLOCKS):
            assert deeds > 30
            return
    pytest.fail("the script never ran to its end")


def append_until_it_ends(disk: MemoryDisk, databases: Databases) -> int:
    """How many blocks were acknowledged."""
    acknowledged = 0
    try:
        ledger = open_ledger(FOLDER, disk, databases)
        for block in BLOCKS:
            append(ledger, [block])
            acknowledged += 1
            if acknowledged == 3:
                ledger.close()
                ledger = open_ledger(FOLDER, disk, databases)
        ledger.close()
    except PowerLoss:
        pass
    return acknowledged


def open_again(disk: MemoryDisk, databases: Databases) -> Ledger:
    """As a peer does that ends at a fault and is started again: damage that is read is a fault once."""
    try:
        ledger = open_ledger(FOLDER, disk, databases)
        contents(ledger)
    except DamagedDatabase:
        disk.crash()
        return open_ledger(FOLDER, disk, databases)
    return ledger


def test_a_crash_between_block_file_and_state_is_made_good(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS[:3])
    ledger.close()
    shutil.copytree(tmp_path / "state", tmp_path / "before")
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS[3:4])
    ledger.close()
    shutil.rmtree(tmp_path / "state")
    (tmp_path / "before").rename(tmp_path / "state")
    ledger = open_ledger(tmp_path, RealDisk())
    assert contents(ledger) == expected(4)
    ledger.close()


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS[:2])
    ledger.close()
    (segment,) = (tmp_path / "blocks").glob("*.records")
    whole = segment.read_bytes()
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS[2:3])
    left = tmp_path.with_name("left")
    shutil.copytree(tmp_path, left)  # as a process leaves it that is killed
    ledger.close()
    (segment,) = (left / "blocks").glob("*.records")
    segment.write_bytes(segment.read_bytes()[: len(whole) + 40])
    ledger = open_ledger(left, RealDisk())
    assert contents(ledger) == expected(2)
    ledger.close()


def test_a_last_block_that_was_stored_for_good_does_not_go_missing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS[:2])
    ledger.close()
    (segment,) = (tmp_path / "blocks").glob("*.records")
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(DamagedBlock, match="stored block 1 is damaged"):
        open_ledger(tmp_path, RealDisk())


def test_damage_in_the_middle_stops_and_names_the_block(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
    (segment,) = (tmp_path / "blocks").glob("*.records")
    raw = bytearray(segment.read_bytes())
    raw[raw.index(b"t2.0")] ^= 1
    segment.write_bytes(raw)
    with pytest.raises(DamagedBlock, match="block 2 is damaged") as caught:
        open_ledger(tmp_path, RealDisk())
    assert caught.value.number == 2


def test_a_failed_sync_is_final() -> None:
    disk = MemoryDisk()
    ledger = open_ledger(FOLDER, disk, MemoryDatabases(disk))
    append(ledger, BLOCKS[:1])
    disk.fail("sync")
    with pytest.raises(LedgerFault):
        append(ledger, BLOCKS[1:2])
    with pytest.raises(LedgerFault, match="could not be stored"):
        append(ledger, BLOCKS[1:2])
    assert ledger.height == 1
    assert ledger.block(1) is None


@pytest.mark.parametrize("harm", ["flip", "cut", "lose", "doubt", "forget", "log"])
def test_a_harmed_database_is_rebuilt_from_blocks(tmp_path: Path, harm: str) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
    state = tmp_path / "state"
    manifest = next(state.glob("MANIFEST-*"))
    if harm == "flip":
        raw = bytearray(manifest.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        manifest.write_bytes(raw)
    elif harm == "cut":
        (state / "CURRENT").write_bytes(b"")
    elif harm == "lose":
        manifest.unlink()
    elif harm == "forget":
        (state / "CURRENT").unlink()
    elif harm == "log":
        next(state.glob("*.log")).write_bytes(b"no log at all" * 5000)
    else:
        (tmp_path / "DOUBT").touch()
    ledger = open_ledger(tmp_path, RealDisk())
    assert contents(ledger) == expected(len(BLOCKS))
    assert not (tmp_path / "DOUBT").exists()
    ledger.close()


def test_a_database_in_doubt_that_cannot_be_removed_is_not_opened(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger", RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
    state, elsewhere, doubt = tmp_path / "ledger" / "state", tmp_path / "elsewhere", tmp_path / "ledger" / "DOUBT"
    state.rename(elsewhere)
    state.symlink_to(elsewhere)
    doubt.touch()
    for _ in range(2):
        with pytest.raises(DatabaseFault, match="not to be trusted and cannot be removed"):
            open_ledger(tmp_path / "ledger", RealDisk())
    assert doubt.exists()
    state.unlink()
    ledger = open_ledger(tmp_path / "ledger", RealDisk())
    assert contents(ledger) == expected(len(BLOCKS))
    ledger.close()


def test_a_recovery_that_fails_lets_go_of_the_ledger(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
    (tmp_path / "DOUBT").touch()

    def refuse(block: Block, _state: StateView, _commit_hash: bytes) -> Commit:
        raise LedgerFault(f"block {block.header.number} will not do")

    with pytest.raises(LedgerFault, match="block 0 will not do"):
        Ledger.open(CHANNEL, tmp_path, RealDisk(), LevelDatabases(), refuse)
    ledger = open_ledger(tmp_path, RealDisk())
    assert contents(ledger) == expected(len(BLOCKS))
    ledger.close()


def test_damage_that_a_read_meets_stops_the_ledger_and_the_next_start_rebuilds(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
    with plyvel.DB(str(tmp_path / "state")) as db:
        db.compact_range()
    for table in (tmp_path / "state").glob("*.ldb"):
        raw = bytearray(table.read_bytes())
        raw[10:60] = bytes(50)
        table.write_bytes(raw)
    with pytest.raises(DamagedDatabase):
        contents(open_ledger(tmp_path, RealDisk()))
    ledger = open_ledger(tmp_path, RealDisk())
    assert contents(ledger) == expected(len(BLOCKS))
    ledger.close()


def test_state_of_another_chain_or_ahead_of_the_blocks_is_rebuilt(tmp_path: Path) -> None:
    other = chain([[Tx("x")], [Tx("y")]])
    for name, blocks in (("mine", BLOCKS[:2]), ("other", other), ("longer", BLOCKS)):
        ledger = open_ledger(tmp_path / name, RealDisk())
        append(ledger, blocks)
        ledger.close()
    for name in ("other", "longer"):
        shutil.rmtree(tmp_path / "mine" / "state")
        shutil.copytree(tmp_path / name / "state", tmp_path / "mine" / "state")
        ledger = open_ledger(tmp_path / "mine", RealDisk())
        assert contents(ledger) == expected(2)
        ledger.close()


def test_another_format_is_refused(tmp_path: Path) -> None:
    open_ledger(tmp_path, RealDisk()).close()
    (tmp_path / "FORMAT").write_bytes(FORMAT.mark.replace(b"2", b"3"))
    with pytest.raises(UnsupportedFormat, match="needed peer ledger of format 2, found format 3; run the release"):
        open_ledger(tmp_path, RealDisk())
    (tmp_path / "FORMAT").unlink()
    with pytest.raises(UnsupportedFormat, match="found no file FORMAT"):
        open_ledger(tmp_path, RealDisk())


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path, RealDisk())
    with pytest.raises(InUse):
        open_ledger(tmp_path, RealDisk())
    append(ledger, BLOCKS)
    ledger.close()
