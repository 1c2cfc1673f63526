"""`privy orderer`: what is done to a stopped orderer."""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click


@click.group()
def command() -> None:
    """Change how a stopped orderer keeps the order of its channels."""


@command.command("migrate")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", help="This channel only.  [default: all that have an embedded log]")
def migrate(path: Path, channel: str | None) -> NoReturn:
    """Copy the embedded logs of a stopped orderer to the Kafka brokers that FILE, its orderer.yaml, names.

    May be broken off and run again. See docs/operations.md.
    """
    program = [sys.executable, "-m", "services.orderer.kafka.migrate", str(path)]
    options = ["--channel", channel] if channel is not None else []
    sys.exit(subprocess.run([*program, *options], check=False).returncode)  # noqa: S603 - our own program
