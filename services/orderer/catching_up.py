"""Fill a block store up to where the log begins, with blocks that other orderers made.

A block is taken that continues ours, is signed as the channel demands, carries a configuration only that follows from
the one before, and of which no orderer of another organisation shows another version, or another place in the log. From
there on blocks are made from the log again, which all orderers share.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing

from privysharing.protocol.block_checks import BadBlock, check_block, is_config_block
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.update import validate
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.errors import ProtocolError
from privysharing.rpc.errors import NodeError
from services.orderer.admission import Refusal, read_message
from services.orderer.fellows import BlockCalls, Fellow
from services.orderer.sealing import position_of
from services.orderer.store import BlockStore

CHUNK_BLOCKS = 64  # that are checked with others before they are stored
SILENCE_S = 10.0  # of an orderer, before another one is asked
PAUSE_S = 1.0  # after none could help

_log = logging.getLogger(__name__)


class CatchingUp:
    """Brings one channel's store up to a place in the log."""

    def __init__(self, store: BlockStore, calls: BlockCalls) -> None:
        self._tip = store.block(store.height - 1)
        self._config = store.config_behind(self._tip)
        self._store = store
        self._calls = calls

    async def reach(self, offset: int) -> None:
        """Return when the newest block ends right before this offset of the log, or behind it; tries for ever."""
        while position_of(self._tip).last_offset + 1 < offset:
            for fellow in self._calls.fellows(self._config):
                try:
                    await self._follow(fellow, offset)
                except (NodeError, ProtocolError, TimeoutError, StopAsyncIteration) as error:
                    self._warn("no blocks from another orderer", fellow, error)
                else:
                    break
            else:
                _log.warning(
                    "the log has dropped what no other orderer has shown yet",
                    extra={"channel": self._config.channel_id, "height": self._store.height},
                )
                await asyncio.sleep(PAUSE_S)
        await asyncio.to_thread(self._store.sync)

    async def _follow(self, fellow: Fellow, offset: int) -> None:
        """Take blocks of one orderer until the place is reached. Raises what is wrong with it, or with them."""
        async with aclosing(self._calls.blocks(fellow, self._config.channel_id, self._store.height)) as answers:
            chunk: list[Block] = []
            tip, config = self._tip, self._config
            while position_of(tip).last_offset + 1 < offset:
                async with asyncio.timeout(SILENCE_S):
                    block = parse_block(await anext(answers))
                config = _following(block, tip, config)
                tip = block
                chunk.append(block)
                if len(chunk) == CHUNK_BLOCKS:
                    await self._keep(fellow, chunk, config)
                    chunk = []
            await self._keep(fellow, chunk, config)

    async def _keep(self, source: Fellow, chunk: Sequence[Block], config: ChannelConfig) -> None:
        if not chunk:
            return
        for fellow in self._calls.fellows(self._config):
            if fellow.msp_id != source.msp_id:
                await self._compare(fellow, chunk[-1])
        for block in chunk:
            self._store.append(encode_block(block))
        self._tip, self._config = chunk[-1], config
        _log.info(
            "blocks taken from another orderer",
            extra={"channel": config.channel_id, "from": source.address, "height": self._store.height},
        )

    async def _compare(self, fellow: Fellow, block: Block) -> None:
        """Raises BadBlock if this orderer shows another block. One that shows none says nothing."""
        number = block.header.number
        try:
            async with (
                asyncio.timeout(SILENCE_S),
                aclosing(self._calls.header(fellow, self._config.channel_id, number)) as answers,
            ):
                other = parse_block(await anext(answers))
        except (NodeError, ProtocolError, TimeoutError, StopAsyncIteration) as error:
            self._warn("an orderer says nothing about a block", fellow, error)
            return
        if header_hash(other.header) != header_hash(block.header):
            raise BadBlock(f"{fellow.address} of {fellow.msp_id} shows another block [{number}]")
        if position_of(other) != position_of(block):  # from there on the log would be read
            raise BadBlock(f"{fellow.address} of {fellow.msp_id} shows block [{number}] at another place in the log")

    def _warn(self, what: str, fellow: Fellow, why: BaseException) -> None:
        _log.warning(
            what, extra={"channel": self._config.channel_id, "orderer": fellow.address, "why": str(why) or "silence"}
        )


def _following(block: Block, tip: Block, config: ChannelConfig) -> ChannelConfig:
    """The configuration in force behind this block, which has to be the next one. Raises ProtocolError."""
    check_block(block, tip.header.number + 1, header_hash(tip.header), config)
    if position_of(block).last_offset < position_of(tip).last_offset:
        raise BadBlock(f"block [{block.header.number}] ends before its predecessor in the ordering log")
    if not is_config_block(block):
        return config
    message = read_message(block.data[0])
    if isinstance(message, Refusal):
        raise BadBlock(f"block [{block.header.number}] holds no configuration: {message.info}")
    return validate(config, message.data)
