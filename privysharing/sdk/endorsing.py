"""Collecting endorsements: as few peers as needed, answers compared byte for byte, more peers where they differ."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from privysharing.protocol.transactions import ProposalResponse
from privysharing.rpc.errors import NodeError, NodeRefused
from privysharing.sdk.errors import ContractRefused, EndorsementMismatch, Refusal, Refused, SdkError, Unavailable
from privysharing.sdk.profile import Node

SUCCESS = range(200, 400)  # fabric protoutil.CreateTx, shim.ERRORTHRESHOLD
NO_STATUS = 0  # the peer turned the call down before there was a response

Ask = Callable[[Node], Awaitable[ProposalResponse]]
Votes = dict[bytes, list[tuple[Node, ProposalResponse]]]

_log = logging.getLogger(__name__)


def refusal_of(node: Node, answer: ProposalResponse) -> Refused | None:
    """The refusal in a peer's answer, or None when it endorses."""
    status, message = answer.response.status, answer.response.message
    if status in SUCCESS:
        return None
    refusal = Refusal.parse(message)
    return ContractRefused(node.name, status, refusal) if refusal else Refused(node.name, status, message)


async def collect(ask: Ask, endorsers: Sequence[Node], needed: int) -> list[ProposalResponse]:
    """`needed` equal endorsements, from the first peers of the list that give them.

    Every failure, refusal or differing answer brings in the next peer. Raises the first refusal when `needed` peers
    refuse or nobody is left to ask; EndorsementMismatch when endorsements differ; Unavailable when too few answered.
    """
    votes: Votes = defaultdict(list)
    refusals: list[Refused] = []
    problems: list[str] = []
    remaining = iter(endorsers)
    asked = [asyncio.create_task(_ask(ask, node)) for node in islice(remaining, needed)]
    try:
        while asked:
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            for task in (task for task in asked if task in done):  # in the order of asking
                node, answer = task.result()
                if isinstance(answer, ProposalResponse):
                    votes[answer.payload].append((node, answer))
                elif isinstance(answer, Refused):
                    refusals.append(answer)
                else:
                    problems.append(str(answer))
            asked = [task for task in asked if task not in done]
            best = max(votes.values(), key=len, default=[])
            if len(best) >= needed:
                if len(votes) > 1:
                    _log.warning("peers endorsed different results", extra={"results": _camps(votes)})
                return [answer for _, answer in best]
            if len(refusals) >= needed:
                raise refusals[0]
            missing = needed - len(best) - len(asked)
            asked += [asyncio.create_task(_ask(ask, node)) for node in islice(remaining, missing)]
    finally:
        for task in asked:
            task.cancel()
    raise _shortfall(votes, refusals, problems, needed)


async def _ask(ask: Ask, node: Node) -> tuple[Node, ProposalResponse | Refused | NodeError]:
    try:
        answer = await ask(node)
    except NodeRefused as error:
        return node, Refused(node.name, NO_STATUS, error.reason)
    except NodeError as error:
        return node, error
    if refusal := refusal_of(node, answer):
        return node, refusal
    if answer.endorsement is None:
        return node, NodeError(node.name, "answered without an endorsement")
    return node, answer


def _camps(votes: Votes) -> str:
    """Who agrees with whom."""
    return " | ".join(", ".join(node.name for node, _ in equal) for equal in votes.values())


def _shortfall(votes: Votes, refusals: list[Refused], problems: list[str], needed: int) -> SdkError:
    if refusals:
        return refusals[0]
    if len(votes) > 1:
        return EndorsementMismatch(
            f"endorsers answered with different results ({_camps(votes)}); try again in a moment"
        )
    found = sum(len(equal) for equal in votes.values())
    return Unavailable(
        f"needed {needed} endorsements, found {found}: {'; '.join(problems) or 'no further peer is known'}"
    )
