"""A client of Fabric's classic flow that knows nothing of ours: Fabric's own stubs, gRPC and cryptography.

Every step hands out its bytes, so that a test can send something else instead.
"""

import contextlib
import hashlib
import os
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

# The package's classes are made when it is imported: there is nothing for a type checker to find.
common: Any = import_module("fabric_protos.common.common_pb2")
identities: Any = import_module("fabric_protos.msp.identities_pb2")
ab: Any = import_module("fabric_protos.orderer.ab_pb2")
ab_grpc: Any = import_module("fabric_protos.orderer.ab_pb2_grpc")
chaincode: Any = import_module("fabric_protos.peer.chaincode_pb2")
events_grpc: Any = import_module("fabric_protos.peer.events_pb2_grpc")
peer_grpc: Any = import_module("fabric_protos.peer.peer_pb2_grpc")
proposals: Any = import_module("fabric_protos.peer.proposal_pb2")
proposal_responses: Any = import_module("fabric_protos.peer.proposal_response_pb2")
transactions: Any = import_module("fabric_protos.peer.transaction_pb2")

TIMEOUT_S = 30.0
NEVER = 2**64 - 1
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

NEWEST: Any = ab.SeekPosition(newest=ab.SeekNewest())
OLDEST: Any = ab.SeekPosition(oldest=ab.SeekOldest())


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody with a certificate and its key."""

    msp_id: str
    certificate: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def load(cls, msp: Path, msp_id: str) -> "Signer":
        """From an MSP folder."""
        (certificate,) = (msp / "signcerts").iterdir()
        (key_file,) = (msp / "keystore").iterdir()
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(msp_id, certificate.read_bytes(), key)

    @property
    def serialized(self) -> bytes:
        """msp.SerializedIdentity."""
        identity = identities.SerializedIdentity(mspid=self.msp_id, id_bytes=self.certificate)
        return bytes(identity.SerializeToString())

    def sign(self, message: bytes) -> bytes:
        """A signature with a low S, as Fabric wants it."""
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return encode_dss_signature(r, min(s, P256_ORDER - s))


def with_high_s(signature: bytes) -> bytes:
    """The other signature that mathematics lets pass and Fabric does not."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, max(s, P256_ORDER - s))


@dataclass(frozen=True, slots=True)
class Tls:
    """What a client shows, and whom it believes; PEM."""

    roots: bytes
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def load(cls, tls: Path, roots: bytes) -> "Tls":
        """From a user's TLS folder."""
        return cls(roots, (tls / "client.crt").read_bytes(), (tls / "client.key").read_bytes())

    @property
    def certificate_hash(self) -> bytes:
        """What a request says about the connection that it comes on."""
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.certificate.decode())).digest()


