"""What the leaves of a channel configuration say, once parsed."""

from dataclasses import dataclass, field
from enum import IntEnum

DATA_HASHING_WIDTH = 2**32 - 1  # the only width that Fabric accepts: block data is hashed as one string
HASHING_ALGORITHM = "SHA256"


class ConsensusState(IntEnum):
    """orderer.ConsensusType.State."""

    NORMAL = 0
    MAINTENANCE = 1


@dataclass(frozen=True, slots=True)
class BatchSize:
    """orderer.BatchSize: when a batch is full. Sizes in bytes of payload and signature."""

    # fabric sampleconfig/configtx.yaml, Orderer.BatchSize
    max_message_count: int = 500
    absolute_max_bytes: int = 10 * 1024 * 1024
    preferred_max_bytes: int = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ConsensusType:
    """orderer.ConsensusType."""

    type: str
    metadata: bytes = b""
    state: ConsensusState = ConsensusState.NORMAL


@dataclass(frozen=True, slots=True)
class Consenter:
    """common.Consenter: one node of a BFT ordering service. Certificates are PEM."""

    id: int
    host: str
    port: int
    msp_id: str
    identity: bytes = field(repr=False)
    client_tls_cert: bytes = field(repr=False)
    server_tls_cert: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AnchorPeer:
    """protos.AnchorPeer: a peer by which other organisations find this one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The levels that a channel requires of its nodes (common.Capabilities, one set per group)."""

    channel: frozenset[str] = frozenset({"V2_0"})
    orderer: frozenset[str] = frozenset({"V2_0"})
    application: frozenset[str] = frozenset({"V2_5"})
