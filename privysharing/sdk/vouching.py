"""Whether an answer endorses what was asked, in the name of the organisation that was asked, and is signed.

What an answer shows by itself is looked at before anything is ordered. Its signature is the dear part: the validating
peers verify it anyway, so a client does where there is a reason to (`Channel.blame`). With a profile that does not say
who issues an organisation's certificates, a made-up one is seen by the validating peers only, which find the
transaction invalid; and so are revoked ones, and those of clients, since roles are the policy's business.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.x509 import load_pem_x509_certificates

from privysharing.protocol.build import endorsement_message
from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.codec.transactions import (
    parse_chaincode_action,
    parse_proposal_response_payload,
    proposal_hash,
)
from privysharing.protocol.crypto import VerifyingKey
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.chains import signed_by
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.transactions import ChaincodeAction, Proposal, ProposalResponse
from privysharing.sdk.profile import Node

UNSIGNED = "gave an endorsement that it did not sign"
_SIGNATURE_BYTES_MAX = 139  # of ECDSA in DER, over P-521; a longer one could make what no orderer takes
_ENDORSERS_REMEMBERED = 256  # their keys, so that a certificate is read once


class Vouching:
    """Tells which answers endorse one proposal."""

    def __init__(self, proposal: Proposal) -> None:
        header = proposal.header
        self._chaincode = proposal.chaincode.name
        self._hash = proposal_hash(header.channel_bytes, header.signature_bytes, proposal.payload_without_transient)
        self._actions: dict[bytes, tuple[bytes, ChaincodeAction]] = {}  # by the very bytes: most answers are equal

    def fault_of(self, node: Node, answer: ProposalResponse) -> str | None:
        """What is wrong with an answer that claims success, whoever signed it; None when it endorses the proposal."""
        endorsement = answer.endorsement
        if endorsement is None:
            return "answered without an endorsement"
        try:
            hashed, action = self._read(answer.payload)
            msp_id, _ = _endorser(endorsement.endorser, node.signing_cas)
        except ProtocolError as error:
            return f"gave what is no endorsement: {error}"
        if hashed != self._hash:
            return "endorsed another proposal"
        if action.chaincode is None or action.chaincode.name != self._chaincode:
            return "endorsed a call of another chaincode"
        if action.response != answer.response:
            return "endorsed another response than it gave"
        if node.msp_id and msp_id != node.msp_id:
            return f"endorsed in the name of {msp_id}, and belongs to {node.msp_id}"
        if not 0 < len(endorsement.signature) <= _SIGNATURE_BYTES_MAX:
            return "gave an endorsement without a signature"
        return None

    def _read(self, payload: bytes) -> tuple[bytes, ChaincodeAction]:
        """Proposal hash and action of a ProposalResponsePayload. Raises ProtocolError."""
        found = self._actions.get(payload)
        if found is None:
            hashed, action = parse_proposal_response_payload(payload)
            found = self._actions[payload] = hashed, parse_chaincode_action(action)
        return found


def is_signed(node: Node, answer: ProposalResponse) -> bool:
    """Whether the endorser whom an answer names has signed it."""
    endorsement = answer.endorsement
    if endorsement is None:
        return False
    try:
        _, key = _endorser(endorsement.endorser, node.signing_cas)
    except ProtocolError:
        return False
    return key.verify(endorsement_message(answer.payload, endorsement.endorser), endorsement.signature)


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A peer as far as a profile knows it (see `private_exchange.Signer`)."""

    msp_id: str
    serialized: bytes
    public_key: VerifyingKey = field(repr=False)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether it signed the message."""
        return self.public_key.verify(message, signature)


def known_peer(node: Node) -> Callable[[bytes], KnownPeer]:
    """Finds the peer of a node by its identity; raises ProtocolError for one of another organisation."""

    def find(serialized: bytes) -> KnownPeer:
        msp_id, key = _endorser(serialized, node.signing_cas)
        if node.msp_id and msp_id != node.msp_id:
            raise InvalidIdentity(f"it belongs to {msp_id}, and {node.name} to {node.msp_id}")
        return KnownPeer(msp_id, serialized, key)

    return find


@lru_cache(_ENDORSERS_REMEMBERED)
def _endorser(serialized: bytes, signing_cas: bytes) -> tuple[str, VerifyingKey]:
    """MSP id and public key of an identity that one of these CAs has issued, or any if there are none.

    Raises ProtocolError.
    """
    msp_id, id_bytes = parse_serialized_identity(serialized)
    certificate = parse_certificate(id_bytes)
    if signing_cas and not any(signed_by(certificate, ca) for ca in load_pem_x509_certificates(signing_cas)):
        raise InvalidIdentity(f"no CA of {msp_id} has issued the endorser's certificate")
    return msp_id, VerifyingKey(certificate.public_key())