@contextlib.contextmanager
def connected(address: str, tls: Tls) -> Iterator[grpc.Channel]:
    """A connection, once it stands; grpc.FutureTimeoutError when it does not come about."""
    credentials = grpc.ssl_channel_credentials(tls.roots, tls.key or None, tls.certificate or None)
    options = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
    options.append(("grpc.use_local_subchannel_pool", 1))  # of its own: others' may be cut off under it
    with grpc.secure_channel(address, credentials, options) as channel:
        yield channel


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal in the parts that are signed and hashed."""

    tx_id: str
    channel_header: bytes
    signature_header: bytes
    payload: bytes
    public_payload: bytes  # without transient data: what a transaction holds

    @property
    def raw(self) -> bytes:
        """protos.Proposal."""
        header = common.Header(channel_header=self.channel_header, signature_header=self.signature_header)
        return bytes(proposals.Proposal(header=header.SerializeToString(), payload=self.payload).SerializeToString())


def propose(
    who: Signer,
    channel_id: str,
    name: str,
    *args: str | bytes,
    transient: Mapping[str, bytes] | None = None,
    tx_id: str | None = None,
    certificate_hash: bytes = b"",
) -> Proposal:
    """Call a chaincode; the id of the transaction is right unless another one is given."""
    nonce = os.urandom(24)
    right = hashlib.sha256(nonce + who.serialized).hexdigest()
    called = chaincode.ChaincodeID(name=name)
    header = common.ChannelHeader(
        type=common.ENDORSER_TRANSACTION,
        channel_id=channel_id,
        tx_id=right if tx_id is None else tx_id,
        extension=proposals.ChaincodeHeaderExtension(chaincode_id=called).SerializeToString(),
        tls_cert_hash=certificate_hash,
    )
    header.timestamp.FromNanoseconds(time.time_ns())
    signature_header = common.SignatureHeader(creator=who.serialized, nonce=nonce)
    encoded = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    spec = chaincode.ChaincodeSpec(
        type=chaincode.ChaincodeSpec.GOLANG, chaincode_id=called, input=chaincode.ChaincodeInput(args=encoded)
    )
    invocation = chaincode.ChaincodeInvocationSpec(chaincode_spec=spec).SerializeToString()
    whole = proposals.ChaincodeProposalPayload(input=invocation, TransientMap=transient or {})
    public = proposals.ChaincodeProposalPayload(input=invocation)
    return Proposal(
        header.tx_id,
        header.SerializeToString(),
        signature_header.SerializeToString(),
        whole.SerializeToString(),
        public.SerializeToString(),
    )


def signed_proposal(proposal: Proposal, who: Signer) -> Any:
    """protos.SignedProposal."""
    return proposals.SignedProposal(proposal_bytes=proposal.raw, signature=who.sign(proposal.raw))


def ask(channel: grpc.Channel, signed: Any) -> Any:
    """Endorser.ProcessProposal: a protos.ProposalResponse, or grpc.RpcError."""
    return peer_grpc.EndorserStub(channel).ProcessProposal(signed, timeout=TIMEOUT_S)


def transaction(proposal: Proposal, payload: bytes, endorsements: Sequence[Any]) -> bytes:
    """The payload of an envelope, which its creator is to sign."""
    endorsed = transactions.ChaincodeEndorsedAction(proposal_response_payload=payload, endorsements=endorsements)
    action = transactions.ChaincodeActionPayload(
        chaincode_proposal_payload=proposal.public_payload, action=endorsed
    ).SerializeToString()
    actions = [transactions.TransactionAction(header=proposal.signature_header, payload=action)]
    header = common.Header(channel_header=proposal.channel_header, signature_header=proposal.signature_header)
    data = transactions.Transaction(actions=actions).SerializeToString()
    return bytes(common.Payload(header=header, data=data).SerializeToString())


def envelope(payload: bytes, who: Signer) -> Any:
    """common.Envelope."""
    return common.Envelope(payload=payload, signature=who.sign(payload))


def broadcast(channel: grpc.Channel, *envelopes: Any) -> list[Any]:
    """AtomicBroadcast.Broadcast: an orderer.BroadcastResponse for each, as far as the orderer goes on answering."""
    return list(ab_grpc.AtomicBroadcastStub(channel).Broadcast(iter(envelopes), timeout=TIMEOUT_S))


def at(number: int) -> Any:
    """The position of a block."""
    return ab.SeekPosition(specified=ab.SeekSpecified(number=number))


def seek(who: Signer, channel_id: str, start: Any, stop: Any, certificate_hash: bytes) -> Any:
    """A signed request for blocks."""
    header = common.ChannelHeader(type=common.DELIVER_SEEK_INFO, channel_id=channel_id, tls_cert_hash=certificate_hash)
    header.timestamp.FromNanoseconds(time.time_ns())
    signature_header = common.SignatureHeader(creator=who.serialized, nonce=os.urandom(24))
    payload = common.Payload(
        header=common.Header(
            channel_header=header.SerializeToString(), signature_header=signature_header.SerializeToString()
        ),
        data=ab.SeekInfo(start=start, stop=stop).SerializeToString(),
    ).SerializeToString()
    return envelope(payload, who)


def ordered_blocks(channel: grpc.Channel, request: Any) -> Iterator[Any]:
    """AtomicBroadcast.Deliver."""
    return _delivered(ab_grpc.AtomicBroadcastStub(channel).Deliver(iter([request]), timeout=TIMEOUT_S))


def stored_blocks(channel: grpc.Channel, request: Any) -> Iterator[Any]:
    """protos.Deliver.Deliver."""
    return _delivered(events_grpc.DeliverStub(channel).Deliver(iter([request]), timeout=TIMEOUT_S))


def blocks_with_private_data(channel: grpc.Channel, request: Any) -> Iterator[Any]:
    """protos.Deliver.DeliverWithPrivateData."""
    return _delivered(events_grpc.DeliverStub(channel).DeliverWithPrivateData(iter([request]), timeout=TIMEOUT_S))


def filtered_blocks(channel: grpc.Channel, request: Any) -> Iterator[Any]:
    """protos.Deliver.DeliverFiltered."""
    return _delivered(events_grpc.DeliverStub(channel).DeliverFiltered(iter([request]), timeout=TIMEOUT_S))


def _delivered(answers: Any) -> Iterator[Any]:
    try:
        yield from answers
    finally:
        answers.cancel()


def verdicts(channel: grpc.Channel, request: Any, tx_id: str, copies: int = 1) -> list[int]:
    """The codes under which a transaction's id was committed, once that has happened so many times."""
    found: list[int] = []
    with contextlib.closing(filtered_blocks(channel, request)) as answers:  # type: ignore[type-var]
        for answer in answers:
            assert answer.WhichOneof("Type") == "filtered_block", answer
            committed = answer.filtered_block.filtered_transactions
            found += [each.tx_validation_code for each in committed if each.txid == tx_id]
            if len(found) >= copies:
                return found
    raise AssertionError(f"{tx_id}: {found}")
