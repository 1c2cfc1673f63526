"""What goes wrong in a run: misfortunes, each at its time, as the seed has it.

Everything that breaks is mended: a run shows that the network gets over it, not that it can be switched off.
"""

import asyncio
import itertools
import random
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from tests.simulation.computers import Computer
from tests.simulation.log import Cluster
from tests.simulation.network import Network, Weather

DEEDS_AHEAD = 6  # mean: a crash falls on one of the next writes, syncs and renames of a disk
REPAIR_S = 4.0  # mean
CLOCK_JUMP_S_MAX = 300
AWAKE_S_MAX = 30.0  # until a machine that went dark is there again
CUT_S = 20.0  # mean; some last longer than connections do


@dataclass(frozen=True, slots=True)
class Place:
    """Where misfortunes happen."""

    computers: Mapping[str, Computer]  # of nodes
    clients: Mapping[str, Computer]
    network: Network
    cluster: Cluster
    chance: random.Random

    def node(self) -> Computer:
        """Some node."""
        return self.chance.choice(list(self.computers.values()))

    def soon(self, mean_s: float = REPAIR_S) -> float:
        """Seconds until something is mended."""
        return self.chance.expovariate(1 / mean_s)

    def deeds_ahead(self) -> int:
        """How many changes of a disk are still made."""
        return int(self.chance.expovariate(1 / DEEDS_AHEAD))

    async def mend(self) -> None:
        """Leave nothing broken."""
        names = [*self.computers, *self.clients]
        for one, other in itertools.combinations(names, 2):
            self.network.heal(one, other)
        self.network.weather = Weather()
        self.cluster.come_back()
        for node in self.computers.values():
            node.storage.disk.mend()
            node.storage.disk.capacity = None
            node.storage.disk.at_cut = None
            node.storage.disk.cut_power_after(sys.maxsize)


Misfortune = Callable[[Place], Coroutine[Any, Any, None]]


async def killed(place: Place) -> None:
    """kill -9, now."""
    place.node().kill()


async def killed_at_a_deed(place: Place) -> None:
    """kill -9 between two changes of the disk."""
    node = place.node()
    node.crash_after(place.deeds_ahead(), node.kill)


async def power_lost_at_a_deed(place: Place) -> None:
    """The machine goes dark between two changes of its disk, or in the middle of one."""
    node = place.node()
    seed = place.chance.getrandbits(32)
    node.crash_after(place.deeds_ahead(), lambda: node.lose_power(seed))


async def power_lost_twice(place: Place) -> None:
    """The machine goes dark, and again while it finds out where it was."""
    node = place.node()
    for deeds in (place.deeds_ahead(), place.chance.randrange(12)):
        before = node.life
        seed = place.chance.getrandbits(32)
        node.crash_after(deeds, lambda seed=seed: node.lose_power(seed))  # type: ignore[misc]
        for _ in range(int(AWAKE_S_MAX)):
            await asyncio.sleep(1.0)
            if node.life is not before:
                break


async def all_power_lost(place: Place) -> None:
    """The whole city is without power."""
    for node in place.computers.values():
        node.lose_power(place.chance.getrandbits(32))


async def restarted(place: Place) -> None:
    """Somebody stops a node in good order."""
    place.node().stop()


async def wiped(place: Place) -> None:
    """A peer that has nothing of its own to lose loses its disk: what was on it, others have."""
    place.chance.choice([node for node in place.computers.values() if node.expendable]).wipe()


async def left_alone(place: Place) -> None:
    """A peer that has lost its disk, and does not reach the other one of its organisation: it has to ask elsewhere."""
    lost = next(node for node in place.computers.values() if node.expendable)
    _, organisation = lost.name.split(".", 1)
    peers = [name for name in place.computers if name.startswith("peer") and name.endswith(organisation)]
    other = next(name for name in peers if name != lost.name)
    place.network.cut(lost.name, other)
    lost.wipe()
    await asyncio.sleep(place.soon(CUT_S))
    place.network.heal(lost.name, other)


async def cut_in_two(place: Place) -> None:
    """Two that do not reach each other for a while."""
    one, other = place.chance.sample([*place.computers, *place.clients], 2)
    place.network.cut(one, other)
    await asyncio.sleep(place.soon(CUT_S))
    place.network.heal(one, other)


async def isolated(place: Place) -> None:
    """A node that nobody reaches for a while."""
    name = place.node().name
    others = [other for other in (*place.computers, *place.clients) if other != name]
    for other in others:
        place.network.cut(name, other)
    await asyncio.sleep(place.soon(CUT_S))
    for other in others:
        place.network.heal(name, other)


async def connections_reset(place: Place) -> None:
    """What is under way to and from somebody is lost."""
    place.network.reset(place.chance.choice([*place.computers, *place.clients]))


async def slow_network(place: Place) -> None:
    """Everything takes long for a while."""
    place.network.weather = Weather(delay_s=0.05, slow_s=2.0)
    await asyncio.sleep(place.soon(10.0))
    place.network.weather = Weather()


async def disk_full(place: Place) -> None:
    """A disk without room, until somebody makes some."""
    node = place.node()
    node.storage.disk.capacity = node.storage.disk.used + place.chance.randrange(4096)
    await asyncio.sleep(place.soon(10.0))
    node.storage.disk.capacity = None


async def disk_fails(place: Place) -> None:
    """A disk that reports errors, once or for a while."""
    node = place.node()
    deed = place.chance.choice(("append", "sync", "rename", "create", "read", "write database", "sync folder"))
    node.storage.disk.fail(deed, skip=place.chance.randrange(10), for_good=place.chance.random() < 0.2)
    await asyncio.sleep(place.soon(10.0))
    node.storage.disk.mend()


async def clock_jumps(place: Place) -> None:
    """Somebody's clock is set."""
    machine = place.chance.choice([*place.computers.values(), *place.clients.values()])
    machine.set_clock(place.chance.uniform(-CLOCK_JUMP_S_MAX, CLOCK_JUMP_S_MAX))


async def brokers_leaderless(place: Place) -> None:
    """The shared log takes nothing for a while."""
    place.cluster.leave()
    await asyncio.sleep(place.soon())
    place.cluster.come_back()


MISFORTUNES: tuple[Misfortune, ...] = (
    killed,
    killed_at_a_deed,
    killed_at_a_deed,
    power_lost_at_a_deed,
    power_lost_at_a_deed,
    power_lost_at_a_deed,
    power_lost_twice,
    power_lost_twice,
    all_power_lost,
    restarted,
    wiped,
    cut_in_two,
    isolated,
    connections_reset,
    slow_network,
    disk_full,
    disk_fails,
    clock_jumps,
    brokers_leaderless,
)
# While these last, somebody may hear from nobody else: a machine that goes dark leaves connections that seem to live.
SILENCING: frozenset[Misfortune] = frozenset(
    (
        power_lost_at_a_deed,
        power_lost_twice,
        all_power_lost,
        cut_in_two,
        isolated,
        slow_network,
        left_alone,
    )
)
# Here somebody forgets what he has seen.
WIPING: frozenset[Misfortune] = frozenset((wiped, left_alone))
