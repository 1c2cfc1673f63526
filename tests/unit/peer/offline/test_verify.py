"""What a check of a stopped peer's data finds, and that it leaves everything as it is."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import plyvel
import pytest
from click.testing import CliRunner

from privysharing.protocol.block_updates import BlockUpdates
from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codec.blocks import encode_commit_hash, encode_filter, parse_filter
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import Update, Version
from services.peer.commits import make_commit, replay
from services.peer.ledger import keys
from services.peer.ledger.errors import UnsupportedFormat
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.offline.verification import Fault, Findings, verify_ledger
from services.peer.offline.verify import main
from services.peer.validation.validate import committed_rwset, read_block
from services.runtime.database import LevelDatabases
from services.runtime.disk import InUse, RealDisk
from tests.support.stored_ledger import BLOCKS, block_file, damage, digests, entries, store, store_blocks

CHANNEL = "fabric"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A peer's data folder."""
    (tmp_path / "ledgersData").mkdir()
    store(tmp_path / "ledgersData" / CHANNEL)
    return tmp_path


@pytest.fixture
def folder(data: Path) -> Path:
    return data / "ledgersData" / CHANNEL


def verify(folder: Path) -> Findings:
    """A check, which changes nothing whatever it finds."""
    before = digests(folder)
    findings = verify_ledger(folder, RealDisk(), lambda _done, _total: None)
    assert digests(folder) == before
    return findings


def fault(folder: Path) -> Fault:
    found = verify(folder).fault
    assert found is not None
    return found


def test_a_ledger_that_is_whole_verifies(folder: Path) -> None:
    findings = verify(folder)
    assert findings.fault is None
    assert findings.notes == []
    assert findings.blocks == len(BLOCKS)
    assert findings.transactions == sum(len(block.data) for block in BLOCKS)
    assert findings.entries == len(entries(folder))


