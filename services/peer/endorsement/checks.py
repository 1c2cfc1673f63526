"""The checks at the door, in Fabric's order and words (core/handlers/auth/filter, endorser preProcess and Validate)."""

from datetime import UTC, datetime
from functools import lru_cache

from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.codec.transactions import parse_proposal_header
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.envelopes import Header, compute_tx_id
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from privysharing.protocol.msp.certificates import parse_certificate
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.transactions import Proposal, SignedProposal
from services.peer.access import PROPOSE, AccessControl
from services.peer.chaincode_host.faults import go_text
from services.peer.chaincode_host.ports import Channel

_SECOND_NS = 1_000_000_000
_EXPIRIES_CACHED_MAX = 4096
_TYPES_TAKEN = frozenset({HeaderType.ENDORSER_TRANSACTION, HeaderType.CONFIG})
_HEADER_PARTS = {"Header": "header", "SignatureHeader": "signature header", "ChannelHeader": "channel header"}
_TYPE_NAMES = {kind.value: kind.name for kind in HeaderType}


class Refusal(Exception):
    """A check that a proposal does not pass; the text goes to the client."""


class AccessRefusal(Refusal):
    """The channel's rules do not let this creator propose."""


class DuplicateTransaction(Refusal):
    """The transaction's id is on the ledger already."""


def read_header(proposal: bytes) -> Header:
    """The header alone, which the filters read before anything else."""
    try:
        return parse_proposal_header(proposal)
    except MalformedMessage as error:
        part = _HEADER_PARTS.get(error.message or "", "proposal")
        raise Refusal(f"failed parsing {part}: {go_text(error)}") from error


def check_expiry(creator: bytes, now_ns: int) -> None:
    """Refuse a certificate that has expired; about what is no certificate a later check speaks (ExpirationCheck)."""
    try:
        expires_at_ns = _expires_at_ns(creator)
    except (ProtocolError, ValueError):
        return
    if now_ns > expires_at_ns:
        raise Refusal("proposal client identity expired")


def check_time_window(timestamp_ns: int | None, now_ns: int, window_s: float) -> None:
    """Refuse a proposal from too long ago, or from the future (TimeWindowCheck)."""
    claimed_ns = timestamp_ns or 0
    if abs(claimed_ns - now_ns) > window_s * _SECOND_NS:
        raise Refusal(
            f"request unauthorized due to incorrect timestamp {_go_time(claimed_ns)}, peer time {_go_time(now_ns)}, "
            f"peer.authentication.timewindow {_go_duration(window_s)}"
        )


def check_form(proposal: Proposal, signed: SignedProposal) -> None:
    """Refuse a header that does not hold together (UnpackedProposal.Validate, up to the creator)."""
    header = proposal.header
    if header.channel.type not in _TYPES_TAKEN:
        raise Refusal(f"invalid header type {_TYPE_NAMES.get(header.channel.type, str(header.channel.type))}")
    if header.channel.epoch != 0:
        raise Refusal("epoch is non-zero")
    if not header.signature.nonce:
        raise Refusal("nonce is empty")
    if not header.signature.creator:
        raise Refusal("creator is empty")
    expected = compute_tx_id(header.signature.nonce, header.signature.creator)
    if header.channel.tx_id != expected:
        raise Refusal(f"incorrectly computed txid '{header.channel.tx_id}' -- expected '{expected}'")
    if not signed.proposal:
        raise Refusal("empty proposal bytes")
    if not signed.signature:
        raise Refusal("empty signature bytes")


def identify_creator(
    proposal: Proposal, signed: SignedProposal, channel: Channel | None, access: AccessControl
) -> Identity:
    """Who proposes, once identity and signature are good: a member of the channel, or of the peer's organisation."""
    channel_id, creator = proposal.header.channel.channel_id, proposal.header.signature.creator
    try:
        identity = access.identify(creator) if channel is None else channel.config.msps.deserialize(creator)
    except InvalidIdentity:
        raise Refusal(f"access denied: channel [{channel_id}] creator org unknown, creator is malformed") from None
    if identity.fault is not None or not identity.verify(signed.proposal, signed.signature):
        raise Refusal(f"access denied: channel [{channel_id}] creator org [{identity.msp_id}]")
    return identity


def check_new(proposal: Proposal, channel: Channel) -> None:
    """Refuse an id that the ledger has, whatever became of that transaction."""
    header = proposal.header
    if channel.ledger.transaction(header.channel.tx_id) is not None:
        raise DuplicateTransaction(
            f"duplicate transaction found [{header.channel.tx_id}]. Creator [{header.signature.creator.hex()}]"
        )


def check_may_propose(creator: Identity, channel: Channel, access: AccessControl) -> None:
    """Refuse who may not propose on the channel."""
    refusal = access.refusal(PROPOSE, creator, channel.config)
    if refusal is not None:
        raise AccessRefusal(refusal)


@lru_cache(_EXPIRIES_CACHED_MAX)
def _expires_at_ns(creator: bytes) -> int:
    _, certificate = parse_serialized_identity(creator)
    return int(parse_certificate(certificate).not_valid_after_utc.timestamp()) * _SECOND_NS


def _go_time(nanoseconds: int) -> str:
    """time.RFC3339 in UTC, as Go prints it."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // _SECOND_NS, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{nanoseconds // _SECOND_NS}s"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _go_duration(seconds: float) -> str:
    """A time.Duration of whole seconds, as Go prints it."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
