"""Blocks that real Fabric networks made (tests/interop/vectors), and channels that hold them."""

import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codes import HeaderType
from services.peer.commits import replay
from services.peer.ledger.memory import MemoryLedger
from tests.support.private import Nowhere, Values

VECTORS = Path(__file__).parents[1] / "interop" / "vectors"
_LENGTH_BYTES = 4


def small_network() -> tuple[Block, ...]:
    """Blocks 0 to 5 of a peer: a definition, then single transactions of a chaincode `kv`."""
    return tuple(parse_block((VECTORS / f"pblk{number}.block").read_bytes()) for number in range(6))


@cache
def large_network() -> tuple[Block, ...]:
    """All blocks of a Fabric 3.1 peer whose transactions show what a chaincode can do, and every verdict.

    The file holds one block after the other, each behind its length (4 bytes, big-endian). Chaincode `oracle` is in
    `support.oracle_chaincode`. From block 105 on, the transactions were crafted and never endorsed.
    """
    return tuple(parse_block(raw) for raw in _split(lzma.decompress((VECTORS / "oracle.blocks.xz").read_bytes())))


@dataclass(frozen=True)
class VectorChannel:
    """A channel as a peer of that network had it at some height."""

    config: ChannelConfig
    ledger: MemoryLedger
    private_values: Values = field(default_factory=Values)
    dissemination: Nowhere = field(default_factory=Nowhere)
    stopped: str | None = None


def channels(blocks: tuple[Block, ...]) -> Iterator[VectorChannel]:
    """The channel before each block but the first: item n has height n + 1."""
    config = ChannelConfig.from_block(blocks[0])
    ledger = MemoryLedger(config.channel_id)
    for number, block in enumerate(blocks):
        ledger.append(replay(block, ledger.state, ledger.commit_hash))
        if number and parse_payload(parse_envelope(block.data[0]).payload).header.channel.type == HeaderType.CONFIG:
            config = ChannelConfig.from_block(block)
        yield VectorChannel(config, ledger)


def _split(raw: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(raw):
        size = int.from_bytes(raw[start : start + _LENGTH_BYTES], "big")
        start += _LENGTH_BYTES
        yield raw[start : start + size]
        start += size
