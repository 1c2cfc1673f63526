"""The wires between simulated processes: bytes arrive late, in order on each connection, or never.

What TCP promises holds here, and no more: a connection delivers in order or breaks; a break loses what was under way;
who is cut off is silent, and only a keepalive tells his partners.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.loop import Life, SimulatedLoop

KEEPALIVE_S = 80.0  # privysharing.rpc.channels: a ping a minute, and twenty seconds for its answer
CONNECT_S_MAX = 10.0
MOMENT_S = 1e-7  # two timers for one time go off in any order
SLOW_SHARE = 0.02  # messages that take many times longer than the rest


@dataclass(slots=True)
class Weather:
    """How good the wires are, at present."""

    delay_s: float = 0.000_5  # mean
    slow_s: float = 0.2  # mean, of the slow ones


class Connection:
    """Both directions between a client's and a server's process. `closed` tells each end, once, that it is over."""

    def __init__(self, network: "Network", client: Life, server: Life) -> None:
        self.broken = False
        self._network = network
        self._ends = {client: server, server: client}
        self._arrivals = {client: 0.0, server: 0.0}  # of the latest message, by receiver
        self._on_break: dict[Callable[[], None], Life] = {}
        client.at_end.append(lambda: self._process_gone(client))
        server.at_end.append(lambda: self._process_gone(server))

    def send(self, sender: Life, arrive: Callable[[], None]) -> None:
        """Have `arrive` called in the other process, behind everything sent there before."""
        if self.broken or sender.over:
            return
        receiver = self._ends[sender]
        self._arrivals[receiver] = max(self._arrivals[receiver] + MOMENT_S, self._network.arrival(sender, receiver))
        self._at(self._arrivals[receiver], receiver, arrive)

    def on_break(self, life: Life, tell: Callable[[], None]) -> None:
        """Have one end told when the connection breaks."""
        self._on_break[tell] = life

    def forget(self, tell: Callable[[], None]) -> None:
        """Nobody is interested any more."""
        self._on_break.pop(tell, None)

    def reset(self) -> None:
        """Break now: what is under way is lost, and both ends hear of it."""
        if self.broken:
            return
        self.broken = True
        for tell, life in self._on_break.items():
            self._network.loop.call_soon(tell, context=life.context)
        self._on_break.clear()

    def _process_gone(self, life: Life) -> None:
        """A process ended: its system tells the other one, unless the power or the wire is gone."""
        self._on_break = {tell: each for tell, each in self._on_break.items() if each is not life}
        other = self._ends[life]
        when = self._network.arrival(life, other)
        if self._network.dark(life.name):
            when = self._network.loop.now + KEEPALIVE_S
        self._at(when, other, self.reset)

    def _at(self, when: float, receiver: Life, arrive: Callable[[], None]) -> None:
        self._network.loop.call_at(when, self._arrive, receiver, arrive, context=receiver.context)

    def _arrive(self, receiver: Life, arrive: Callable[[], None]) -> None:
        sender = self._ends[receiver]
        if self.broken:
            return
        healed = self._network.healed(sender.name, receiver.name)
        if healed is None:
            arrive()
        elif not healed.done():  # what was sent waits for the wire, and so does all that was sent after it
            healed.add_done_callback(lambda _: self._arrive(receiver, arrive), context=receiver.context)


class Network:
    """All wires. Processes are known by name; where nothing is said, everybody reaches everybody."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random) -> None:
        self.loop = loop
        self.weather = Weather()
        self.met: Counter[str] = Counter()  # faults that fell on something
        self.connections: list[Connection] = []
        self._chance = chance
        self._cuts: dict[frozenset[str], asyncio.Future[None]] = {}
        self._dark: set[str] = set()

    def arrival(self, sender: Life, receiver: Life) -> float:
        """When something sent now arrives, if nothing stands in its way."""
        del sender, receiver
        delay = self._chance.expovariate(1 / self.weather.delay_s)
        if self._chance.random() < SLOW_SHARE:
            delay += self._chance.expovariate(1 / self.weather.slow_s)
        return self.loop.now + delay

    def connect(self, client: Life, server: Life) -> Connection:
        """A new connection."""
        connection = Connection(self, client, server)
        self.connections = [each for each in self.connections if not each.broken]
        self.connections.append(connection)
        return connection

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two, until `heal`. Connections that are cut for long break at both ends."""
        self._cuts.setdefault(frozenset((one, other)), self.loop.create_future())
        for connection in self.connections:
            if {life.name for life in connection._ends} == {one, other} and not connection.broken:
                self.met["network: connection cut"] += 1
                self.loop.call_later(KEEPALIVE_S, self._break_if_cut, connection, one, other)

    def heal(self, one: str, other: str) -> None:
        """Let everything pass again, beginning with what has waited."""
        healed = self._cuts.pop(frozenset((one, other)), None)
        if healed is not None:
            healed.set_result(None)

    def healed(self, one: str, other: str) -> "asyncio.Future[None] | None":
        """What comes when two can reach each other again; None when they can."""
        return self._cuts.get(frozenset((one, other)))

    def reset(self, name: str) -> None:
        """Break every connection of a process."""
        for connection in self.connections:
            if not connection.broken and name in {life.name for life in connection._ends}:
                self.met["network: connection reset"] += 1
                connection.reset()

    def darken(self, name: str) -> None:
        """The machine of this process loses its power: nothing answers for it."""
        self._dark.add(name)

    def lighten(self, name: str) -> None:
        """The machine is back."""
        self._dark.discard(name)

    def dark(self, name: str) -> bool:
        """Whether a machine is without power."""
        return name in self._dark

    def _break_if_cut(self, connection: Connection, one: str, other: str) -> None:
        if self.healed(one, other) is not None:
            connection.reset()
