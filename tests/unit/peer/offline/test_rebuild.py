"""State made anew from blocks is the state that was, whenever the making was broken off."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.peer.commits import replay
from services.peer.ledger.errors import DamagedBlock
from services.peer.ledger.ledger import Ledger
from services.peer.offline.rebuild import main, rebuild
from services.runtime.database import LevelDatabases
from services.runtime.disk import InUse, RealDisk
from tests.support.stored_ledger import BLOCKS, block_file, damage, digests, entries, store

CHANNEL = "fabric"
KILLED = """
import os, signal, sys
from pathlib import Path
from services.peer.offline.rebuild import rebuild
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk

def tell(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

rebuild(Path(sys.argv[1]), RealDisk(), LevelDatabases(), tell)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ledgersData").mkdir()
    store(tmp_path / "ledgersData" / CHANNEL)
    return tmp_path / "ledgersData" / CHANNEL


def test_a_rebuilt_state_is_equal_entry_by_entry(folder: Path) -> None:
    before = entries(folder)
    told: list[tuple[int, int]] = []
    assert rebuild(folder, RealDisk(), LevelDatabases(), lambda done, total: told.append((done, total))) == len(BLOCKS)
    assert entries(folder) == before
    assert told == [(done, len(BLOCKS)) for done in range(1, len(BLOCKS) + 1)]


@pytest.mark.parametrize("block", [1, 4, len(BLOCKS)])
@pytest.mark.parametrize("then", ["the peer starts", "it is run again"])
def test_a_rebuild_that_is_killed_is_finished_by_whoever_comes_next(folder: Path, block: int, then: str) -> None:
    before = entries(folder)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(block)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert entries(folder) != before
    if then == "the peer starts":
        Ledger.open(CHANNEL, folder, RealDisk(), LevelDatabases(), replay).close()
    else:
        rebuild(folder, RealDisk(), LevelDatabases(), lambda _done, _total: None)
    assert entries(folder) == before


@pytest.mark.parametrize("number", range(len(BLOCKS) - 1))
def test_nothing_is_dropped_when_a_block_is_damaged(folder: Path, number: int) -> None:
    damage(block_file(folder), block_file(folder).read_bytes().index(BLOCKS[number].data[0]) + 20)
    before = digests(folder)
    with pytest.raises(DamagedBlock) as damaged:
        rebuild(folder, RealDisk(), LevelDatabases(), lambda _done, _total: None)
    assert damaged.value.number == number
    assert digests(folder) == before
    run = CliRunner().invoke(main, [str(folder.parents[1])])
    assert run.exit_code == 1
    assert f"stored block {number} is damaged; this peer cannot mend it: restore a backup" in run.output


def test_a_ledger_that_is_open_is_refused(folder: Path) -> None:
    ledger = Ledger.open(CHANNEL, folder, RealDisk(), LevelDatabases(), replay)
    with pytest.raises(InUse):
        rebuild(folder, RealDisk(), LevelDatabases(), lambda _done, _total: None)
    run = CliRunner().invoke(main, [str(folder.parents[1])])
    assert "is in use: stop the peer first" in run.output
    ledger.close()


def test_the_command_says_how_many_blocks_it_applied(folder: Path) -> None:
    run = CliRunner().invoke(main, [str(folder.parents[1]), "--json"])
    assert json.loads(run.stdout)["rebuilt"] == {CHANNEL: len(BLOCKS)}
