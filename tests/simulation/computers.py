"""Computers of a simulated network: each has a disk, a clock that drifts, chance of its own, and runs one process."""

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from privysharing.rpc.outside import Outside
from services.runtime.machine import Machine
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk, PowerLoss
from tests.simulation.loop import Life, SimulatedLoop
from tests.simulation.rpc import Switchboard
from tests.simulation.strands import may_pause
from tests.simulation.town import BEGINNING_NS

SECOND_NS = 1_000_000_000
NO_RECORD_BYTES = 50  # a file of records that is no longer has none

Program = Callable[[Machine, asyncio.Event], Coroutine[Any, Any, None]]


class Storage:
    """What a computer keeps."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.databases = Databases(self.disk)

    def everything(self) -> bytes:
        """All bytes on it, of files and of databases."""
        return b"\n".join((self.disk.everything(), self.databases.everything()))


class Databases(MemoryDatabases):
    """Databases that can be looked into as a thief would."""

    def everything(self) -> bytes:
        """All that is stored, also what was overwritten since."""
        return b"\n".join(
            part
            for stored in self._stored.values()
            for key, versions in stored.values.items()
            for part in (key, *(value for _, value in versions if value is not None))
        )

    def scrub(self) -> bool:
        """Find the damage that nobody has met yet, as reading everything would: whether there was any."""
        damaged = [folder for folder, stored in self._stored.items() if stored.damaged is not None]
        for folder in damaged:
            self.doubt(folder)
        return bool(damaged)


class Disk(MemoryDisk):
    """A disk that says at once that its power was cut, and that notices when things happen in the wrong order."""

    def __init__(self) -> None:
        super().__init__()
        self.at_cut: Callable[[], None] | None = None
        self.breaches: list[str] = []  # of the order in which things are to be written

    def do(self, deed: str, path: Path) -> None:
        if deed == "write database" and self.unsynced(path.parent / "blocks"):
            self.breaches.append(f"{path} is written before the blocks that it follows from")
        try:
            super().do(deed, path)
        except PowerLoss:
            if self.at_cut is not None:
                self.at_cut()
            raise

    def look(self, deed: str, path: Path, generation: int | None = None) -> None:
        may_pause()
        super().look(deed, path, generation)

    def unsynced(self, folder: Path) -> bool:
        """Whether a power loss could take a record that files below a folder hold."""
        return any(
            contents is not None
            and len(contents.seen) > NO_RECORD_BYTES
            and any(not change.forsaken for change in contents.changes)
            for path, contents in self._seen.items()
            if folder in path.parents
        )

    def everything(self) -> bytes:
        """All that files hold, or would hold once they are synced."""
        return b"\n".join(bytes(contents.seen) for contents in self._seen.values() if contents is not None)

    def platters(self, folder: Path) -> bytes:
        """All that files below a folder are sure to hold."""
        kept = ((path, contents) for path, contents in self._durable.items() if contents and folder in path.parents)
        return b"".join(bytes(contents.durable) for _, contents in sorted(kept, key=lambda each: each[0]))


class Computer:
    """See the module. `faults` has what ended its processes, when nobody had told them to stop."""

    def __init__(
        self,
        name: str,
        loop: SimulatedLoop,
        switchboard: Switchboard,
        seed: str,
        storage: Storage | None = None,
        clock_off_s: float = 0.0,
        drift: float = 0.0,
    ) -> None:
        self.name = name
        self.storage = storage or Storage()
        self.expendable = False  # whether its disk may be lost
        self.wiped = False  # and was, since somebody last looked
        self.life: Life | None = None
        self.faults: list[BaseException] = []  # what ended its processes
        self._loop = loop
        self._switchboard = switchboard
        self._chance = random.Random(f"{seed}/{name}")
        self._clock_off_s = clock_off_s
        self._drift = drift
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.life is not None and not self.life.over

    @property
    def stopping(self) -> bool:
        """Whether its process was asked to stop."""
        return self._stop.is_set()

    def now_ns(self) -> int:
        """What its clock says."""
        elapsed = self._loop.now * (1 + self._drift) + self._clock_off_s
        return BEGINNING_NS + 3600 * SECOND_NS + int(elapsed * SECOND_NS)

    def set_clock(self, by_s: float) -> None:
        """Have its clock jump."""
        self._clock_off_s += by_s

    def put_clock_right(self) -> None:
        """Have it say what others say."""
        self._clock_off_s = 0.0

    def boot(self, program: Program) -> None:
        """Start its program."""
        assert not self.running
        self._switchboard.network.lighten(self.name)
        self._stop = asyncio.Event()
        life = self.life = Life(self.name)
        open_channel = cast("Any", self._switchboard.open_channel)
        outside = Outside(self.now_ns, self._loop.time, self._chance.randbytes, open_channel)
        machine = life.context.run(self._machine, outside)
        self._task = life.start(program(machine, self._stop))
        self._task.add_done_callback(lambda task: self._exited(life, task))

    def stop(self) -> None:
        """Ask the process to end (SIGTERM)."""
        self._stop.set()

    def crash_after(self, deeds: int, then: Callable[[], None]) -> None:
        """End the process at one of the next changes of its disk, in the middle of it; `then` says how."""

        def cut() -> None:
            self.storage.disk.at_cut = None
            self._end()
            self._loop.call_soon(then, context=contextvars.Context())  # what runs now may not see the disk come back

        self.storage.disk.at_cut = cut
        self.storage.disk.cut_power_after(deeds)

    def kill(self) -> None:
        """End the process (kill -9). What it wrote, the system still has."""
        self._end()
        self.storage.disk.crash()

    def lose_power(self, seed: int) -> None:
        """End the process and whatever the disk had not been told to keep."""
        self._switchboard.network.darken(self.name)
        self._end()
        self.storage.disk.restart(seed)

    def wipe(self) -> None:
        """End the process, and put another disk in."""
        self._end()
        self.storage = Storage()
        self.wiped = True

    def _machine(self, outside: Outside) -> Machine:
        make_server = cast("Any", self._switchboard.make_server)
        return Machine(self.storage.disk, self.storage.databases, outside, make_server)

    def _end(self) -> None:
        if self.life is not None and not self.life.over:
            self._loop.end(self.life)

    def _exited(self, life: Life, task: asyncio.Task[None]) -> None:
        """The process came to its end by itself."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.faults.append(error)
        if not life.over:
            self._loop.call_soon(self._cleared, life)

    def _cleared(self, life: Life) -> None:
        """The system takes back what an ended process held."""
        if not life.over:
            self._loop.end(life)
            self.storage.disk.crash()
