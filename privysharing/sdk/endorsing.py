"""Collecting endorsements: as few peers as needed, answers compared byte for byte, more peers where they differ."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from privysharing.protocol.dissemination import TooFewPeers
from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.errors import (
    ContractRefused,
    EndorsementMismatch,
    Refusal,
    Refused,
    SdkError,
    TooFewPeersReached,
    Unavailable,
)
from privysharing.sdk.profile import Node
from privysharing.sdk.transactions import Answer

SUCCESS = range(200, 400)  # fabric protoutil.CreateTx, shim.ERRORTHRESHOLD
NO_STATUS = 0  # the peer turned the call down before there was a response

Asked = asyncio.Future[ProposalResponse]
Ask = Callable[[Node], Awaitable[ProposalResponse]]
Judge = Callable[[Node, Asked], ProposalResponse]  # what a peer has answered; NodeError when that does not count

_log = logging.getLogger(__name__)


def refusal_of(node: Node, answer: ProposalResponse) -> Refused | None:
    """The refusal in a peer's answer, or None when it endorses."""
    status, message = answer.response.status, answer.response.message
    if status in SUCCESS:
        return None
    if refusal := Refusal.parse(message):
        return ContractRefused(node.name, status, refusal)
    if lacking := TooFewPeers.parse(message):
        return TooFewPeersReached(node.name, status, message, lacking)
    return Refused(node.name, status, message)


def as_answered(_node: Node, asked: Asked) -> ProposalResponse:
    """What a peer has answered, whatever it is."""
    return asked.result()


async def collect(ask: Ask, endorsers: Sequence[Node], needed: int, judge: Judge = as_answered) -> list[Answer]:
    """`needed` equal endorsements, from the first peers of the list that give them.

    Every failure, refusal or differing answer brings in the next peer. Raises the first refusal when `needed` peers
    refuse or nobody is left to ask; TooFewPeersReached when private data did not get about from anybody;
    EndorsementMismatch when endorsements differ; Unavailable when too few answered.
    """
    collection = _Collection(ask, endorsers, needed, judge)
    try:
        collection.go_on()
        return await collection.equal
    finally:
        collection.stop()


class _Collection:
    """The answers to one proposal, as they come."""

    def __init__(self, ask: Ask, endorsers: Sequence[Node], needed: int, judge: Judge) -> None:
        self.equal: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._ask = ask
        self._remaining = iter(endorsers)
        self._needed = needed
        self._judge = judge
        self._asked: dict[Asked, Node] = {}  # those that have not answered yet
        self._votes: dict[bytes, list[Answer]] = {}
        self._most: list[Answer] = []  # of the votes, the most that are equal
        self._refusals: list[Refused] = []
        self._alone: list[TooFewPeersReached] = []  # by peers that others may reach more than
        self._problems: list[str] = []

    def go_on(self) -> None:
        """Ask as many more as the best result lacks, if there is need and anybody is left."""
        best = self._most
        if best and len(best) >= self._needed:
            if len(self._votes) > 1:
                _log.warning("peers endorsed different results", extra={"results": self._camps()})
            self.equal.set_result(best)
            return
        if len(self._refusals) < self._needed:
            for node in islice(self._remaining, self._needed - len(best) - len(self._asked)):
                asked = asyncio.ensure_future(self._ask(node))
                self._asked[asked] = node
                asked.add_done_callback(self._heard)
            if self._asked:
                return
        self.equal.set_exception(self._shortfall())

    def stop(self) -> None:
        """Wait for nobody any more."""
        for asked in self._asked:
            asked.cancel()

    def _heard(self, asked: Asked) -> None:
        if asked.cancelled():
            self.equal.cancel()
        elif self.equal.done():
            asked.exception()  # which nobody needs any more
        else:
            try:
                self._count(self._asked.pop(asked), asked)
                self.go_on()
            except Exception as defect:
                self.equal.set_exception(defect)

    def _count(self, node: Node, asked: Asked) -> None:
        try:
            answer = self._judge(node, asked)
        except NodeRefused as error:
            self._refusals.append(Refused(node.name, NO_STATUS, error.reason))
        except NodeError as error:
            self._problems.append(str(error))
        else:
            refusal = refusal_of(node, answer)
            if isinstance(refusal, TooFewPeersReached):
                self._alone.append(refusal)
            elif refusal:
                self._refusals.append(refusal)
            elif answer.endorsement is None:
                self._problems.append(f"{node.name}: answered without an endorsement")
            else:
                equal = self._votes.setdefault(answer.payload, [])
                equal.append((node, answer))
                if len(equal) > len(self._most):
                    self._most = equal

    def _camps(self) -> str:
        """Who agrees with whom."""
        return " | ".join(", ".join(node.name for node, _ in equal) for equal in self._votes.values())

    def _shortfall(self) -> SdkError:
        if self._refusals or self._alone:
            return [*self._refusals, *self._alone][0]
        if len(self._votes) > 1:
            return EndorsementMismatch(
                f"endorsers answered with different results ({self._camps()}); try again in a moment"
            )
        found = sum(len(equal) for equal in self._votes.values())
        problems = "; ".join(self._problems) or "no further peer is known"
        return Unavailable(f"needed {self._needed} endorsements, found {found}: {problems}")
