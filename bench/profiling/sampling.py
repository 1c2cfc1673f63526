"""Samples of the stacks of running processes, each with the processor time of its threads meanwhile."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.profiling.stacks import Stack, parse_folded

SAMPLES_PER_SECOND = 100
_PROGRAM = "py-spy"
_ENDS_EARLIER_S = 0.5  # than the load, whose last calls are few
_TRIES = 3  # py-spy reads the memory of a process that goes on, and now and then dies of what it finds


class CannotSample(Exception):
    """A process cannot be looked into."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What was seen of one process. `cpu_s` is by thread, `names` are what the system calls them."""

    stacks: tuple[Stack, ...]
    cpu_s: Mapping[int, float]
    names: Mapping[int, str]


@dataclass(slots=True)
class Sampler:
    """Takes samples of processes, and keeps them, by name, with the raw stacks in a folder.

    One after the other: to look at a process takes a fifth of a core, and what is looked at should go on as before.
    """

    folder: Path
    profiles: dict[str, Profile] = field(default_factory=dict)

    async def sample(self, pids: Mapping[str, int], seconds: float) -> None:
        """Share some seconds between processes. Raises CannotSample."""
        each = max(1.0, (seconds - _ENDS_EARLIER_S) / len(pids))
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, pid in pids.items():
            await self._sample(name, pid, each)

    async def _sample(self, name: str, pid: int, seconds: float) -> None:
        file = self.folder / f"{name}.folded"
        before = _threads(pid)
        await _record(name, pid, seconds, file)
        after = _threads(pid)
        spent = {thread: cpu_s - before.get(thread, 0.0) for thread, cpu_s in after.items()}
        stacks = tuple(parse_folded(file.read_text(encoding="utf-8")))
        self.profiles[name] = Profile(stacks, spent, {thread: _name(pid, thread) for thread in spent})


async def _record(name: str, pid: int, seconds: float, file: Path) -> None:
    """One py-spy. It counts threads that run or want to, which the processor time of each then puts right."""
    options = {
        "--pid": str(pid),
        "--duration": str(round(seconds)),  # whole ones only
        "--rate": str(SAMPLES_PER_SECOND),
        "--format": "raw",
        "--output": str(file),
    }
    arguments = [each for pair in options.items() for each in pair]
    for _ in range(_TRIES):
        py_spy = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / _PROGRAM),
            "record",
            *arguments,
            "--threads",
            "--function",
            "--full-filenames",
            "--nonblocking",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await py_spy.communicate()
        if py_spy.returncode == 0:
            return
    why = said.decode(errors="replace").strip().splitlines() or [f"it ended with {py_spy.returncode}"]
    raise CannotSample(f"{_PROGRAM} cannot sample {name} (process {pid}): {why[0]}")


def _threads(pid: int) -> dict[int, float]:
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process(pid).threads()}


def _name(pid: int, thread: int) -> str:
    """What the system calls a thread, where it tells."""
    file = Path(f"/proc/{pid}/task/{thread}/comm")
    return file.read_text().strip() if file.exists() else "thread"
