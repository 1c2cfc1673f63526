"""One transaction proposal while it is simulated (ccprovider.TransactionParams)."""

from collections.abc import Mapping
from dataclasses import field

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.transactions import Proposal
from privysharing.protocol.values import value
from services.peer.chaincode_host.ports import Channel
from services.peer.chaincode_host.simulator import TxSimulator


@value
class Transaction:
    """A proposal that passed the door, the channel that it is for, and its simulation.

    Without channel or simulator for proposals that are about the peer, and for queries of qscc and cscc.
    """

    proposal: Proposal
    creator: Identity
    channel: Channel | None
    simulator: TxSimulator | None
    channel_id: str  # of the channel that is simulated: not the proposal's in a call across channels
    decorations: Mapping[str, bytes] = field(default_factory=dict)
    callers: tuple[tuple[str, str], ...] = ()  # (channel id, chaincode) that wait for this call's answer

    @property
    def tx_id(self) -> TxId:
        return self.proposal.header.channel.tx_id
