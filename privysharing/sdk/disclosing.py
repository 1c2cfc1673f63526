"""What ordering an endorsed call would show to the whole channel, and to those who order."""

from functools import lru_cache

from privysharing.protocol.codec.interests import parse_interest
from privysharing.protocol.codec.rwsets import UnreadRwSet
from privysharing.protocol.codec.transactions import parse_chaincode_action, parse_proposal_response_payload
from privysharing.protocol.transactions import ProposalResponse

_INTERESTS_REMEMBERED = 256  # those of one function of a contract are mostly the same


def shows_private_values(answer: ProposalResponse) -> bool:
    """Whether it is a question about private values, by what its peer says: their block would hold its answer.

    What changes something may well have read them; what it answers is for its contract to say.
    """
    if not answer.response.payload or not _reads_in_private(answer.interest):
        return False
    _, action = parse_proposal_response_payload(answer.payload)
    return not UnreadRwSet(parse_chaincode_action(action).results).written


@lru_cache(_INTERESTS_REMEMBERED)
def _reads_in_private(interest: bytes) -> bool:
    return any(call.collections and not call.no_private_reads for call in parse_interest(interest).calls)