def test_progress_is_told_block_by_block(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    verify_ledger(folder, RealDisk(), lambda done, total: told.append((done, total)))
    assert told == [(done, len(BLOCKS)) for done in range(1, len(BLOCKS) + 1)]


@pytest.mark.parametrize("number", range(len(BLOCKS) - 1))
def test_damage_in_the_middle_of_a_block_file_is_named_with_its_block(folder: Path, number: int) -> None:
    path = block_file(folder)
    damage(path, path.read_bytes().index(BLOCKS[number].data[0]) + 20)
    found = fault(folder)
    assert (found.check, found.block) == ("block_file", number)


def test_a_newest_block_that_is_damaged_is_missed_where_the_state_has_seen_it(folder: Path) -> None:
    damage(block_file(folder), block_file(folder).stat().st_size - 1)
    found = fault(folder)
    assert (found.check, found.block) == ("block_file", len(BLOCKS) - 1)


def test_a_state_that_cannot_be_read_is_named_by_its_own_folder_with_what_helps(folder: Path) -> None:
    edit(folder, lambda database: database.put(keys.state_key("kv", "more"), written(b"1", 2, 0)))
    for table in (folder / "state").glob("*.ldb"):
        damage(table, 20)
    found = fault(folder)
    assert found.check == "state"
    assert f"database {folder / 'state'}: Corruption" in found.detail
    assert found.detail.endswith("privy peer rebuild")


@pytest.mark.parametrize(
    ("kib", "reason"), [(0, "No usable temporary directory"), (1, "IO error")], ids=["no room at all", "not enough"]
)
def test_a_scratch_folder_without_room_is_no_fault_of_the_ledger(
    data: Path, folder: Path, kib: int, reason: str
) -> None:
    """The process may write no larger file than that, anywhere."""
    before = digests(folder)
    limited = f"ulimit -f {kib}; exec {sys.executable} -B -m services.peer.offline.verify {data}"
    run = subprocess.run(["/bin/bash", "-c", limited], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert f"Error: needed a scratch folder with room for another copy of the state: {reason}" in run.stderr
    assert run.stderr.endswith("name one in TMPDIR; nothing stored was found wrong\n")
    assert digests(folder) == before


def test_a_torn_tail_is_noted_and_not_cut_off(folder: Path) -> None:
    with block_file(folder).open("ab") as file:
        file.write(b"torn")
    findings = verify(folder)
    assert findings.fault is None
    assert "4 bytes of no record" in findings.notes[0]


def test_a_state_that_has_not_seen_the_newest_blocks_is_compared_where_it_stands(folder: Path) -> None:
    shutil.rmtree(folder)
    store(folder, BLOCKS[:4])
    store_blocks(folder, BLOCKS)
    findings = verify(folder)
    assert findings.fault is None
    assert findings.blocks == len(BLOCKS)
    assert "stands at block 3" in findings.notes[0]
    edit(folder, lambda database: database.put(keys.state_key("kv", "stray"), written(b"1", 3, 0)))
    assert fault(folder).key == {"namespace": "kv", "key": "stray"}


def written(value: bytes, block: int, tx: int) -> bytes:
    return keys.encode_update(Update(value, Version(block, tx)))


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    database = plyvel.DB(str(folder / "state"))
    change(database)
    database.compact_range()  # into a table, which a start reads
    database.close()


KEY = keys.state_key("kv", "a")


def test_every_kind_of_entry_of_the_state_database_is_compared(folder: Path) -> None:
    """Taken away, and changed, one at a time: each is found, and named as what it is."""
    kinds = {b"s": "state", b"h": "state", b"y": "history", b"t": "index", b"b": "index", b"m": "savepoint"}
    kept = entries(folder)
    sample = {raw[:1]: raw for raw in kept}
    assert sample.keys() >= {b"s", b"y", b"t", b"b", b"m"}
    for kind, raw in sample.items():
        if kind != b"m":  # without its savepoint a database is as good as none
            edit(folder, lambda database, raw=raw: database.delete(raw))
            found = fault(folder)
            assert found.check == kinds[kind]
            assert "is missing" in found.detail
            assert found.block is not None
        changed = kept[raw] + b"\x01" if kind != b"t" else kept[raw][:-1] + bytes((TxCode.MVCC_READ_CONFLICT,))
        edit(folder, lambda database, raw=raw, changed=changed: database.put(raw, changed))
        assert fault(folder).check == kinds[kind]
        edit(folder, lambda database, raw=raw: database.put(raw, kept[raw]))
    assert verify(folder).fault is None


def test_a_mark_of_metadata_that_follows_from_no_block_is_found(folder: Path) -> None:
    edit(folder, lambda database: database.put(keys.metadata_key("kv", "secret"), b""))
    found = fault(folder)
    assert (found.check, found.detail) == ("index", "the mark of metadata follows from no block")
    assert found.key == {"namespace": "kv", "collection": "secret"}


def test_a_state_that_an_earlier_release_made_without_marks_verifies(folder: Path) -> None:
    edit(folder, lambda database: database.delete(keys.METADATA_HEIGHT_KEY))
    findings = verify(folder)
    assert (findings.fault, findings.entries) == (None, len(entries(folder)))


@pytest.mark.parametrize("part", ["value", "version", "metadata"])
def test_a_changed_part_of_a_key_is_named_with_the_transaction_that_wrote_it(folder: Path, part: str) -> None:
    was = keys.decode_value(entries(folder)[KEY])
    changes: dict[str, Any] = {"value": b"forged", "version": Version(1, 7), "metadata": b"forged"}
    forged = replace(was, **{part: changes[part]})
    update = Update(forged.value, forged.version, forged.metadata)
    edit(folder, lambda database: database.put(KEY, keys.encode_update(update)))
    found = fault(folder)
    assert (found.check, found.key) == ("state", {"namespace": "kv", "key": "a"})
    assert (found.block, found.transaction) == (was.version.block_num, was.version.tx_num)
    assert part in found.detail
    assert "forged" not in str(found)


def test_a_key_that_no_block_wrote_is_found(folder: Path) -> None:
    edit(folder, lambda database: database.put(keys.state_key("kv", "zz"), written(b"1", 2, 0)))
    assert "follows from no block" in fault(folder).detail


def rewritten(change: Callable[[Block], Block], number: int) -> list[Block]:
    """Fabric's blocks, one of them changed, with the commit hashes that follow from it."""
    ledger = MemoryLedger(CHANNEL)
    made = []
    for block in BLOCKS:
        changed = change(block) if block.header.number == number else block
        commit = _replayed(changed, ledger)
        ledger.append(commit)
        made.append(commit.block)
    return made


def _replayed(block: Block, ledger: MemoryLedger) -> Any:
    """As `replay`, of a block whose commit hash need not follow."""
    transactions = read_block(block)
    verdicts = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
    updates = BlockUpdates(ledger.state)
    for index, (tx, verdict) in enumerate(zip(transactions, verdicts, strict=True)):
        if verdict is TxCode.VALID:
            updates.apply(committed_rwset(tx), Version(block.header.number, index))
    return make_commit(block, transactions, verdicts, updates.batch(), ledger.commit_hash)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_stored_verdict_is_not_believed_even_where_all_that_follows_from_it_was_made_to_fit(
    folder: Path, number: int
) -> None:
    """Checksums, commit hashes and state agree with the verdict: validation does not."""

    def flip(block: Block) -> Block:
        first, *others = parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER])
        other = TxCode.MVCC_READ_CONFLICT if first is TxCode.VALID else TxCode.VALID
        return block.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, encode_filter((other, *others)))

    forged = rewritten(flip, number)
    store_blocks(folder, forged)
    found = fault(folder)
    assert (found.check, found.block, found.transaction) == ("verdict", number, 0)


