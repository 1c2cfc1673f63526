"""One run: clients at work while a seed's misfortunes happen, then calm, then the judges."""

import asyncio
import hashlib
import random
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

from privysharing.rpc.outside import Outside
from privysharing.sdk import Network as SdkNetwork
from privysharing.sdk import connect
from privysharing.sdk.channel import Timeouts
from services.peer.channel import Channel as PeerChannel
from services.peer.node import Peer
from services.runtime.machine import Machine
from tests.simulation.bringing_up import ENDORSEMENTS, brought_up
from tests.simulation.casting import Cast
from tests.simulation.computers import Computer, Program, Storage
from tests.simulation.cramped import cramped
from tests.simulation.faults import Place
from tests.simulation.handed_in import HandedIn
from tests.simulation.judge.operations import VALID, Answer, Committed, Operation, Refused
from tests.simulation.judge.recorder import Recorder
from tests.simulation.judge.workload import DOCTOR, PEOPLE, Workload, evaluate, submit
from tests.simulation.judge.world import Person
from tests.simulation.log import Cluster
from tests.simulation.loop import SimulatedLoop, simulate
from tests.simulation.lying_clients import lying_client_program
from tests.simulation.network import KEEPALIVE_S, Network
from tests.simulation.nodes import CONTRACT, peer_program
from tests.simulation.officials import OUTLAW, Minutes, officials_program
from tests.simulation.plan import Plan
from tests.simulation.promises import Promises
from tests.simulation.remembering import remembering
from tests.simulation.rpc import Switchboard
from tests.simulation.town import CHANNEL, Town, town
from tests.simulation.two_stories import BLOCKS_MAX
from tests.simulation.verdict import denied_but_ordered, judge, stored_blocks
from tests.simulation.watching import Watcher

DAY_SECONDS = 10  # so that grants lapse within a run
RESTART_S = 1.0  # mean time until a supervisor starts a process again
CALM_S_MAX = 400.0  # after the last misfortune, until all is well
QUIET_CHECKS = 4
QUIET_CHECKS_OF_LIARS = 15  # peers that restart compare their blocks again, with pauses of up to 5 s between attempts
STOP_S = 20.0
NOTICED_S = KEEPALIVE_S + 20.0  # by then everybody knows which of his connections are dead
THINK_S = 0.3  # mean time between two calls
AT_A_TIME = 2  # calls that a client has under way
PATIENCE = Timeouts(evaluate=5.0, endorse=10.0, broadcast=5.0, commit=20.0)


@dataclass(slots=True)
class Run:
    """What came of it."""

    plan: Plan
    faults: list[str] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)  # misfortunes, and what they fell on
    virtual_s: float = 0.0
    operations: int = 0
    acknowledged: int = 0  # envelopes that an orderer took
    committed: int = 0  # transactions that a client was told to be valid
    digest: str = ""  # the same whenever the seed is


def scene_of(plan: Plan) -> Town:
    """The network of a plan."""
    return town(plan.orderers, plan.block_transactions, 0.05)


def weather(seed: int) -> Run:
    """Simulate a seed."""
    return carried_out(Plan.of(seed))


def carried_out(plan: Plan) -> Run:
    """Simulate a plan."""
    chance = random.Random(f"storm {plan.seed}")
    scene = scene_of(plan)
    try:
        brought_up(scene, DAY_SECONDS)  # by which seed first needs it, nobody can tell
        with remembering(), cramped(random.Random(f"limits {plan.seed}")):
            return simulate(chance, lambda loop: _Storm(loop, chance, scene, plan).run())
    except Exception:  # in a word to whoever reads it: some exceptions do not pass from process to process
        return Run(plan, faults=[traceback.format_exc()])


