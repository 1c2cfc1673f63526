"""Proposals, endorsements and the transactions made of them."""

from collections.abc import Mapping
from dataclasses import field

from privysharing.protocol.envelopes import Header, TxId
from privysharing.protocol.values import value


@value
class ChaincodeId:
    """protos.ChaincodeID."""

    name: str
    version: str = ""
    path: str = ""


@value
class ChaincodeInput:
    """protos.ChaincodeInput: by convention args[0] is the function."""

    args: tuple[bytes, ...]
    decorations: Mapping[str, bytes] = field(default_factory=dict)
    is_init: bool = False


@value
class SignedProposal:
    """protos.SignedProposal: proposal bytes and the client's signature over them."""

    proposal: bytes
    signature: bytes


@value
class Proposal:
    """A parsed protos.Proposal of type ENDORSER_TRANSACTION.

    `payload_without_transient` is ChaincodeProposalPayload marshalled again with its input alone: what the
    proposal hash covers and the transaction carries (protoutil GetBytesProposalPayloadForTx).
    """

    header: Header
    chaincode: ChaincodeId
    input: ChaincodeInput
    transient: Mapping[str, bytes] = field(repr=False)
    payload_without_transient: bytes
    raw: bytes = field(repr=False)


@value
class Response:
    """protos.Response: status below 400 succeeds."""

    status: int
    message: str = ""
    payload: bytes = b""


@value
class ChaincodeEvent:
    """protos.ChaincodeEvent."""

    chaincode_id: str
    tx_id: TxId
    name: str
    payload: bytes


@value
class ChaincodeAction:
    """protos.ChaincodeAction: what a simulation came to."""

    results: bytes  # TxReadWriteSet
    events: bytes  # ChaincodeEvent, or empty
    response: Response | None
    chaincode: ChaincodeId | None


@value
class Endorsement:
    """protos.Endorsement: signature over ProposalResponsePayload bytes followed by the endorser's identity bytes."""

    endorser: bytes
    signature: bytes


@value
class ProposalResponse:
    """protos.ProposalResponse. Without payload and endorsement it is a refusal."""

    response: Response
    payload: bytes = b""  # ProposalResponsePayload
    endorsement: Endorsement | None = None
    version: int = 1
    timestamp_ns: int | None = None
    interest: bytes = b""  # protos.ChaincodeInterest


@value
class EndorserTransaction:
    """The one action of an endorser transaction, as a committer reads it (protos.Transaction)."""

    action_header: bytes  # the signature header repeated inside the action
    proposal_payload: bytes  # ChaincodeProposalPayload without transient
    response_payload: bytes  # ProposalResponsePayload bytes: what the endorsers signed
    proposal_hash: bytes
    action_bytes: bytes  # ProposalResponsePayload.extension: ChaincodeAction
    endorsements: tuple[Endorsement, ...]
