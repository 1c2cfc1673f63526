"""Envelopes: who says what on which channel, and the id that binds a transaction to its creator."""

import hashlib
from typing import NewType

from privysharing.protocol.values import value

TxId = NewType("TxId", str)

NONCE_BYTES = 24  # fabric common/crypto GetRandomNonce


@value
class ChannelHeader:
    """common.ChannelHeader. `type` stays a plain int: an unknown type is a verdict, not a parse error."""

    type: int
    channel_id: str
    tx_id: TxId
    version: int = 0
    timestamp_ns: int | None = None  # nanoseconds since the epoch; None when the sender left it out
    epoch: int = 0
    extension: bytes = b""
    tls_cert_hash: bytes = b""


@value
class SignatureHeader:
    """common.SignatureHeader: the creator's serialized identity, and a nonce that makes its messages unique."""

    creator: bytes
    nonce: bytes


@value
class Header:
    """Both headers of a payload, and the bytes that they came from: hashes are over those bytes."""

    channel: ChannelHeader
    signature: SignatureHeader
    channel_bytes: bytes
    signature_bytes: bytes


@value
class Payload:
    """common.Payload: a header, and data whose meaning the header's type gives."""

    header: Header
    data: bytes


@value
class Envelope:
    """common.Envelope: payload bytes and the creator's signature over them."""

    payload: bytes
    signature: bytes
    raw: bytes  # the envelope as received


def compute_tx_id(nonce: bytes, creator: bytes) -> TxId:
    """The id of a transaction: hex SHA-256 of nonce and creator (protoutil ComputeTxID)."""
    return TxId(hashlib.sha256(nonce + creator).hexdigest())
