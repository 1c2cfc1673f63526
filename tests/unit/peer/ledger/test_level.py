"""Scans give all there is, in both directions, or a fault: damage never looks like the end."""

from pathlib import Path

import plyvel
import pytest

from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.level import DOUBT_FILE, LevelStore

KEYS = [b"k%05d" % number for number in range(4000)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    store = LevelStore(folder)
    store.write([(key, key * 4) for key in KEYS], [])
    store.close()
    with plyvel.DB(str(folder)) as db:
        db.compact_range()
    return folder


def damage(folder: Path) -> None:
    """Flip a bit in a block of data behind the first."""
    table = max(folder.glob("*.ldb"), key=lambda path: path.stat().st_size)
    raw = bytearray(table.read_bytes())
    raw[len(raw) // 3] ^= 0x01
    table.write_bytes(raw)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(b"", b"l"), (KEYS[0], KEYS[-1]), (KEYS[7], KEYS[3000]), (KEYS[7], KEYS[7]), (b"l", b"m"), (b"a", b"b")],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_gives_the_keys_from_start_up_to_stop(folder: Path, start: bytes, stop: bytes, reverse: bool) -> None:
    store = LevelStore(folder)
    wanted = [key for key in KEYS if start <= key < stop]
    assert [key for key, _ in store.scan(start, stop, reverse=reverse)] == (wanted[::-1] if reverse else wanted)
    store.close()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_scan_over_a_damaged_block_is_a_fault_and_the_next_start_rebuilds(
    folder: Path, reverse: bool, frozen: bool
) -> None:
    damage(folder)
    store = LevelStore(folder)
    reader, handle = store.snapshot() if frozen else (store, None)
    with pytest.raises(LedgerFault, match="state database"):
        list(reader.scan(b"", b"l", reverse=reverse))
    if handle is not None:
        handle.close()
    store.close()
    assert (folder.parent / DOUBT_FILE).exists()
    store = LevelStore(folder)
    assert store.empty()
    store.close()
