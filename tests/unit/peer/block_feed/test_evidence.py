"""Two blocks of one number are kept, both or neither, whatever the disk does."""

from pathlib import Path

import pytest

from privysharing.protocol.codec.blocks import encode_block, parse_block
from services.peer.block_feed.evidence import ForkedChain, keep, kept
from services.runtime.disk import DiskFault, RealDisk, read_whole
from services.runtime.memorydisk import MemoryDisk
from tests.support.following import OrderedChain
from tests.support.ordering import envelope


def test_both_blocks_of_a_fork_are_kept(chain: OrderedChain, tmp_path: Path) -> None:
    ours, theirs = chain.blocks[5], chain.copy().cut(envelope())
    paths = keep(RealDisk(), tmp_path / "evidence", ForkedChain(ours, theirs, "orderer:7050"))
    assert [parse_block(path.read_bytes()) for path in paths] == [ours, theirs]
    assert [path.name for path in paths] == ["5-ours.block", "5-theirs.block"]


def test_a_disk_that_fails_in_between_has_both_blocks_at_the_next_start(chain: OrderedChain) -> None:
    ours, theirs = chain.blocks[5], chain.copy().cut(envelope())
    disk, folder = MemoryDisk(), Path("/evidence")
    disk.fail("rename", skip=1)
    with pytest.raises(DiskFault):
        keep(disk, folder, ForkedChain(ours, theirs, "orderer:7050"))
    assert kept(disk, folder, chain.blocks.__getitem__) == [folder / "5-ours.block", folder / "5-theirs.block"]
    assert read_whole(disk, folder / "5-ours.block") == encode_block(ours)
    assert read_whole(disk, folder / "5-theirs.block") == encode_block(theirs)


def test_half_a_block_is_no_evidence(chain: OrderedChain) -> None:
    disk, folder = MemoryDisk(), Path("/evidence")
    disk.fail("rename")
    with pytest.raises(DiskFault):
        keep(disk, folder, ForkedChain(chain.blocks[5], chain.copy().cut(envelope()), "orderer:7050"))
    assert disk.list(folder)
    assert kept(disk, folder, chain.blocks.__getitem__) == []


def test_a_block_that_an_operator_put_there_under_a_name_of_his_own_counts_and_stops_no_start(
    chain: OrderedChain, tmp_path: Path
) -> None:
    disk, theirs = RealDisk(), tmp_path / "copy-theirs.block"
    theirs.write_bytes(encode_block(chain.blocks[5]))
    assert kept(disk, tmp_path, chain.blocks.__getitem__) == [theirs]
