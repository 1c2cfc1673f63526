"""A stopped peer's data: its ledgers by channel, how to name what is wrong with them, and how to show progress."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from services.peer.layout import LEDGERS
from services.runtime.disk import InUse, StorageError

Tell = Callable[[int, int], None]
"""Takes how many blocks are done, of how many."""


class NoLedger(click.ClickException):
    """The folder is not a peer's, or it has no such channel."""

    exit_code = 2


def ledgers_of(data: Path, channel: str | None) -> list[Path]:
    """The ledgers in a peer's data folder, or the one of a channel. Raises NoLedger when there is none."""
    ledgers = data / LEDGERS
    found = sorted(path for path in ledgers.iterdir() if path.is_dir()) if ledgers.is_dir() else []
    chosen = [path for path in found if channel in (None, path.name)]
    if not chosen:
        known = ", ".join(path.name for path in found) or "none"
        raise NoLedger(f"needed {channel or 'a channel'} with a ledger in {ledgers}; found {known}")
    return chosen


@contextmanager
def faults_named(folder: Path) -> Iterator[None]:
    """What storage says, as the end of a program."""
    try:
        yield
    except InUse as error:
        raise click.ClickException(f"{folder} is in use: stop the peer first, with: privy network down") from error
    except StorageError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def progress(what: str) -> Iterator[Tell]:
    """A bar on standard error, while it is a terminal."""
    bars: list[Any] = []

    def tell(done: int, total: int) -> None:
        if not bars:
            bars.append(click.progressbar(length=total, label=what, file=sys.stderr, show_pos=True))
        bars[0].update(done - bars[0].pos)

    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    try:
        yield tell
    finally:
        for bar in bars:
            bar.render_finish()
