"""`privy block`: fetch blocks from a running network; look into them, and verify chains of them, offline."""

import sys
from pathlib import Path

import click

from deploy.wallets import network_wallet
from privysharing.protocol.audit import verify_chain
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.describe import describe_block
from privysharing.protocol.errors import MalformedMessage
from services.client.cli.output import EXIT_REFUSED, json_text
from services.client.cli.session import Session, acting
from services.client.network.blocks import CONFIG, POSITIONS, fetch_block

NODE_STORE = ".records"  # a node keeps its blocks in files of this ending, many in one


class _BlockFile(click.Path):
    """A file with one block, and not a node's own store of them."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(str(super().convert(str(value), param, ctx)))
        if path.suffix == NODE_STORE:
            self.fail(
                f"{path} is a node's own store of many blocks; get one as a file from the running node with: "
                "privy block fetch NUMBER --as admin.citizens -o FILE",
                param,
                ctx,
            )
        return path


_FILE = _BlockFile()


@click.group()
def command() -> None:
    """Fetch blocks, look into them, and verify chains of them.

    Files hold one block each, as nodes deliver or peers store them. A channel's first block is also in the network's
    folder, as channels/CHANNEL.block.
    """


@command.command("fetch")
@click.argument("which", metavar="NUMBER|newest|oldest|config")
@click.option("-o", "--output", "file", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="File to write the block to.")  # fmt: skip
@click.option("--from", "source", default="peer", show_default=True, metavar="peer|orderer|NAME",
              help="Who delivers it: a peer (adds verdicts, commit hash), an orderer, or a node.")  # fmt: skip
@acting
def fetch(session: Session, which: str, file: Path, source: str) -> None:
    """Write a block of a running network to a file: for operators, such as admin.citizens.

    `config` is the block with the channel's newest configuration.
    """
    if not (which.isascii() and which.isdecimal()) and which not in (*POSITIONS, CONFIG):
        raise click.BadParameter(f"needed a block's number, newest, oldest or config; found {which!r}")
    entry = network_wallet(session.network).get(session.label)
    raw = session.runner.run(fetch_block(session.network, entry, session.channel, which, source))
    file.write_bytes(raw)
    number = parse_block(raw).header.number
    session.output.done(
        f"block {number} of {session.channel} is in {file}",
        {"channel": session.channel, "block": number, "file": str(file), "bytes": len(raw)},
    )


@command.command("inspect")
@click.argument("file", type=_FILE)
def inspect(file: Path) -> None:
    """Print the block in FILE as JSON, read down to its read and write sets."""
    click.echo(json_text(describe_block(parse_block(file.read_bytes())), indent=2))


@command.command("verify")
@click.option("--genesis", required=True, type=_FILE, help="The channel's first block: all that is taken on trust.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
def verify(genesis: Path, files: tuple[Path, ...]) -> None:
    """Derive the chain of blocks in FILES again, from the genesis block's configuration.

    Checked are ids, proposal hashes, signatures of creators, endorsers and orderers, header chain, data hashes and, for
    blocks that a peer stored, commit hashes. Prints a line of JSON for each block; stops at the first fault.
    """
    blocks = sorted((file.read_bytes() for file in files), key=_number)
    fault = None
    for report in verify_chain(parse_block(genesis.read_bytes()), blocks):
        click.echo(json_text(report.as_dict()))
        fault = report.fault
    if fault is not None:
        click.echo(f"fault: {fault.check}: {fault.detail}", err=True)
        sys.exit(EXIT_REFUSED)


def _number(raw: bytes) -> int:
    """Files come in any order. What is no block goes first, so that nothing hides it."""
    try:
        return parse_block(raw).header.number
    except MalformedMessage:
        return -1
