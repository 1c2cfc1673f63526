"""Processes of this machine that outlive whoever started them.

Each is recorded in a file, with its start time, so that only what was started here is ever stopped.
"""

import contextlib
import json
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import psutil

_POLL_INTERVAL_S = 0.05
_LOG_TAIL_BYTES = 2_000


class Running:
    """One process at a time. `log` gets what it prints."""

    def __init__(self, record: Path, log: Path) -> None:
        self.log = log
        self._record = record
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], folder: Path) -> None:
        """Start it in a folder."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - the command comes from what was generated here
                arguments,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is for whoever started it
            )
        self._bury()
        self._child = child
        self._record.write_text(json.dumps({"pid": child.pid, "started": psutil.Process(child.pid).create_time()}))

    @property
    def process(self) -> psutil.Process | None:
        """What was started, if it still runs."""
        try:
            record = json.loads(self._record.read_text())
            process = psutil.Process(record["pid"])
            same = process.create_time() == record["started"] and runs(process)
        except (FileNotFoundError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None
        return process if same else None

    def forget(self) -> None:
        """It has ended, and is to be: remove the record."""
        self._record.unlink(missing_ok=True)
        self._bury()

    def _bury(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None


def stop(wanted: Collection[Running], seconds_max: float) -> None:
    """Ask them to end; those that have not after some seconds are killed."""
    running = {process.pid: process for each in wanted if (process := each.process) is not None}
    for process in running.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    kill(wanted, _alive_after(seconds_max, list(running.values())))


def kill(wanted: Collection[Running], alive: Collection[psutil.Process] | None = None) -> None:
    """End them at once."""
    if alive is None:
        alive = [process for each in wanted if (process := each.process) is not None]
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _alive_after(10.0, list(alive))
    for each in wanted:
        each.forget()


def last_words(log: Path) -> str:
    """The end of what a process has printed."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        skipped = max(0, log.stat().st_size - _LOG_TAIL_BYTES)
        file.seek(skipped)
        if skipped:
            file.readline()  # the rest of a line
        return file.read().decode(errors="replace").strip()


def runs(process: psutil.Process) -> bool:
    """Not so of one that has ended and that nobody has buried: some containers never do."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _alive_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run when the time is over; returns as soon as none does."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if runs(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL_S)
    return alive
