"""Stacks as py-spy writes them, one a line: `thread (7): name;function (file:line);... 12`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_THREAD = re.compile(r"thread \((\d+)\).*")
_FRAME = re.compile(r"(?P<function>.+) \((?P<file>.+):\d+\)")
_LIBRARIES = re.compile(r".*/(?:site-packages|lib/python3\.\d+)/")
OWN = ("privysharing", "services", "bench", "deploy")
_LOOPS = ("services.runtime.process:", "services.runtime.command:", "deploy.ordering:", "bench.__main__:")  # run loops

# Where threads wait for something. One that is seen there has just been woken, and waits for a processor.
_WAITING = (
    "selectors:",
    "threading:Condition.wait",
    "threading:Event.wait",
    "concurrent.futures.thread:_worker",
    "services.runtime.disk:",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A function and the module that it is in."""

    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"

    @property
    def is_own(self) -> bool:
        """Whether the code is this project's, and not a library's."""
        return self.module.split(".", 1)[0] in OWN

    @property
    def room(self) -> str:
        """The package that the module is in; of libraries, the outermost."""
        return self.module.rpartition(".")[0] or self.module if self.is_own else self.module.split(".", 1)[0]


@dataclass(frozen=True, slots=True)
class Stack:
    """Seen `samples` times on a thread. The outermost function first."""

    thread: int
    frames: tuple[Frame, ...]
    samples: int

    @property
    def owner(self) -> Frame | None:
        """Whose time it is: the innermost function of this project's, or of a library that none of them called."""
        own = (frame for frame in reversed(self.frames) if frame.is_own and not str(frame).startswith(_LOOPS))
        return next(own, self.frames[-1] if self.frames else None)

    @property
    def waits(self) -> bool:
        """Whether it is hardly any work that was seen."""
        return not self.frames or str(self.frames[-1]).startswith(_WAITING)


def parse_folded(text: str) -> Iterator[Stack]:
    """The stacks of a file. Lines of another form are none of py-spy's: ValueError."""
    for line in text.splitlines():
        places, _, samples = line.rpartition(" ")
        thread, *frames = places.split(";")
        if (found := _THREAD.fullmatch(thread)) is None:
            raise ValueError(f"needed: thread (<id>); found: {thread[:80]!r}")
        yield Stack(int(found[1]), tuple(map(_frame, frames)), int(samples))


@cache
def _frame(text: str) -> Frame:
    found = _FRAME.fullmatch(text)
    return Frame(_module(found["file"]), found["function"]) if found else Frame("native", text)


def _module(file: str) -> str:
    path = Path(_LIBRARIES.sub("", file))
    if path.is_relative_to(_ROOT):
        path = path.relative_to(_ROOT)
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__").lstrip("/.")
