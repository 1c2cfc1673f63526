"""Makes a stopped peer's state anew from its blocks: `python -m services.peer.offline.rebuild FOLDER`.

Nothing is dropped before every block has been read. From then on the state database is in doubt or gone, and whoever
opens the ledger next, this program or the peer, applies all blocks: so it may end at any moment.
"""

import json
from contextlib import closing
from pathlib import Path

import click

from privysharing.protocol.blocks import Block
from services.peer.commits import replay
from services.peer.ledger.errors import DamagedBlock
from services.peer.ledger.ledger import BLOCKS_FOLDER, LOCK_FILE, STATE_FOLDER, Ledger, check_ledger_format
from services.peer.ledger.types import Commit, StateView
from services.peer.offline.folders import Tell, faults_named, ledgers_of, progress
from services.runtime.database import Databases, LevelDatabases
from services.runtime.disk import Disk, RealDisk
from services.runtime.recordlog import DamagedRecord, RecordLog


def rebuild(folder: Path, disk: Disk, databases: Databases, tell: Tell) -> int:
    """Drop state, history and indexes, and make them from the blocks; how many those are.

    Raises DamagedBlock before anything is dropped; LedgerFault, InUse, DiskFault.
    """
    lock = disk.lock(folder / LOCK_FILE)
    try:
        check_ledger_format(disk, folder)
        total = _read_all(disk, folder)
        databases.discard(folder / STATE_FOLDER)
    finally:
        lock.release()

    def told(block: Block, state: StateView, commit_hash: bytes) -> Commit:
        commit = replay(block, state, commit_hash)
        tell(block.header.number + 1, total)
        return commit

    ledger = Ledger.open(folder.name, folder, disk, databases, told)
    ledger.close()
    return total


def _read_all(disk: Disk, folder: Path) -> int:
    """How many blocks there are; each is as it was written."""
    try:
        with closing(RecordLog.open(disk, folder / BLOCKS_FOLDER)) as blocks:
            return sum(1 for _ in blocks.iterate())
    except DamagedRecord as error:
        raise DamagedBlock(folder.name, error.index) from error


@click.command()
@click.argument("data", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--channel", help="Rebuild this channel only.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
def main(data: Path, channel: str | None, as_json: bool) -> None:
    """Make the state in FOLDER, the data of a peer that is not running, anew from its blocks."""
    made = {}
    for folder in ledgers_of(data, channel):
        with faults_named(folder), progress(f"rebuilding {folder.name}") as tell:
            made[folder.name] = rebuild(folder, RealDisk(), LevelDatabases(), tell)
    if as_json:
        click.echo(json.dumps({"folder": str(data), "rebuilt": made}))
        return
    for name, blocks in made.items():
        click.echo(f"{name}: state, history and indexes made anew from {blocks} blocks")


if __name__ == "__main__":
    main()
