"""A peer's ledger on disk, of blocks that a real Fabric network made: verdicts, lifecycle and all."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import plyvel

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import encode_block, parse_block
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.recordlog import RecordLog

VECTORS = Path(__file__).parents[1] / "interop" / "vectors"
BLOCKS: list[Block] = [parse_block((VECTORS / f"pblk{number}.block").read_bytes()) for number in range(6)]


def store(folder: Path, blocks: Sequence[Block] = BLOCKS) -> None:
    """A ledger of these blocks, closed."""
    ledger = Ledger.open(folder.name, folder, RealDisk(), LevelDatabases(), replay)
    for block in blocks:
        ledger.append(replay(block, ledger.state, ledger.commit_hash))
    ledger.close()


def store_blocks(folder: Path, blocks: Sequence[Block]) -> None:
    """Put other blocks in place of those that a ledger has, as somebody with the disk in his hands can."""
    for path in (folder / "blocks").iterdir():
        path.unlink()
    log = RecordLog.open(RealDisk(), folder / "blocks")
    log.append([encode_block(block) for block in blocks])
    log.sync()
    log.close()


def block_file(folder: Path) -> Path:
    """The one file with blocks."""
    (path,) = (folder / "blocks").glob("*.records")
    return path


def damage(path: Path, offset: int) -> None:
    """Flip a bit."""
    contents = bytearray(path.read_bytes())
    contents[offset] ^= 1
    path.write_bytes(contents)


def entries(folder: Path) -> dict[bytes, bytes]:
    """Everything in the database of a ledger that nobody has open."""
    database = plyvel.DB(str(folder / "state"))
    try:
        return dict(database)
    finally:
        database.close()


def digests(folder: Path) -> dict[str, str]:
    """What is in every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
