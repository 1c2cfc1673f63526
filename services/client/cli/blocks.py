"""`privy block`: look into blocks, and verify chains of them, offline."""

import json
import sys
from pathlib import Path

import click

from privysharing.protocol.audit import verify_chain
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.describe import describe_block
from privysharing.protocol.errors import MalformedMessage
from services.client.cli.output import EXIT_REFUSED

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Look into blocks, and verify chains of them. Files hold one block each, as nodes deliver or peers store them."""


@command.command("inspect")
@click.argument("file", type=_FILE)
def inspect(file: Path) -> None:
    """Print the block in FILE as JSON, read down to its read and write sets."""
    click.echo(json.dumps(describe_block(parse_block(file.read_bytes())), indent=2, ensure_ascii=False))


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
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False))
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
