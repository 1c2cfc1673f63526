"""`privy block` on blocks of a real Fabric network."""

import json
from pathlib import Path

import pytest

from services.client.cli import main as cli

VECTORS = Path(__file__).parents[2] / "interop" / "vectors"
STORED = [VECTORS / f"pblk{number}.block" for number in range(6)]  # by a peer
DELIVERED = [VECTORS / f"blk{number}.block" for number in range(4)]  # by an orderer


def block(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        cli.main(["block", *map(str, arguments)])
    printed = capsys.readouterr()
    assert isinstance(exited.value.code, int)
    return exited.value.code, printed.out, printed.err


@pytest.mark.parametrize("files", [STORED, DELIVERED], ids=["stored", "delivered"])
def test_a_true_chain_verifies_in_whatever_order_its_files_come(
    files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for ordered in (files, files[::-1], files[1:]):
        status, out, err = block(capsys, "verify", "--genesis", files[0], *ordered)
        reports = [json.loads(line) for line in out.splitlines()]
        assert (status, err) == (0, "")
        assert all(report["ok"] for report in reports)
        assert [report["block"] for report in reports] == list(range(len(files) - len(ordered), len(files)))


def test_a_flipped_byte_in_what_was_ordered_is_found_and_ends_the_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = STORED[2].read_bytes()
    for place in range(100, len(raw) // 2, len(raw) // 7):  # the first half is header and data
        changed = tmp_path / "changed.block"
        changed.write_bytes(raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :])
        status, out, err = block(capsys, "verify", "--genesis", STORED[0], STORED[1], changed, STORED[3])
        assert status == 1
        assert err.startswith("fault: ")
        assert json.loads(out.splitlines()[-1])["ok"] is False
        assert len(out.splitlines()) <= 2  # block 3 is not reached


def test_a_missing_block_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = block(capsys, "verify", "--genesis", STORED[0], STORED[1], STORED[3])
    assert (status, len(out.splitlines())) == (1, 2)
    assert "expected block number is [2]" in err


def test_a_block_is_shown_down_to_its_writes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = block(capsys, "inspect", STORED[5])
    shown = json.loads(out)
    assert status == 0
    assert shown["header"]["number"] == 5
    assert shown["metadata"]["filter"] == ["VALID"]
    assert '"writes"' in out


@pytest.mark.parametrize("content", [b"\xff\xff", b"no block"])
def test_what_is_no_block_is_refused_by_both(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(content)
    status, out, err = block(capsys, "inspect", garbage)
    assert (status, out) == (1, "")
    assert "not a common.Block" in err
    assert block(capsys, "verify", "--genesis", STORED[0], STORED[1], garbage)[0] == 1
    assert block(capsys, "verify", "--genesis", garbage, STORED[1])[0] == 1


def test_a_file_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert block(capsys, "inspect", "/nowhere/block")[0] == 2
    assert block(capsys, "verify", "--genesis", STORED[0])[0] == 2


def test_a_nodes_own_store_is_told_from_a_block(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "00000000000000000000.records"
    store.write_bytes(b"many blocks")
    for arguments in (("inspect", store), ("verify", "--genesis", store, STORED[1])):
        status, out, err = block(capsys, *arguments)
        assert (status, out) == (2, "")
        assert "a node's own store" in err
        assert "privy block fetch" in err
