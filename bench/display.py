"""What a person sees while a load is applied. It is written to standard error; figures go to standard output."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.load import Load
from bench.meter import Tally

_REFRESH_S = 0.5  # seldom: the client that is measured pays for it


class Display:
    """Lines of text, and a bar for the load that is on."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def says(self, text: str) -> None:
        """What happens now."""
        self._console.print(text)

    @contextlib.asynccontextmanager
    async def bar(self, about: str, load: Load, tally: Tally) -> AsyncIterator[None]:
        """How far a load is, and what it has done."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[done]}"),
        )
        with Progress(*columns, console=self._console, auto_refresh=False) as progress:
            task = progress.add_task(about, total=load.warmup_s + load.duration_s, done="")
            moving = asyncio.create_task(_move(progress, task, tally))
            try:
                yield
            finally:
                moving.cancel()
                progress.update(task, completed=load.warmup_s + load.duration_s, done=_done(tally), refresh=True)


async def _move(progress: Progress, task: TaskID, tally: Tally) -> None:
    while True:
        await asyncio.sleep(_REFRESH_S)
        progress.update(task, advance=_REFRESH_S, done=_done(tally), refresh=True)


def _done(tally: Tally) -> str:
    failed = tally.failures.total()
    return f"{tally.succeeded} done" + (f", {failed} failed" if failed else "")