class _Storm:
    """The run of one plan."""

    def __init__(self, loop: SimulatedLoop, chance: random.Random, scene: Town, plan: Plan) -> None:
        self._loop = loop
        self._chance = chance
        self._town = scene
        self._plan = plan
        stage = brought_up(scene, DAY_SECONDS).copy()
        loop.now = self._began = stage.now
        self._network = Network(loop, chance)
        self._switchboard = Switchboard(self._network, scene.ports)
        self._cluster = Cluster(loop, chance, stage.topic)
        self._peers: dict[str, Peer] = {}  # those that serve
        self._stopped: dict[str, str] = {}  # those whose channel has, and why
        self._result = Run(plan)
        self._history: list[Operation] = []
        self._busy = 0
        self._calmed = asyncio.Event()  # everything works again, and shall be seen to
        self._minutes = Minutes()
        self._promises = Promises()
        self._mended = asyncio.Event()  # nothing is broken any more
        self._nodes = {
            node.full_name: self._computer(node.full_name, stage.storage[node.full_name])
            for node in scene.topology.nodes
        }
        for name in scene.told_later:
            self._nodes[name].expendable = True
        self._clients = {f"client{number}": self._computer(f"client{number}", None) for number in range(plan.clients)}
        self._cast = Cast(
            plan.liars,
            scene,
            self._cluster,
            loop,
            random.Random(f"lies of {plan.seed}"),
            began=stage.height,
            blocks_max=BLOCKS_MAX if plan.everybody_is_heard else None,
        )
        self._handed_in = HandedIn(self._cast.lies)
        honest = [name for name in self._nodes if name != self._cast.orderer]
        self._watcher = Watcher(scene, honest, random.Random(f"watcher {plan.seed}"))

    async def run(self) -> Run:
        """Everything, from the first boot to the last."""
        for name in self._nodes:
            self._boot(name)
        supervisor = asyncio.create_task(self._supervise())
        for client in self._clients.values():
            self._busy += 1
            client.boot(self._client_program(client.name))
        if self._plan.liars.client:
            self._busy += 1
            self._computer("liar", None).boot(self._lying_client_program())
        if self._plan.acts:
            self._busy += 1
            self._computer("officials", None).boot(self._officials_program())
        watcher = self._clients["watcher"] = self._computer("watcher", None)
        watcher.boot(self._watcher.run)
        place = Place(self._nodes, self._clients, self._network, self._cluster, self._chance)
        await self._misfortunes(place)
        await place.mend()
        self._mended.set()
        await self._calm()
        watcher.kill()
        if self._all_are_served:
            await self._last_calls()
        self._stopped = {name: channel.stopped for name, channel in self._channels() if channel and channel.stopped}
        supervisor.cancel()
        for node in self._nodes.values():
            node.stop()
        await asyncio.sleep(STOP_S)
        for name, node in self._nodes.items():
            if node.running:
                self._result.faults.append(f"{name} does not stop")
            node.kill()
        return self._judged()

    def _judged(self) -> Run:
        result, history = self._result, self._history
        storage = {name: node.storage for name, node in self._nodes.items()}
        result.met += sum((each.disk.struck for each in storage.values()), self._network.met + self._cluster.met)
        result.faults += judge(self._town, storage, self._handed_in, history, self._cast, self._stopped)
        result.met += self._cast.told.met + self._minutes.met
        result.faults += (*self._minutes.faults, *self._promises.faults)
        result.faults += (f"{name}: {each}" for name, kept in storage.items() for each in kept.disk.breaches)
        blocks = {name: stored_blocks(each) for name, each in storage.items() if name != self._cast.orderer}
        result.faults += self._watcher.judged(blocks)
        if not self._cast.orderer:
            result.faults += denied_but_ordered(self._handed_in.denied, blocks)
        if not self._plan.misfortunes:
            ended = [(node.name, fault) for node in self._nodes.values() for fault in node.faults]
            result.faults += (f"{name} ended although nothing had happened to it: {fault!r}" for name, fault in ended)
        result.virtual_s = self._loop.now - self._began
        result.operations, result.acknowledged = len(history), len(self._handed_in.acknowledged)
        result.committed = sum(isinstance(op.outcome, Committed) and op.outcome.code == VALID for op in history)
        seen = (*map(str, history), *result.faults, str(sorted(result.met.items())), str(self._loop.now))
        result.digest = hashlib.sha256("\n".join(seen).encode()).hexdigest()
        return result

    def _computer(self, name: str, storage: Storage | None) -> Computer:
        off_s, drift = self._chance.gauss(0.0, 0.05), self._chance.gauss(0.0, 2e-5)
        return Computer(name, self._loop, self._switchboard, str(self._plan.seed), storage, off_s, drift)

    def _boot(self, name: str) -> None:
        if any(node.full_name == name for node in self._town.topology.orderers):
            program = self._cast.orderer_program(name)
        else:
            watch, say = partial(self._opened, name), self._cast.say(name)
            honest = peer_program(self._town, name, self._chance, watch, say)
            program = self._cast.peer_program(name, honest)
        self._nodes[name].boot(program)

    def _opened(self, name: str, peer: Peer) -> None:
        self._note_heights()
        self._peers[name] = peer
        if self._nodes[name].wiped:
            self._nodes[name].wiped = False
            self._promises.forget(name)
        if (channel := peer.channels.get(CHANNEL)) is not None:
            self._promises.awoke(name, channel.ledger.height)

    def _note_heights(self) -> None:
        """How much each peer has told, this one and those before it."""
        for name, channel in self._channels():
            if channel is not None:
                self._promises.grew(name, channel.notifier.height)

    async def _supervise(self) -> None:
        """Start again what has ended, as every supervisor does."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / RESTART_S))
            if down := [name for name, node in self._nodes.items() if not node.running]:
                self._boot(self._chance.choice(down))

    async def _misfortunes(self, place: Place) -> None:
        began = self._loop.now
        async with asyncio.TaskGroup() as group:
            for when, misfortune in self._plan.misfortunes:
                await asyncio.sleep(max(0.0, began + when - self._loop.now))
                self._result.met[misfortune.__name__] += 1
                group.create_task(misfortune(place))

    async def _calm(self) -> None:
        """Return when everybody has done his calls, every node runs, and all peers have all that was ordered."""
        deadline = self._loop.now + CALM_S_MAX
        quiet = 0
        heights: set[int] = set()
        while quiet < (QUIET_CHECKS_OF_LIARS if self._cast.equivocates else QUIET_CHECKS):
            await asyncio.sleep(1.0)
            if not self._busy:
                self._put_clocks_right()
            before, heights = heights, self._heights()
            well = not self._busy and all(node.running for node in self._nodes.values()) and len(heights) <= 1
            well = well and not self._lacking()
            quiet = quiet + 1 if well and heights == before else 0
            if self._loop.now > deadline:
                self._result.faults.append(
                    f"no calm: {self._busy} clients are busy, heights {self._state()}, lacking {self._lacking()}"
                )
                return

    def _put_clocks_right(self) -> None:
        """Whose clock is wrong is given no private data: nobody can tell his request from an old one."""
        for machine in (*self._nodes.values(), *self._clients.values()):
            machine.put_clock_right()

    def _channels(self) -> Iterator[tuple[str, PeerChannel | None]]:
        return ((name, peer.channels.get(CHANNEL)) for name, peer in self._peers.items())

    @property
    def _all_are_served(self) -> bool:
        """Whether nobody has a reason to wait for ever, once nothing is broken."""
        return not self._cast.orderer and not self._cast.endorser

    async def _last_calls(self) -> None:
        """Now that nothing stands in the way, everybody is served, wherever he asks."""
        for node in self._nodes.values():
            if node.storage.databases.scrub():
                node.stop()  # a database is made anew at the next start, whoever finds its damage
        await asyncio.sleep(NOTICED_S)
        self._busy = self._plan.clients
        self._calmed.set()
        await self._calm()

    def _heights(self) -> set[int]:
        """Of those that grow."""
        return {
            channel.ledger.height if channel else 0
            for _, channel in self._channels()
            if not (channel and channel.stopped)
        }

    def _lacking(self) -> dict[str, int]:
        """Of peers that grow, how many private sets each lacks that it should have."""
        channels = ((name, channel) for name, channel in self._channels() if channel and not channel.stopped)
        lacking = {name: sum(channel.private.missing_count().values()) for name, channel in channels}
        return {name: number for name, number in lacking.items() if number}

    def _state(self) -> str:
        channels, lacking = dict(self._channels()), self._lacking()
        found = []
        for name, node in self._nodes.items():
            channel = channels.get(name)
            height, stopped = (channel.ledger.height, channel.stopped) if channel else ("-", None)
            state = f"{'runs' if node.running else 'is down'}{' and has stopped' if stopped else ''}"
            found.append(f"{name} {state} at {height}, lacks {lacking.get(name, 0)} {node.faults[-1:]}")
        return "; ".join(found)

    def _finished(self) -> None:
        """A client has done all that he wanted to."""
        self._busy -= 1

    def _officials_program(self) -> Program:
        chance = random.Random(f"officials {self._plan.seed}")
        return officials_program(self._town, chance, self._plan.acts, self._minutes, self._mended, self._finished)

    def _lying_client_program(self) -> Program:
        plan = self._plan
        return lying_client_program(
            self._town,
            random.Random(f"lying client {plan.seed}"),
            2 * plan.calls,
            self._handed_in.acknowledged,
            self._cast.told,
            plan.clocks_are_right,
            self._finished,
        )

    def _client_program(self, name: str) -> Program:
        seed = self._plan.seed

        async def run(machine: Machine, _stop: asyncio.Event) -> None:
            workload = Workload(random.Random(f"workload of {name} {seed}"), DAY_SECONDS)
            async with AsyncExitStack() as stack:
                recorders = {}
                for person in PEOPLE:
                    network = await stack.enter_async_context(self._connected(machine, person))
                    contract = network.contract(CHANNEL, CONTRACT)
                    self._handed_in.listen_to_proposals(contract.channel)
                    if person.party != OUTLAW or not self._plan.acts:  # who is revoked is promised nothing
                        self._handed_in.listen_to_orders(contract.channel, self._took)
                    recorders[person.party] = Recorder(
                        contract,
                        person,
                        f"{name} {person.party}",
                        self._history,
                        outside=Outside(machine.outside.now_ns, self._loop.time),
                        apart_ms=self._plan.clocks_apart_ms,
                        resubmissions=2,
                    )
                async with asyncio.TaskGroup() as group:
                    for _ in range(AT_A_TIME):
                        group.create_task(self._work(workload, recorders))
                if self._all_are_served:
                    self._finished()
                    await self._calmed.wait()
                    await self._call_once_more(recorders[DOCTOR.party])
            self._finished()

        return run

    async def _work(self, workload: Workload, recorders: Mapping[str, Recorder]) -> None:
        for _ in range(self._plan.calls):
            await asyncio.sleep(self._chance.expovariate(1 / THINK_S))
            planned = workload.plan()
            recorder = recorders[planned.who.party]
            operation = await recorder.call(planned, self._chance.choice(recorder.peers))
            outcome = operation.outcome
            if isinstance(outcome, Committed) and not self._nodes[operation.node].expendable:
                self._promises.committed(operation.node, self._nodes[operation.node].storage.disk, outcome.tx_id)
            if isinstance(outcome, Answer | Committed) and outcome.payload and not self._cast.lies(operation.node):
                workload.learn(planned, outcome.payload)

    async def _call_once_more(self, recorder: Recorder) -> None:
        calls = [recorder.call(evaluate(DOCTOR, "GetProfile"), peer) for peer in recorder.peers]
        for call in (*calls, recorder.call(submit(DOCTOR, "SetProfile", {"name": "again"}))):
            operation = await call
            outcome = operation.outcome
            if not isinstance(outcome, Answer | Committed) and not (isinstance(outcome, Refused) and outcome.code):
                self._result.faults.append(f"not served, though all is well: {operation}")

    def _connected(self, machine: Machine, person: Person) -> AbstractAsyncContextManager[SdkNetwork]:
        user, _, msp_id = person.party.rpartition("@")
        org = self._town.organisation(msp_id)
        return connect(
            self._town.profile(org, ENDORSEMENTS),
            self._town.user_identity(org, user),
            timeouts=PATIENCE,
            transport="batch" if self._plan.batches else "unary",
            outside=machine.outside,
        )

    def _took(self, orderer: str, envelope: bytes) -> None:
        """An orderer says that it has an envelope."""
        if self._plan.orderers == 1:  # a log that several share is not on their disks
            self._promises.acknowledged(orderer, self._nodes[orderer].storage.disk, envelope)
