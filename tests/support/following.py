"""Chains as orderers cut them, and orderers in memory that serve them, honestly or not."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.blocks import encode_block, encode_block_without_data
from privysharing.protocol.codes import Status
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.deliver import SeekBehavior, SeekContentType, SeekInfo
from privysharing.protocol.ordering import LogPosition
from privysharing.rpc.deliver import DeliverRefused
from privysharing.rpc.errors import NodeUnavailable
from services.orderer.sealing import config_envelope, next_header, seal
from services.peer.block_feed.sources import BlockSource, OrdererSource

_nonces = itertools.count(1)


class OrderedChain:
    """The blocks of one channel, signed by an orderer."""

    def __init__(self, genesis: Block, signer: SigningIdentity) -> None:
        self.blocks = [genesis]
        self.config = ChannelConfig.from_block(genesis)
        self._signer = signer
        self._last_config = 0

    def copy(self) -> "OrderedChain":
        """Another chain with the same blocks so far."""
        twin = OrderedChain(self.blocks[0], self._signer)
        twin.blocks, twin.config, twin._last_config = list(self.blocks), self.config, self._last_config
        return twin

    def cut(self, *envelopes: bytes, signer: SigningIdentity | None = None) -> Block:
        """The next block."""
        previous = self.blocks[-1].header
        number = previous.number + 1
        block = seal(
            next_header(number, header_hash(previous), envelopes),
            envelopes,
            last_config=self._last_config,
            position=LogPosition(number, 0, 0),
            signer=signer or self._signer,
            nonce=next(_nonces).to_bytes(24, "big"),
        )
        self.blocks.append(block)
        return block

    def reconfigure(self, update: bytes) -> Block:
        """The next block: the configuration that a CONFIG_UPDATE envelope leads to."""
        config = derive(self.config, update)
        number = len(self.blocks)
        self._last_config = number
        envelope = config_envelope(
            self.config.channel_id, config, signer=self._signer, now_ns=1, nonce=next(_nonces).to_bytes(24, "big")
        )
        block = self.cut(envelope)
        self.config = ChannelConfig.from_block(block)
        return block


class MemoryOrderers:
    """Orderers by address (block_feed.feed.BlockCalls). `changes` alter what one of them sends.

    Those that are `stalled` send nothing more, and do not hang up.
    """

    def __init__(self, **chains: OrderedChain) -> None:
        self.chains = chains
        self.changes: dict[str, Callable[[Block], Block]] = {}
        self.down: set[str] = set()
        self.stalled: set[str] = set()
        self.served: list[tuple[str, int]] = []
        self.refused: list[tuple[str, int]] = []  # since the block is not there yet
        self._grown = asyncio.Condition()

    def source(self, address: str, msp_id: str = "OrdererMSP") -> OrdererSource:
        return OrdererSource(address, msp_id, b"")

    async def grow(self) -> None:
        """Blocks were cut, or orderers went down: tell the streams."""
        async with self._grown:
            self._grown.notify_all()

    async def blocks(self, source: BlockSource, channel_id: str, seek: SeekInfo) -> AsyncGenerator[bytes]:
        assert seek.start is not None
        chain = self.chains[source.address]
        number = seek.start.number
        if number > len(chain.blocks):
            raise DeliverRefused(source.address, Status.NOT_FOUND)
        if number == len(chain.blocks) and seek.behavior is SeekBehavior.FAIL_IF_NOT_READY:
            self.refused.append((source.address, number))
            raise DeliverRefused(source.address, Status.NOT_FOUND)
        while True:
            async with self._grown:
                while source.address not in self.down and (
                    number >= len(chain.blocks) or source.address in self.stalled
                ):
                    await self._grown.wait()
            if source.address in self.down:
                raise NodeUnavailable(source.address, "it is down")
            change = self.changes.get(source.address)
            block = change(chain.blocks[number]) if change else chain.blocks[number]
            self.served.append((source.address, number))
            bare = seek.content_type is SeekContentType.HEADER_WITH_SIG_BYTES
            yield encode_block_without_data(block) if bare else encode_block(block)
            number += 1
