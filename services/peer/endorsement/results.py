"""What a chaincode's run came to, until it is signed."""

from dataclasses import field

from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_chaincode_event,
    encode_proposal_response_payload,
    proposal_hash,
)
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeEvent, ChaincodeId, Proposal, Response
from privysharing.protocol.values import value
from services.peer.chaincode_host.definitions import ChaincodeInfo
from services.peer.chaincode_host.simulator import SimulationResults, TxSimulator
from services.peer.private_data.types import PrivateResults


@value
class Ran:
    """A chaincode's run."""

    info: ChaincodeInfo
    simulator: TxSimulator | None
    response: Response
    event: ChaincodeEvent | None

    @property
    def size(self) -> int:
        """In bytes, about, of what may be large."""
        event = 0 if self.event is None else len(self.event.payload)
        simulated = 0 if self.simulator is None else self.simulator.size
        return simulated + len(self.response.payload) + len(self.response.message) + event


@value
class Simulated:
    """What a chaincode's run came to."""

    chaincode: str
    response: Response
    payload: bytes  # protos.ProposalResponsePayload
    interest: bytes = b""
    private: PrivateResults | None = field(default=None, repr=False)


def response_payload(proposal: Proposal, ran: Ran, results: bytes) -> bytes:
    """protos.ProposalResponsePayload: what every endorser of a proposal must come to alike."""
    header, event = proposal.header, ran.event
    action = ChaincodeAction(
        results=results,
        events=encode_chaincode_event(event) if event is not None else b"",
        response=ran.response,
        chaincode=ChaincodeId(ran.info.name, ran.info.version),
    )
    return encode_proposal_response_payload(
        proposal_hash(header.channel_bytes, header.signature_bytes, proposal.payload_without_transient),
        encode_chaincode_action(action),
    )


def private_results(proposal: Proposal, results: SimulationResults, simulator: TxSimulator) -> PrivateResults:
    """What goes to the members of the collections that were written to."""
    channel = proposal.header.channel
    collections = {}
    for each in results.private:
        config = simulator.collections.find(each.namespace, each.collection)
        assert config is not None  # it was written to
        collections[each.namespace, each.collection] = config
    return PrivateResults(channel.channel_id, channel.tx_id, simulator.state.height, results.private, collections)
