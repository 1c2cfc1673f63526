"""Two blocks of one height: what nobody can forge, and nobody can explain away."""

from collections.abc import Callable, Sequence
from pathlib import Path

from privysharing.protocol.block_checks import BadBlock, check_signatures
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block
from services.runtime.disk import Disk, write_whole

EVIDENCE = "evidence"  # the folder's name, below a channel's
_BLOCK = ".block"
_OURS = "-ours" + _BLOCK
_THEIRS = "-theirs" + _BLOCK


class ForkedChain(Exception):
    """The ordering service signed two different blocks of one height."""

    def __init__(self, ours: Block, theirs: Block, source: str) -> None:
        number = ours.header.number
        super().__init__(
            f"block {number} is {header_hash(ours.header).hex()} here, "
            f"and {header_hash(theirs.header).hex()} at {source}"
        )
        self.number = number
        self.ours = ours
        self.theirs = theirs


def check_same(ours: Block, theirs: Block, source: str, config: Callable[[], ChannelConfig]) -> None:
    """Raises ForkedChain for another block of the same height that is properly signed, BadBlock for one that is not."""
    if header_hash(ours.header) == header_hash(theirs.header):
        return
    if theirs.header.number != ours.header.number:
        raise BadBlock(f"asked for block {ours.header.number}, got block {theirs.header.number}")
    if theirs.header.number == 0:  # nobody signs a genesis block: no proof of anything
        raise BadBlock("it serves another channel of the same name: its genesis block is not ours")
    check_signatures(theirs, config())
    raise ForkedChain(ours, theirs, source)


def kept(disk: Disk, folder: Path, ledger: Callable[[int], Block | None]) -> Sequence[Path]:
    """The blocks that were kept in a folder. As long as there are any, nothing may be added to either story.

    What `keep` had no time for is made up here: our block is on the ledger. A draft is no proof of anything.
    """
    names = disk.list(folder) if disk.exists(folder) else []
    whole = [name for name in names if name.endswith(_BLOCK)]
    heights = [height for name in whole if (height := name.removesuffix(_THEIRS)) != name and height.isdecimal()]
    for height in heights:
        ours = height + _OURS
        if ours not in whole and (block := ledger(int(height))) is not None:
            write_whole(disk, folder / ours, encode_block(block))
            whole.append(ours)
    return [folder / name for name in sorted(whole)]


def keep(disk: Disk, folder: Path, fork: ForkedChain) -> tuple[Path, Path]:
    """Write both blocks where an operator finds them: `<height>-ours.block` and `<height>-theirs.block`.

    Theirs first: the power may go in between, and ours is on the ledger, too.
    """
    disk.make_folder(folder)
    ours, theirs = folder / f"{fork.number}{_OURS}", folder / f"{fork.number}{_THEIRS}"
    write_whole(disk, theirs, encode_block(fork.theirs))
    write_whole(disk, ours, encode_block(fork.ours))
    return ours, theirs
