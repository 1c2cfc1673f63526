"""Requests for private data that nobody can forge, move or change, and answers that belong to one request.

A request is signed, and names the channel, the connection that it comes over (by the TLS certificate shown there), whom
it is for, and when it was made. Whether it came before is for the responder to remember. An answer is signed and names
the request by its hash, which holds a nonce: an old answer answers nothing.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.private_data import (
    TooManyParts,
    encode_request,
    encode_response,
    encode_signed_request,
    encode_signed_response,
    parse_request,
    parse_response,
    parse_signed_request,
    parse_signed_response,
)
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.private_data import Answer, Hello, Request, Response
from privysharing.protocol.values import value

# What a signature is over begins so: one made for one purpose is worth nothing for another.
REQUEST_CONTEXT: Final = b"privysharing.v1.Request\0"
RESPONSE_CONTEXT: Final = b"privysharing.v1.Response\0"
STATEMENT_CONTEXT: Final = b"privysharing.v1.PurgeStatement\0"

NONCE_BYTES: Final = 24
WINDOW_NS: Final = 60 * 1_000_000_000  # between the clocks of who asks and who answers


class Reason(StrEnum):
    """Why a request is refused: a label in the metrics."""

    MALFORMED = "malformed"
    UNKNOWN_CHANNEL = "unknown_channel"
    OTHER_CONNECTION = "other_connection"
    OTHER_RESPONDER = "other_responder"
    UNTIMELY = "untimely"
    REPLAYED = "replayed"
    FORGED = "forged"
    NOT_A_MEMBER = "not_a_member"
    TOO_LARGE = "too_large"
    QUOTA = "quota"


class RequestRefused(ProtocolError):
    """A request that gets no answer; nothing has changed."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class BadResponse(ProtocolError):
    """Bytes that are no answer to the request from whom it was for."""


@value
class OpenedRequest:
    """A request that can be read; what it says about itself is not checked yet."""

    request: Request
    raw: bytes
    signature: bytes

    @property
    def hash(self) -> bytes:
        """By which an answer names it."""
        return sha256(self.raw)


def seal_request(request: Request, signer: SigningIdentity) -> tuple[bytes, bytes]:
    """A privysharing.v1.SignedRequest, and the hash by which its answer names it."""
    raw = encode_request(request)
    return encode_signed_request(raw, signer.sign(REQUEST_CONTEXT + raw)), sha256(raw)


def open_request(signed: bytes) -> OpenedRequest:
    """Read a privysharing.v1.SignedRequest. Raises RequestRefused."""
    try:
        raw, signature = parse_signed_request(signed)
        return OpenedRequest(parse_request(raw), raw, signature)
    except TooManyParts as error:
        raise RequestRefused(Reason.TOO_LARGE, str(error)) from None
    except MalformedMessage as error:
        raise RequestRefused(Reason.MALFORMED, str(error)) from None


def check_request(
    opened: OpenedRequest,
    config: ChannelConfig,
    *,
    responder: bytes,
    tls_cert_hash: bytes | None,
    now_ns: int,
    since_ns: int,
    window_ns: int = WINDOW_NS,
) -> Identity:
    """Who asks: somebody whom an MSP of the channel vouches for, here and now. Raises RequestRefused.

    `responder` is the identity hash of who was asked; `tls_cert_hash` that of the connection's client certificate, None
    where there are none. What was made before `since_ns` is refused: from then on the responder remembers what came.
    """
    request = opened.request
    if tls_cert_hash is not None and request.tls_cert_hash != tls_cert_hash:
        raise RequestRefused(Reason.OTHER_CONNECTION, "the request was made for another TLS certificate's connection")
    if request.responder != responder and (request.responder or not isinstance(request.ask, Hello)):
        raise RequestRefused(Reason.OTHER_RESPONDER, "the request is for another peer")
    made_ns = request.timestamp_ns
    if made_ns is None or abs(now_ns - made_ns) > window_ns:
        raise RequestRefused(Reason.UNTIMELY, f"the request was not made within {window_ns / 1e9:g} s of this clock")
    if made_ns < since_ns:
        raise RequestRefused(Reason.UNTIMELY, "the request was made before this peer started; ask again")
    if len(request.nonce) < NONCE_BYTES:
        raise RequestRefused(Reason.MALFORMED, f"a nonce has {NONCE_BYTES} bytes at least")
    return _signer(config, request.requester, REQUEST_CONTEXT + opened.raw, opened.signature, now_ns)


def seal_response(answer: Answer, request_hash: bytes, signer: SigningIdentity) -> bytes:
    """A privysharing.v1.SignedResponse."""
    raw = encode_response(Response(request_hash, signer.serialized, answer))
    return encode_signed_response(raw, signer.sign(RESPONSE_CONTEXT + raw))


class Signer(Protocol):
    """Somebody whose signature means something to whoever asks."""

    @property
    def msp_id(self) -> str: ...

    @property
    def serialized(self) -> bytes: ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether he signed it."""
        ...


S = TypeVar("S", bound=Signer)


def peers_of(config: ChannelConfig, now_ns: int) -> Callable[[bytes], Identity]:
    """Finds the peers of a channel by their identities; raises ProtocolError for everybody else."""

    def find(serialized: bytes) -> Identity:
        who = config.msps.identity(serialized)
        if now_ns > who.expires_at_ns:
            raise InvalidIdentity(f"the certificate of somebody of {who.msp_id} has expired")
        if not is_peer(who, config):
            raise InvalidIdentity(f"that is no peer of the channel, but somebody of {who.msp_id}")
        return who

    return find


def open_response(
    signed: bytes, request_hash: bytes, find: Callable[[bytes], S], *, responder: bytes
) -> tuple[S, Answer]:
    """Who answered what. `responder` is the hash of the identity that was asked, empty where anybody's answer will do.

    `find` says whose word counts, and raises ProtocolError for nobody's. Raises BadResponse.
    """
    try:
        raw, signature = parse_signed_response(signed)
        response = parse_response(raw)
    except MalformedMessage as error:
        raise BadResponse(str(error)) from None
    if response.request_hash != request_hash:
        raise BadResponse("it answers another request")
    if responder and sha256(response.responder) != responder:
        raise BadResponse("another peer answered")
    try:
        who = find(response.responder)
    except ProtocolError as error:
        raise BadResponse(f"whoever answered does not count: {error}") from None
    if not who.verify(RESPONSE_CONTEXT + raw, signature):
        raise BadResponse(f"the answer is not signed by the peer of {who.msp_id} that it names")
    return who, response.answer


def is_peer(identity: Identity, config: ChannelConfig) -> bool:
    """Whether a valid identity is a peer of one of the channel's organisations."""
    return MspRole.PEER in identity.roles and any(
        org.msp_id == identity.msp_id for org in config.application_orgs.values()
    )


def _signer(config: ChannelConfig, serialized: bytes, message: bytes, signature: bytes, now_ns: int) -> Identity:
    try:
        who = config.msps.identity(serialized)
    except InvalidIdentity as error:
        raise RequestRefused(Reason.FORGED, f"no identity of channel {config.channel_id}: {error}") from None
    if now_ns > who.expires_at_ns:
        raise RequestRefused(Reason.FORGED, f"the certificate of somebody of {who.msp_id} has expired")
    if not who.verify(message, signature):
        raise RequestRefused(Reason.FORGED, f"the signature is not that of the identity of {who.msp_id} it names")
    return who