def test_a_commit_hash_that_does_not_follow_is_found(folder: Path) -> None:
    blocks = list(BLOCKS)
    blocks[2] = blocks[2].with_metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(bytes(32)))
    store_blocks(folder, blocks)
    assert (fault(folder).check, fault(folder).block) == ("commit_hash", 2)


def test_an_orderers_signature_that_is_not_his_is_found(folder: Path) -> None:
    blocks = list(BLOCKS)
    entry = bytearray(blocks[3].metadata[MetadataIndex.SIGNATURES])
    entry[-1] ^= 1
    blocks[3] = blocks[3].with_metadata(MetadataIndex.SIGNATURES, bytes(entry))
    store_blocks(folder, blocks)
    assert (fault(folder).check, fault(folder).block) == ("orderer_signature", 3)


def test_a_block_that_does_not_follow_is_found(folder: Path) -> None:
    store_blocks(folder, [*BLOCKS[:2], BLOCKS[3], *BLOCKS[3:]])
    assert (fault(folder).check, fault(folder).block) == ("header", 2)


def test_a_damaged_state_database_is_a_fault_that_says_what_helps(folder: Path) -> None:
    database = plyvel.DB(str(folder / "state"))
    database.compact_range()
    database.close()
    table = max((folder / "state").glob("*.ldb"), key=lambda path: path.stat().st_size)
    damage(table, table.stat().st_size // 3)
    found = fault(folder)
    assert found.check == "state"
    assert "privy peer rebuild" in found.detail


def test_a_ledger_that_is_open_is_refused_and_stays_locked_during_a_check(folder: Path) -> None:
    ledger = Ledger.open(CHANNEL, folder, RealDisk(), LevelDatabases(), replay)
    with pytest.raises(InUse):
        verify_ledger(folder, RealDisk(), lambda _done, _total: None)
    ledger.close()

    def opened(_done: int, _total: int) -> None:
        with pytest.raises(InUse):
            Ledger.open(CHANNEL, folder, RealDisk(), LevelDatabases(), replay)

    assert verify_ledger(folder, RealDisk(), opened).fault is None


def test_a_ledger_of_another_format_is_refused(folder: Path) -> None:
    (folder / "FORMAT").write_bytes(b"privysharing peer ledger, format 3\n")
    with pytest.raises(UnsupportedFormat, match="found format 3"):
        verify(folder)


def test_the_command_prints_what_it_found_and_says_so_by_its_exit_code(data: Path, folder: Path) -> None:
    run = CliRunner().invoke(main, [str(data)])
    assert run.exit_code == 0
    assert re.fullmatch(r"fabric: \d+ blocks, \d+ transactions, \d+ entries: all as they should be\n", run.output)
    edit(folder, lambda database: database.put(keys.state_key("kv", "zz"), written(b"1", 2, 0)))
    run = CliRunner().invoke(main, [str(data)])
    assert run.exit_code == 1
    assert "fabric: fault: block 2, transaction 0, namespace kv, key zz: state: " in run.output
    run = CliRunner().invoke(main, [str(data), "--json"])
    document = json.loads(run.output)
    assert (run.exit_code, document["ok"]) == (1, False)
    assert document["found"][0]["fault"]["key"] == {"namespace": "kv", "key": "zz"}
    run = CliRunner().invoke(main, [str(data), "--channel", "other"])
    assert run.exit_code == 2
