"""A proposal, and what an endorser answers to it."""

from privysharing.protocol.transactions import Proposal, ProposalResponse
from services.peer.endorsement.stages import Outcome, ProposalRefused
from tests.support.endorsing import CHAINCODE, Network, proposal


def process(network: Network, raw: bytes) -> Outcome:
    return network.peers[0].endorser.process(raw)


def refusal(outcome: Outcome) -> str:
    assert isinstance(outcome, ProposalRefused), outcome
    assert not outcome.internal
    return outcome.message


def failure(outcome: Outcome) -> str:
    """What a response of status 500 without payload and endorsement says."""
    assert isinstance(outcome, ProposalResponse), outcome
    assert outcome.endorsement is None
    assert outcome.payload == b""
    assert (outcome.response.status, outcome.version) == (500, 0)
    return outcome.response.message


def put(network: Network) -> Proposal:
    return proposal(network.client, CHAINCODE, "put", "a", "1")
