"""A channel of the city on two peers in memory, its people quarrelling, and all that they were told written down.

Real contract, real conflicts: what is called in one round is simulated on the same state and committed as one block.
One peer endorses and acknowledges, the other one follows some blocks behind. Time is virtual.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from random import Random

from privysharing.chaincode.memory import MemoryStub
from privysharing.protocol.codes import TxCode
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.operations import Answer, Block, Committed, Operation, Refused, Told
from tests.simulation.judge.workload import Planned, Workload
from tests.support.city import NOON, City, creator

SECOND = 1_000_000_000
FAST, SLOW = "fast", "slow"


@dataclass(frozen=True, slots=True)
class _Submitted:
    planned: Planned
    stub: MemoryStub
    payload: bytes
    started: float


@dataclass(slots=True)
class Played:
    """What the judges are given: blocks, their valid transactions, what clients were told; and the final state."""

    blocks: list[Block] = field(default_factory=lambda: [Block(0, ())])
    invocations: list[Invocation] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    state: dict[str, bytes] = field(default_factory=dict)


class Play:
    """`day_seconds`: how long a paid day lasts; a round takes some seconds."""

    def __init__(self, random: Random, day_seconds: int = 30) -> None:
        self.played = Played()
        self._random = random
        self._workload = Workload(random, day_seconds)
        self._time = 0.0
        self._calls = 0
        self._fast, self._slow = City(), City()
        self._behind: deque[list[MemoryStub]] = deque()

    def run(self, rounds: int) -> Played:
        for planned in self._workload.opening():
            self._round([planned])
        for _ in range(rounds):
            self._round([self._workload.plan() for _ in range(self._random.randint(1, 6))])
        self.played.state = self._fast.state()
        return self.played

    def _round(self, calls: list[Planned]) -> None:
        """Some ask before the block and some behind it; all who submit do it before."""
        self._time += self._random.randint(1, 5)
        submitted = [found for planned in calls if planned.kind == "submit" and (found := self._endorse(planned))]
        asking = [planned for planned in calls if planned.kind == "evaluate"]
        early = [planned for planned in asking if self._random.random() < 0.5]
        self._ask(early, self._time)
        if submitted:
            self._commit(submitted)
        self._ask([planned for planned in asking if planned not in early], self._time + 0.6)

    def _endorse(self, planned: Planned) -> _Submitted | None:
        started = self._time + self._random.random() / 10
        payload, code, stub = self._simulate(self._fast, planned, started)
        if code:
            self._tell(planned, FAST, started, started + 0.1, Refused(code))
            return None
        return _Submitted(planned, stub, payload, started)

    def _commit(self, submitted: list[_Submitted]) -> None:
        number = len(self.played.blocks)
        stubs = [one.stub for one in submitted]
        verdicts = self._fast.world.commit(*stubs)
        self._behind.append(stubs)
        while len(self._behind) > self._random.randint(0, 3):
            self._slow.world.commit(*self._behind.popleft())
        entries = zip(submitted, verdicts, strict=True)
        self.played.blocks.append(Block(number, tuple((one.stub.tx_id, code.name) for one, code in entries)))
        for index, (one, code) in enumerate(zip(submitted, verdicts, strict=True)):
            told = Committed(one.stub.tx_id, number, code.name, one.payload if code is TxCode.VALID else b"")
            self._tell(one.planned, FAST, one.started, self._time + 0.55, told)
            if code is TxCode.VALID:
                self.played.invocations.append(invocation_of(one.planned, one.stub, one.payload, number, index))
                self._workload.learn(one.planned, one.payload)

    def _ask(self, calls: list[Planned], time: float) -> None:
        for place, planned in enumerate(calls):
            name = self._random.choice((FAST, SLOW))
            started = time + place / 100
            payload, code, _ = self._simulate(self._fast if name == FAST else self._slow, planned, started)
            self._tell(planned, name, started, started + 0.005, Refused(code) if code else Answer(payload))
            if not code:
                self._workload.learn(planned, payload)

    def _simulate(self, city: City, planned: Planned, started: float) -> tuple[bytes, str, MemoryStub]:
        """Payload, the code of a refusal, and what was read and written. The peer's clock is some seconds off."""
        self._calls += 1
        at = NOON + int(started * SECOND)
        identity = creator(planned.who.party, "admin" if planned.who.admin else "client")
        city.calls = self._calls  # the ids of transactions count calls
        apart = self._random.randint(-2 * SECOND, 2 * SECOND)
        response, stub = city.simulate(
            identity, planned.function, *planned.args, at=at, peer_time=at + apart, transient=dict(planned.transient)
        )
        code = json.loads(response.message)["code"] if response.status >= 400 else ""
        return response.payload, code, stub

    def _tell(self, planned: Planned, node: str, started: float, ended: float, told: Told) -> None:
        self.played.operations.append(
            Operation(
                session=f"session of {planned.who.party}",
                who=planned.who,
                node=node,
                kind=planned.kind,
                function=planned.function,
                args=planned.args,
                transient=planned.transient,
                started=started,
                ended=ended,
                earliest_ns=NOON + int(started * SECOND) - 2 * SECOND,
                latest_ns=NOON + int(ended * SECOND) + 2 * SECOND,
                outcome=told,
            )
        )


def invocation_of(planned: Planned, stub: MemoryStub, payload: bytes, block: int, index: int) -> Invocation:
    """What a judge is told of a transaction that is found valid."""
    person, _, msp_id = planned.who.party.rpartition("@")
    return Invocation(
        tx_id=stub.tx_id,
        block=block,
        index=index,
        chaincode="privysharing",
        function=planned.function,
        args=tuple(arg.encode() for arg in planned.args),
        msp_id=msp_id,
        common_name=person,
        units=("admin" if planned.who.admin else "client",),
        timestamp_ns=stub.timestamp_ns,
        payload=payload,
        writes=dict(stub.writes),
        event=stub.event,
        transient=planned.transient,
    )
