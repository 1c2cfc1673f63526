"""Strikes as they are carried out on the processes of a network, and how long it takes to get over each."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

import psutil

from deploy.manifest import NodeEntry
from services.client.network.processes import NodeFault, Processes
from tests.chaos.relays import Relays
from tests.chaos.schedule import ENSEMBLE_LEADER, Cut, FullDisk, Kill, Meddle, Restart, Stop, Strike
from tests.chaos.smalldisk import SmallDisk
from tests.support.live import CHANNEL
from tests.support.topics import read_topic, write_topic

RECOVERY_SECONDS_MAX = 60.0
NOTICING_SECONDS_MAX = 60.0  # of a disk that is full, with load on the network
STARVED_SECONDS = 3.0  # how long a node may try to start on a full disk
MEANINGLESS = (b"", b"\xff" * 30, b"not a record", bytes(1_000_000))  # to orderers
SAYS_WHY = "space"  # in what a node logs before a full disk ends it
_PROBE_INTERVAL_S = 0.05


class Stuck(Exception):
    """The network was left alone and did not recover."""


@dataclass(slots=True)
class Struck:
    """What has been done so far."""

    kills: int = 0
    stops: int = 0
    restarts: int = 0
    full_disks: int = 0
    cuts: int = 0
    meddled: int = 0  # records that somebody else wrote into the topic
    slowest_recovery_s: float = 0.0
    slowest_recovery: str = ""  # from what


class Hand:
    """Strikes nodes. `progress` grows whenever the network has done something for a client.

    `relays` are on the way from one orderer to the brokers, where the network has a Kafka cluster of its own.
    """

    def __init__(
        self, processes: Processes, relays: Relays | None, progress: Callable[[], int], say: Callable[[str], None]
    ) -> None:
        self._processes = processes
        self._relays = relays
        self._progress = progress
        self._say = say
        self._disk: SmallDisk | None = None
        self._from = ""
        self.struck = Struck()

    async def strike(self, strike: Strike) -> None:
        """Strike, and see to it that everybody runs again. NodeFault or Stuck when a node does not recover."""
        self._from = str(strike)
        match strike:
            case Kill():
                await self._kill(strike)
            case Stop():
                await self._stop(strike)
            case Restart():
                await self._restart(strike.victim)
                self.struck.restarts += 1
            case FullDisk():
                await self._full_disk(strike)
            case Cut(seconds):
                await self._cut(seconds)
            case Meddle(records):
                await asyncio.to_thread(self._meddle, records)

    async def recovered(self) -> None:
        """Return once every node serves and the network works for clients."""
        began = time.monotonic()
        await self._processes.ready(RECOVERY_SECONDS_MAX)
        served_s = round(time.monotonic() - began, 1)
        before = self._progress()
        while self._progress() == before:
            if time.monotonic() - began > RECOVERY_SECONDS_MAX:
                raise Stuck(f"every node serves, and no transaction came through in {RECOVERY_SECONDS_MAX:g} s")
            await asyncio.sleep(_PROBE_INTERVAL_S)
        took_s = round(time.monotonic() - began, 1)
        if took_s > self.struck.slowest_recovery_s:
            self.struck.slowest_recovery_s = took_s
            self.struck.slowest_recovery = f"{self._from}; every process served after {served_s} s"

    def close(self) -> None:
        """Give back what nodes that have ended had their data on."""
        if self._disk is not None:
            self._disk.give_back()
            self._disk = None

    async def _kill(self, strike: Kill) -> None:
        victims = [self._named(victim) for victim in strike.victims]
        await self._end_at_once(victims)
        await asyncio.sleep(strike.down_s)
        for after_s in strike.again_after_s:
            await self._start(victims)
            await asyncio.sleep(after_s)
            await self._end_at_once(victims)
        await self._start(victims)
        if strike.waits:
            await self.recovered()

    async def _stop(self, strike: Stop) -> None:
        process = self._running(strike.victim)
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(strike.seconds)
        finally:
            process.send_signal(signal.SIGCONT)
        self.struck.stops += 1
        await self.recovered()

    async def _cut(self, seconds: float) -> None:
        assert self._relays is not None, "whoever cuts has something to cut"
        with self._relays.cut():
            await asyncio.sleep(seconds)
        self.struck.cuts += 1
        await self.recovered()

    def _meddle(self, records: int) -> None:
        brokers = self._processes.network.ordering.brokers
        there = [record for _, record in read_topic(brokers, CHANNEL)]
        again = Random(len(there)).choices(there, k=records)
        write_topic(brokers, CHANNEL, [*again, *MEANINGLESS])
        self.struck.meddled += len(again) + len(MEANINGLESS)

    def _named(self, victim: str) -> str:
        """Who that is now."""
        kafka = self._processes.kafka
        if victim != ENSEMBLE_LEADER or kafka is None:
            return victim
        leads = [member.name for member in kafka.ensemble if kafka.mode(member) in ("leader", "standalone")]
        return leads[0] if leads else kafka.ensemble[0].name

    async def _restart(self, victim: str) -> None:
        self._running(victim)
        await self._end(victim)
        await self._start([victim])
        await self.recovered()

    async def _full_disk(self, strike: FullDisk) -> None:
        """The disk fills while the node works; the node ends, says why, and recovers when there is room."""
        node = self._processes.network.node(strike.victim)
        await self._end(node.name)
        disk = self._disk = SmallDisk(self._processes.network.path(node.data))
        disk.take_in()
        await self._start([node.name])
        await self.recovered()
        said_before = self._processes.log(node).stat().st_size
        disk.fill(strike.headroom)
        await self._ends_for_want_of_space(node, NOTICING_SECONDS_MAX)
        await self._start([node.name])  # in vain, or not for long
        await asyncio.sleep(STARVED_SECONDS)
        with self._processes.log(node).open("rb") as log:
            log.seek(said_before)
            why = [line for line in log.read().decode(errors="replace").splitlines() if SAYS_WHY in line]
        if not why:
            raise NodeFault(node.name, "ended on a full disk and did not say why", self._processes.log(node))
        self._say(f"{node.name} said: {why[-1]}")
        disk.make_room()
        await self._start([node.name])
        await self.recovered()
        await self._end(node.name)
        disk.give_back()
        self._disk = None
        await self._start([node.name])
        await self.recovered()
        self.struck.full_disks += 1

    async def _ends_for_want_of_space(self, node: NodeEntry, seconds: float) -> None:
        process = self._running(node.name)
        try:
            code = await asyncio.to_thread(process.wait, seconds)
        except psutil.TimeoutExpired:
            raise NodeFault(node.name, f"works on a full disk after {seconds:g} s", self._processes.log(node)) from None
        if code is None or code <= 0:  # of signals, or as if nothing were wrong
            raise NodeFault(node.name, f"ended with {code} on a full disk", self._processes.log(node))

    async def _end_at_once(self, victims: Iterable[str]) -> None:
        processes = [self._running(victim) for victim in victims]
        for process in processes:
            process.kill()
        self.struck.kills += len(processes)
        for process in processes:
            await asyncio.to_thread(process.wait)

    async def _end(self, victim: str) -> None:
        await asyncio.to_thread(self._processes.stop, [victim])

    async def _start(self, victims: Iterable[str]) -> None:
        await asyncio.to_thread(self._processes.start, list(victims))

    def _running(self, victim: str) -> psutil.Process:
        """A node that is to be struck must run: one that does not has ended by itself."""
        running = self._processes.running(victim)
        process = running.process
        if process is None:
            raise NodeFault(victim, "ended by itself", running.log)
        return process
