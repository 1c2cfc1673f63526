"""What the leaves of a channel configuration say, once parsed."""

import re
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


_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)")
_NUMBER_AND_UNIT = re.compile(r"([\d.]+)(\D+)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `2s`, `1m30s` or `250ms`; ValueError when it is none."""
    parts = _DURATION.findall(text)
    if not parts or "".join(parts) != text:
        raise ValueError(f"'{text}' is not a duration such as 2s or 250ms")
    numbers_and_units = (_NUMBER_AND_UNIT.fullmatch(part) for part in parts)
    return sum(float(match[1]) * _SECONDS[match[2]] for match in numbers_and_units if match)


def format_duration(seconds: float) -> str:
    """The Go duration of so many seconds, to the microsecond."""
    microseconds = round(seconds * 1_000_000)
    for unit, size in (("s", 1_000_000), ("ms", 1_000)):
        if microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds}us"
