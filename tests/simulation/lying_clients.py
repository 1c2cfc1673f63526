"""A client that sends what he likes, to whom he likes: his own lies, others' envelopes, garbage."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from privysharing.protocol.build import make_proposal, make_transaction, sign_proposal, signed
from privysharing.protocol.codec.envelopes import encode_envelope, parse_envelope
from privysharing.protocol.codec.transactions import encode_signed_proposal
from privysharing.protocol.envelopes import NONCE_BYTES
from privysharing.protocol.transactions import ChaincodeInput, Proposal, ProposalResponse
from privysharing.rpc.errors import NodeError
from privysharing.sdk.connections import Connections
from privysharing.sdk.profile import Node
from services.runtime.machine import Machine
from tests.simulation.computers import Program
from tests.simulation.judge.workload import PEOPLE, Planned, Workload
from tests.simulation.liars import Told
from tests.simulation.nodes import CONTRACT, SECOND_NS
from tests.simulation.town import CHANNEL, Town
from tests.support.liars import LyingClient, flipped

LIAR: Final = "lying client"
ENDORSEMENTS = 2
THINK_S = 0.4  # mean time between two lies
PATIENCE_S = 5.0
WRONG_CLOCK_S = (650, 850)  # beyond the window of orderers, within that of endorsers
UNKNOWN_FIELD = b"\xfa\x01\x03abc"

EVERYWHERE, REPLAY, DISGUISED, STOLEN = "to all orderers at once", "replays another's", "in another form", "steals"
TOO_OLD, TOO_NEW, GARBAGE, CUT_OFF, FLIPPED = "too old", "too new", "garbage", "cut off", "one bit is another"
TRICKS: Final = (EVERYWHERE, REPLAY, DISGUISED, STOLEN, TOO_OLD, TOO_NEW, GARBAGE, CUT_OFF, FLIPPED)
LIES: Final = (*TRICKS, *sorted(LyingClient.LIES))


def lying_client_program(
    town: Town,
    chance: random.Random,
    lies: int,
    seen: Mapping[bytes, str],
    told: Told,
    clocks_right: bool,
    done: Callable[[], None],
) -> Program:
    """So many lies, one after the other. `seen`: others' envelopes, as they come to be known.

    Where the clocks of nodes are not right, what is too old for one may be new to another.
    """

    async def run(machine: Machine, _stop: asyncio.Event) -> None:
        liar = _Liar(town, machine, chance, seen, told, clocks_right)
        for _ in range(lies):
            await asyncio.sleep(chance.expovariate(1 / THINK_S))
            await liar.lie(chance.choice(LIES))
        await liar.close()
        done()

    return run


@dataclass(frozen=True, slots=True)
class _Endorsed:
    """An honest proposal, and equal answers to it."""

    proposal: Proposal
    answers: Sequence[ProposalResponse]
    envelope: bytes  # what an honest client would send


class _Person:
    """One of the town's people, who has two connections to everybody: with Fabric's calls, and with ours."""

    def __init__(self, town: Town, machine: Machine, party: str, chance: random.Random) -> None:
        user, _, msp_id = party.rpartition("@")
        org = town.organisation(msp_id)
        self.signer = town.user_identity(org, user)
        self.liar = LyingClient(self.signer, chance)
        profile = town.profile(org, ENDORSEMENTS)
        self.nodes = profile.channel(CHANNEL)
        self.connections = [
            Connections(profile, self.signer, "batch", machine.outside),
            Connections(profile, self.signer, "unary", machine.outside),
        ]
        self._outside = machine.outside

    async def endorsed(self, planned: Planned, clock_off_s: int = 0) -> _Endorsed | None:
        """What enough peers agree on, if they do."""
        proposal = make_proposal(
            CHANNEL,
            CONTRACT,
            ChaincodeInput((planned.function.encode(), *(arg.encode() for arg in planned.args))),
            self.signer.serialized,
            nonce=self._outside.random_bytes(NONCE_BYTES),
            timestamp_ns=self._outside.now_ns() + clock_off_s * SECOND_NS,
        )
        raw = encode_signed_proposal(sign_proposal(proposal, self.signer))
        asked = [self._ask(node, raw) for node in self.nodes.endorsers]
        camps: dict[bytes, list[ProposalResponse]] = defaultdict(list)
        for answer in await asyncio.gather(*asked):
            if answer is not None and answer.endorsement is not None:
                camps[answer.payload].append(answer)
        agreed = max(camps.values(), key=len, default=[])[:ENDORSEMENTS]
        if len(agreed) < ENDORSEMENTS:
            return None
        return _Endorsed(proposal, agreed, signed(make_transaction(proposal, agreed), self.signer).raw)

    async def _ask(self, node: Node, proposal: bytes) -> ProposalResponse | None:
        try:
            return await self.connections[0].endorser(node).process_proposal(proposal, PATIENCE_S)
        except NodeError:
            return None


class _Liar:
    """Plays one of the town's people at a time."""

    def __init__(
        self,
        town: Town,
        machine: Machine,
        chance: random.Random,
        seen: Mapping[bytes, str],
        told: Told,
        clocks_right: bool,
    ) -> None:
        self._people = {each.party: _Person(town, machine, each.party, chance) for each in PEOPLE}
        self._workload = Workload(random.Random(chance.getrandbits(32)))
        self._chance = chance
        self._seen = seen
        self._told = told
        self._clocks_right = clocks_right

    async def lie(self, lie: str) -> None:
        """Tell one, if what it takes is to be had."""
        planned = self._workload.plan()
        person = self._people[planned.who.party]
        if lie in (REPLAY, STOLEN, GARBAGE, CUT_OFF, FLIPPED):
            told = self._made_of_others(lie, person)
        else:
            told = await self._of_his_own(lie, person, planned)
        if told is not None:
            self._told.tell(LIAR, lie)
            await self._send(person, told, everywhere=lie == EVERYWHERE)

    async def close(self) -> None:
        """Hang up."""
        await asyncio.gather(*(each.close() for person in self._people.values() for each in person.connections))

    async def _of_his_own(self, lie: str, person: _Person, planned: Planned) -> bytes | None:
        if planned.kind == "evaluate" and planned.is_private:
            return None  # who may read what is private can tell everybody: that is no lie
        clock_off_s = self._chance.randint(*WRONG_CLOCK_S) * {TOO_OLD: -1, TOO_NEW: 1}.get(lie, 0)
        honest = await person.endorsed(planned, clock_off_s)
        if honest is None:
            return None
        if lie == EVERYWHERE:
            return honest.envelope
        if lie == DISGUISED:
            return honest.envelope + UNKNOWN_FIELD
        if lie in (TOO_OLD, TOO_NEW):
            return self._forged(lie, honest.envelope) if self._clocks_right else honest.envelope
        told = person.liar.envelope(honest.proposal, honest.answers, lie)
        is_a_lie = told != honest.envelope  # what read nothing can drop no reads
        return self._forged(lie, told) if is_a_lie else None

    def _made_of_others(self, lie: str, person: _Person) -> bytes | None:
        if lie == GARBAGE:
            return self._chance.randbytes(self._chance.randint(0, 2000))
        if not self._seen:
            return None
        others = self._chance.choice(list(self._seen))
        if lie == REPLAY:
            return others
        if lie == STOLEN:
            payload = parse_envelope(others).payload
            told = encode_envelope(payload, person.signer.sign(payload))
            return None if told == others else self._forged(lie, told)
        if lie == CUT_OFF:
            return self._forged(lie, others[: self._chance.randrange(len(others))])
        return self._forged(lie, flipped(others, self._chance))

    def _forged(self, lie: str, envelope: bytes) -> bytes:
        self._told.forge(envelope, f"{LIAR}: {lie}")
        return envelope

    async def _send(self, person: _Person, envelope: bytes, *, everywhere: bool) -> None:
        connections = self._chance.choice(person.connections)
        orderers = person.nodes.orderers if everywhere else [self._chance.choice(person.nodes.orderers)]
        sending: list[Any] = [connections.broadcast(node).send(envelope, PATIENCE_S) for node in orderers]
        for outcome in await asyncio.gather(*sending, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, NodeError):
                raise outcome
