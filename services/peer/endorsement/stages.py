"""What becomes of a proposal: stage after stage, with a rest where it waits for others, until it is answered."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from privysharing.protocol.transactions import ProposalResponse
from services.runtime.handover import Told


@dataclass(frozen=True, slots=True)
class ProposalRefused:
    """A proposal that was not processed, for which the client gets a gRPC error and no response.

    Of status UNKNOWN as in Fabric; INTERNAL when it is this peer's fault; RESOURCE_EXHAUSTED when it may be sent again.
    """

    message: str
    internal: bool = False
    overloaded: bool = False


Outcome = ProposalResponse | ProposalRefused


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal that needs no thread until something else is done, well or not; then the next stage, which is told."""

    begin: Callable[[Told, bool], None]  # called once: whom to tell, and whether others are about to begin theirs
    then: "Then"


Stage = Callable[[], "Stage | Waiting | Outcome"]  # what is to be done next for a proposal
Then = Callable[[Exception | None], "Stage | Waiting | Outcome"]  # the same, told what became of what was waited for


def onward(at: Stage | Waiting | Outcome) -> Waiting | Outcome:
    """As far as a proposal gets without waiting."""
    while not isinstance(at, (Waiting, ProposalResponse, ProposalRefused)):
        at = at()
    return at


def through(at: Stage | Waiting | Outcome) -> Outcome:
    """A proposal's answer, by all the stages that are left. Waits where there is something to wait for."""
    while isinstance(at := onward(at), Waiting):
        done: Future[Exception | None] = Future()
        at.begin(lambda fault, _: done.set_result(fault), False)  # noqa: B023 - it is waited for right here
        at = at.then(done.result())
    return at
