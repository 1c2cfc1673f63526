"""Whether an envelope may be ordered, in Fabric's order of checks and with Fabric's words (common/msgprocessor).

Pure: the clock is an argument, and without one nothing is judged by it.
"""

from dataclasses import dataclass

from privysharing.protocol.channel.bundle import CHANNEL_WRITERS, ChannelConfig
from privysharing.protocol.channel.settings import ConsensusState
from privysharing.protocol.codec.envelopes import (
    parse_address,
    parse_and_marshal_envelope,
    parse_signature_header,
    split_header,
    split_payload,
)
from privysharing.protocol.codes import HeaderType, Status
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.policies.unmet import unmet
from privysharing.protocol.values import value

ORDERER_WRITERS = "/Channel/Orderer/Writers"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Broadcast answers instead of SUCCESS."""

    status: Status
    info: str

    def within(self, context: str) -> "Refusal":
        """The same, said to have happened in some larger step."""
        return Refusal(self.status, f"{context}: {self.info}")


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is, and how far from it the timestamp of a transaction may be (0: any distance)."""

    now_ns: int
    window_ns: int
    check_expiry: bool = True


@value
class Message:
    """An envelope read as far as ordering it needs."""

    payload: bytes
    signature: bytes
    canonical: bytes  # the envelope marshalled again: what goes into a block, since peers refuse any other form
    channel_id: str
    type: int
    timestamp_ns: int | None
    signature_header: bytes

    @property
    def data(self) -> bytes:
        """What the payload carries: of a transaction, nobody here reads it."""
        parts = split_payload(self.payload)
        return parts[2] if parts is not None else b""

    @property
    def size(self) -> int:
        """Bytes as the limits of a batch count them."""
        return len(self.payload) + len(self.signature)


def read_message(raw: bytes) -> Message | Refusal:
    """Read an envelope up to its channel header (registrar BroadcastChannelSupport)."""
    try:
        payload, signature, canonical = parse_and_marshal_envelope(raw)
        header = split_header(payload)
        if header is None:
            raise MalformedMessage("header not set")
        channel_header, signature_header = header
        if not channel_header:
            raise MalformedMessage("channel header not set")
        kind, channel_id, timestamp_ns = parse_address(channel_header)
    except MalformedMessage as error:
        return Refusal(Status.BAD_REQUEST, f"could not determine channel ID: {error}")
    return Message(payload, signature, canonical, channel_id, kind, timestamp_ns, signature_header)


def classify(message: Message) -> Refusal | None:
    """Refuse what nobody may submit. Any type but these and CONFIG_UPDATE counts as a normal message."""
    if message.type == HeaderType.CONFIG:
        return Refusal(Status.BAD_REQUEST, "message is of type that cannot be processed directly")
    if message.type == HeaderType.ORDERER_TRANSACTION:
        return Refusal(Status.BAD_REQUEST, "message is of type that is no longer supported")
    return None


@value
class Claim:
    """A message with which nothing is wrong as far as can be told without its signature."""

    message: Message
    identity: Identity | None  # whose it claims to be, if that is anybody known

    def holds(self) -> bool:
        """Whether it is his."""
        identity, message = self.identity, self.message
        return identity is not None and identity.fault is None and identity.verify(message.payload, message.signature)


def judge_normal(message: Message, config: ChannelConfig, clock: Clock | None = None) -> Refusal | None:
    """A normal message: maintenance, then the rules for all messages, then our time window."""
    claim = read_normal(message, config, clock)
    return claim if isinstance(claim, Refusal) else judge_normal_claim(claim, claim.holds(), config, clock)


def read_normal(message: Message, config: ChannelConfig, clock: Clock | None = None) -> Claim | Refusal:
    """`judge_normal` up to the signature."""
    if config.orderer.state is not ConsensusState.NORMAL:
        return Refusal(Status.SERVICE_UNAVAILABLE, "normal transactions are rejected: maintenance mode")
    return _read_claim(message, config, clock)


def judge_normal_claim(claim: Claim, holds: bool, config: ChannelConfig, clock: Clock | None = None) -> Refusal | None:
    """`judge_normal` from the signature on."""
    refusal = _judge_claim(claim, holds, config)
    if refusal is None and clock is not None and clock.window_ns:
        return _judge_timestamp(claim.message, clock)
    return refusal


def judge_config(message: Message, config: ChannelConfig, clock: Clock | None = None) -> Refusal | None:
    """The rules for all messages, and for configurations nothing else: size, expiry, Writers."""
    claim = _read_claim(message, config, clock)
    return claim if isinstance(claim, Refusal) else _judge_claim(claim, claim.holds(), config)


def _read_claim(message: Message, config: ChannelConfig, clock: Clock | None) -> Claim | Refusal:
    if not message.payload:
        return Refusal(Status.BAD_REQUEST, "Message was empty")
    most = config.orderer.batch_size.absolute_max_bytes
    if message.size > most:
        text = f"message payload is {message.size} bytes and exceeds maximum allowed {most} bytes"
        return Refusal(Status.BAD_REQUEST, text)
    try:
        creator = parse_signature_header(message.signature_header).creator
    except MalformedMessage as error:
        return Refusal(Status.BAD_REQUEST, f"could not convert message to signedData: {error}")
    identity = _known(creator, config)
    if clock is not None and clock.check_expiry and identity is not None and clock.now_ns >= identity.expires_at_ns:
        return Refusal(Status.BAD_REQUEST, "broadcast client identity expired")
    return Claim(message, identity)


def judge_change(current: ChannelConfig, following: ChannelConfig) -> Refusal | None:
    """What a configuration may not do to the consensus (maintenancefilter): ours has one type and keeps it."""
    before, after = current.orderer.consensus_type, following.orderer.consensus_type
    if before == after:
        return None
    change = f"attempted to change consensus type from {before} to {after}"
    if current.orderer.state is ConsensusState.NORMAL:
        why = "but current config ConsensusType.State is not in maintenance mode"
    else:
        why = "transition not supported"
    return Refusal(Status.BAD_REQUEST, f"config transaction inspection failed: {change}, {why}")


def _known(creator: bytes, config: ChannelConfig) -> Identity | None:
    """Whom the creator's bytes name, valid or not. Whoever is not known at all is refused by the policy."""
    try:
        return config.msps.deserialize(creator)
    except InvalidIdentity:
        return None


def _judge_claim(claim: Claim, holds: bool, config: ChannelConfig) -> Refusal | None:
    path = CHANNEL_WRITERS if config.orderer.state is ConsensusState.NORMAL else ORDERER_WRITERS
    if not config.has_policy(path):
        return Refusal(Status.BAD_REQUEST, f"could not find policy {path}")
    signers = (claim.identity,) if holds and claim.identity is not None else ()
    if config.policy(path).evaluate(signers):
        return None
    return Refusal(Status.FORBIDDEN, f"{unmet(config.policy(path), signers)}: permission denied")


def _judge_timestamp(message: Message, clock: Clock) -> Refusal | None:
    if message.timestamp_ns is None:
        return Refusal(Status.BAD_REQUEST, "channel header in envelope must contain timestamp")
    if abs(clock.now_ns - message.timestamp_ns) > clock.window_ns:
        window = f"{clock.window_ns / 1e9:g}s"
        return Refusal(Status.BAD_REQUEST, f"envelope timestamp is more than {window} apart from current server time")
    return None
