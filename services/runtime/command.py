"""The command that starts a role's process."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from services.runtime.config import ConfigError
from services.runtime.process import EXIT_CONFIG, run

C = TypeVar("C")


def role_command(
    about: str, config_help: str, load: Callable[[Path], C], serve: Callable[[C, asyncio.Event], Awaitable[None]]
) -> click.Command:
    """A command that reads a configuration, serves until it is told to stop, and exits as `process.run` says."""

    @click.command(help=about)
    @click.option(
        "--config",
        "path",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=config_help,
    )
    @click.option("--stop-with", type=int, metavar="PID", help="Stop when this process ends.")
    def main(path: Path, stop_with: int | None) -> None:
        try:
            config = load(path)
        except ConfigError as error:
            sys.stderr.write(f"configuration: {error}\n")
            sys.exit(EXIT_CONFIG)
        sys.exit(run(lambda stop: serve(config, stop), stop_with=stop_with))

    return main
