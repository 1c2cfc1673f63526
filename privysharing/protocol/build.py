"""Proposals, transactions and other signed messages, made from their parts.

Nonces and times are arguments: whoever calls draws and reads them. What comes out is ready to be signed; `signed`
does that for whoever holds the key.
"""

from collections.abc import Mapping, Sequence

from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codec.transactions import (
    encode_chaincode_header_extension,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import ChannelHeader, Envelope, Header, SignatureHeader, compute_tx_id
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.transactions import (
    ChaincodeId,
    ChaincodeInput,
    Endorsement,
    Proposal,
    ProposalResponse,
    SignedProposal,
)


class UnusableResponses(ProtocolError):
    """Proposal responses of which no transaction can be made."""


def make_header(
    kind: HeaderType,
    channel_id: str,
    creator: bytes,
    *,
    nonce: bytes,
    timestamp_ns: int,
    extension: bytes = b"",
    tls_cert_hash: bytes = b"",
) -> Header:
    """Both headers of a message; the id comes from nonce and creator."""
    signature = SignatureHeader(creator, nonce)
    channel = ChannelHeader(
        type=kind,
        channel_id=channel_id,
        tx_id=compute_tx_id(nonce, creator),
        timestamp_ns=timestamp_ns,
        extension=extension,
        tls_cert_hash=tls_cert_hash,
    )
    return Header(channel, signature, encode_channel_header(channel), encode_signature_header(signature))


def make_payload(header: Header, data: bytes) -> bytes:
    """The payload of an envelope: what its creator signs."""
    return encode_payload(header.channel_bytes, header.signature_bytes, data)


def signed(payload: bytes, signer: SigningIdentity) -> Envelope:
    """An envelope around a payload."""
    signature = signer.sign(payload)
    return Envelope(payload, signature, encode_envelope(payload, signature))


def make_proposal(
    channel_id: str,
    chaincode: str,
    chaincode_input: ChaincodeInput,
    creator: bytes,
    *,
    nonce: bytes,
    timestamp_ns: int,
    transient: Mapping[str, bytes] | None = None,
    tls_cert_hash: bytes = b"",
) -> Proposal:
    """A proposal to run a chaincode (protoutil CreateChaincodeProposalWithTxIDNonceAndTransient).

    Transient data goes to the endorsers and into no transaction. `channel_id` is empty for a call to a peer itself.
    """
    chaincode_id = ChaincodeId(chaincode)
    header = make_header(
        HeaderType.ENDORSER_TRANSACTION,
        channel_id,
        creator,
        nonce=nonce,
        timestamp_ns=timestamp_ns,
        extension=encode_chaincode_header_extension(chaincode_id),
        tls_cert_hash=tls_cert_hash,
    )
    invocation = encode_invocation(chaincode_id, chaincode_input)
    payload = encode_proposal_payload(invocation, transient)
    return Proposal(
        header=header,
        chaincode=chaincode_id,
        input=chaincode_input,
        transient=transient or {},
        payload_without_transient=encode_proposal_payload(invocation) if transient else payload,
        raw=encode_proposal(header.channel_bytes, header.signature_bytes, payload),
    )


def sign_proposal(proposal: Proposal, signer: SigningIdentity) -> SignedProposal:
    """A proposal with its creator's signature."""
    return SignedProposal(proposal.raw, signer.sign(proposal.raw))


def endorsement_message(response_payload: bytes, endorser: bytes) -> bytes:
    """What an endorser signs."""
    return response_payload + endorser


def endorse(response_payload: bytes, signer: SigningIdentity) -> Endorsement:
    """An endorser's signature over a ProposalResponsePayload."""
    return Endorsement(signer.serialized, signer.sign(endorsement_message(response_payload, signer.serialized)))


def make_transaction(proposal: Proposal, responses: Sequence[ProposalResponse]) -> bytes:
    """The payload of a transaction: a proposal with its endorsements, one of each endorser (protoutil CreateTx).

    Raises UnusableResponses when one failed, two differ, or none is endorsed.
    """
    if not responses:
        raise UnusableResponses("at least one proposal response is required")
    response_payload = responses[0].payload
    endorsements: dict[bytes, Endorsement] = {}
    for answer in responses:
        if not 200 <= answer.response.status < 400:
            raise UnusableResponses(
                f"proposal response was not successful, error code {answer.response.status}, "
                f"msg {answer.response.message}"
            )
        if answer.payload != response_payload:
            raise UnusableResponses("ProposalResponsePayloads do not match")
        if answer.endorsement is not None:
            endorsements.setdefault(answer.endorsement.endorser, answer.endorsement)
    if not endorsements:
        raise UnusableResponses("no endorsements")
    data = encode_endorser_transaction(
        proposal.header.signature_bytes,
        proposal.payload_without_transient,
        response_payload,
        tuple(endorsements.values()),
    )
    return make_payload(proposal.header, data)
