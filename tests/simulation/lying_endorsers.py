"""A peer whose node is honest but for its answers to proposals."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.endorsement.stages import Outcome
from services.peer.endorsement.workers import Job
from tests.simulation.liars import HONEST, Moods, Told
from tests.support.liars import LyingEndorser

LIAR: Final = "lying endorser"
SLOW, SILENT, REFUSES, GRANTS = "slow", "silent", "refuses", "grants what is refused"
LIES: Final = (SLOW, SILENT, REFUSES, GRANTS, *sorted(LyingEndorser.LIES))
SLOW_S = 3.0  # mean

Say = Callable[[Job, Outcome], None]  # hands over an answer to a proposal


class LyingVoice:
    """Says something else than its peer came to: a `Say`."""

    def __init__(self, signer: SigningIdentity, chance: random.Random, moods: Moods, told: Told) -> None:
        self._liar = LyingEndorser(signer, chance)
        self._chance = chance
        self._moods = moods
        self._told = told
        self._granted: ProposalResponse | None = None

    def __call__(self, job: Job, outcome: Outcome) -> None:
        lie = self._moods.now()
        if lie == SLOW:
            asyncio.get_running_loop().call_later(self._chance.expovariate(1 / SLOW_S), job.answer, outcome)
        elif lie != SILENT:
            answer = self._answer(lie, outcome)
            lie = HONEST if answer is outcome else lie
            job.answer(answer)
        if lie != HONEST:
            self._told.tell(LIAR, lie)

    def _answer(self, lie: str, outcome: Outcome) -> Outcome:
        if lie == REFUSES:
            return ProposalResponse(Response(500, "the contract says no"), version=0)
        if not isinstance(outcome, ProposalResponse) or outcome.endorsement is None:  # it was refused
            return self._granted if lie == GRANTS and self._granted is not None else outcome
        self._granted = outcome
        return self._liar.answer(outcome, lie) if lie in LyingEndorser.LIES else outcome
