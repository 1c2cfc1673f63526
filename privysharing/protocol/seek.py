"""Deliver decided without waiting for anything: who may have which blocks (common/deliver Handler).

The same for an orderer and a peer. A shell asks in this order, as Fabric does: `open_request` (header, clock, TLS
binding), whether it has the channel, `read_seek`, whether ordering works, `Permission.check`, `plan`; then, block for
block, `Plan.refusal_at`, waits for the block, asks `Permission.check` again, and sends until `Plan.last`.
"""

from dataclasses import dataclass

from privysharing.protocol.block_checks import is_config_block
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block, encode_block_without_data
from privysharing.protocol.codec.deliver import parse_seek_info
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import SeekBehavior, SeekInfo, SeekKind, SeekPosition
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.manager import MspManager

TIME_WINDOW_NS = 15 * 60 * 1_000_000_000  # fabric sampleconfig, Authentication.TimeWindow


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status that ends a request, and why: for the log, since Deliver tells its clients the status only."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Signed:
    """Bytes that somebody claims to have signed."""

    creator: bytes
    message: bytes
    signature: bytes

    def signers(self, msps: MspManager) -> tuple[Identity, ...]:
        """The creator, if a member of the channel and the signer indeed; else nobody."""
        try:
            identity = msps.identity(self.creator)
        except InvalidIdentity:
            return ()
        return (identity,) if identity.verify(self.message, self.signature) else ()


@dataclass(frozen=True, slots=True)
class SeekRequest:
    """A request whose header is in order. What it asks for is not read yet."""

    channel_id: str
    signed: Signed
    data: bytes


def open_request(
    raw: bytes, *, now_ns: int, window_ns: int = TIME_WINDOW_NS, certificate_hash: bytes | None
) -> SeekRequest | Refusal:
    """Read an envelope sent to Deliver. The type in its header means nothing.

    `certificate_hash` is that of the caller's TLS certificate where client certificates are required, empty when he
    showed none, and None where they are not.
    """
    try:
        envelope = parse_envelope(raw)
        payload = parse_payload(envelope.payload)
    except MalformedMessage as error:
        return Refusal(Status.BAD_REQUEST, str(error))
    header = payload.header.channel
    if header.timestamp_ns is None:
        return Refusal(Status.BAD_REQUEST, "channel header in envelope must contain timestamp")
    if abs(now_ns - header.timestamp_ns) > window_ns:
        return Refusal(Status.BAD_REQUEST, f"envelope timestamp is more than {window_ns / 1e9:g}s from the server's")
    if certificate_hash is not None:
        if not header.tls_cert_hash:
            return Refusal(Status.BAD_REQUEST, "client didn't include its TLS cert hash")
        if not certificate_hash:
            return Refusal(Status.BAD_REQUEST, "client didn't send a TLS certificate")
        if header.tls_cert_hash != certificate_hash:
            return Refusal(Status.BAD_REQUEST, "claimed TLS cert hash is not that of the connection")
    signed = Signed(payload.header.signature.creator, envelope.payload, envelope.signature)
    return SeekRequest(header.channel_id, signed, payload.data)


def read_seek(request: SeekRequest) -> SeekInfo | Refusal:
    """What the request asks for."""
    try:
        return parse_seek_info(request.data)
    except MalformedMessage as error:
        return Refusal(Status.BAD_REQUEST, str(error))


class Permission:
    """Whether a request may have blocks: asked before the first, and again with each (deliver SessionAccessControl).

    The signature and the policy are looked at once per configuration, the expiry of the creator every time.
    """

    def __init__(self, request: SeekRequest, *, check_expiry: bool = True) -> None:
        self._signed = request.signed
        self._check_expiry = check_expiry
        self._sequence = -1  # of the configuration under which it was last granted
        self._expires_at_ns: int | None = None

    def check(self, config: ChannelConfig, policy: str, now_ns: int) -> Refusal | None:
        """None while the policy at this path lets the creator read."""
        if config.sequence > self._sequence:
            signers = self._signed.signers(config.msps)
            if not config.policy(policy).evaluate(signers):
                return Refusal(Status.FORBIDDEN, f"{policy} is not satisfied")
            self._sequence = config.sequence
            self._expires_at_ns = min((identity.expires_at_ns for identity in signers), default=None)
        if self._check_expiry and self._expires_at_ns is not None and now_ns > self._expires_at_ns:
            return Refusal(Status.FORBIDDEN, "deliver client identity expired")
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """Blocks from `first` up to `last`."""

    first: int
    last: int
    wait: bool  # for blocks that are not there yet

    def refusal_at(self, number: int, height: int) -> Refusal | None:
        """Whether the block of that number is out of reach, `height` being the number of blocks there are."""
        if number >= height and not self.wait:
            return Refusal(Status.NOT_FOUND, f"block {number} not found, block number greater than chain length bounds")
        return None


def plan(seek: SeekInfo, height: int) -> Plan | Refusal:
    """Which blocks that is on a chain of `height` blocks. NEWEST as a stop means the newest at this moment."""
    if seek.start is None or seek.stop is None:
        return Refusal(Status.BAD_REQUEST, "seekInfo message with missing start or stop")
    first = _first(seek.start, height)
    if first is None:
        return Refusal(Status.NOT_FOUND, "start is beyond the next block, or names no place")
    last = _last(seek.start, seek.stop, first, height)
    if seek.stop.kind is SeekKind.SPECIFIED and last < first:
        return Refusal(Status.BAD_REQUEST, f"start number {first} greater than stop number {last}")
    return Plan(first, last, wait=seek.behavior is SeekBehavior.BLOCK_UNTIL_READY)


def without_transactions(block: Block) -> bytes:
    """A block for SeekContentType.HEADER_WITH_SIG_BYTES, marshalled: only configuration blocks keep their data."""
    return encode_block(block) if is_config_block(block) else encode_block_without_data(block)


def _first(start: SeekPosition, height: int) -> int | None:
    """Fileledger Iterator: the next block may be asked for, a later one not."""
    if start.kind is SeekKind.SPECIFIED:
        return start.number if start.number <= height else None
    known = {SeekKind.OLDEST: 0, SeekKind.NEWEST: height - 1, SeekKind.NEXT_COMMIT: height}
    return known.get(start.kind)


def _last(start: SeekPosition, stop: SeekPosition, first: int, height: int) -> int:
    """A stop that names no place is block 0 in Fabric: reached at once from there, and otherwise never."""
    if stop.kind is SeekKind.SPECIFIED:
        return stop.number
    if stop.kind is SeekKind.OLDEST or stop == start:
        return first
    return height - 1 if stop.kind is SeekKind.NEWEST else 0
