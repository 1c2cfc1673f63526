"""What the log has dropped comes from other orderers, and nothing is taken that only a liar could show."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.ordering import RecordClass, Regular
from privysharing.rpc.errors import NodeUnavailable
from services.orderer import catching_up
from services.orderer.catching_up import CatchingUp
from services.orderer.fellows import Fellow
from services.orderer.log.memorylog import MemoryLog
from services.orderer.sealing import config_envelope, next_header, position_of, seal
from services.orderer.store import BlockStore
from tests.support.ordering import NOW_NS, SIGNER, STRANGERS, batch_update, envelope, genesis, run_chain, store_with

FIRST = genesis()
HONEST, OTHER = Fellow("honest:7050", "OrdererMSP", b""), Fellow("other:7050", "OtherMSP", b"")


@dataclass
class Shown:
    """What each orderer shows; whoever is not in it does not answer."""

    chains: dict[Fellow, list[Block]]
    ending: tuple[Fellow, ...] = ()  # they end their answers, and wait for no more blocks
    asked: list[str] = field(default_factory=list)

    def fellows(self, config: ChannelConfig) -> Sequence[Fellow]:
        return [HONEST, OTHER]

    async def blocks(self, fellow: Fellow, channel_id: str, first: int) -> AsyncGenerator[bytes]:
        self.asked.append(f"{fellow.msp_id}/{first}")
        for block in self._of(fellow)[first:]:
            yield encode_block(block)
        if fellow not in self.ending:
            await asyncio.Event().wait()

    async def header(self, fellow: Fellow, channel_id: str, number: int) -> AsyncGenerator[bytes]:
        for block in self._of(fellow)[number : number + 1]:
            yield encode_block(replace(block, data=()))

    def _of(self, fellow: Fellow) -> list[Block]:
        if fellow not in self.chains:
            raise NodeUnavailable(fellow.address, "down")
        return self.chains[fellow]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "SILENCE_S", 0.05)
    monkeypatch.setattr(catching_up, "PAUSE_S", 0.01)
    monkeypatch.setattr(catching_up, "CHUNK_BLOCKS", 2)


async def made(count: int = 6) -> list[Block]:
    """A chain with a configuration in the middle of it."""
    running = run_chain(FIRST, MemoryLog())
    await running.chain.caught_up()
    config = ChannelConfig.from_block(FIRST)
    for number in range(1, count):
        if number == 3:
            derived = derive(config, batch_update(config, BatchSize(max_message_count=7)))
            raw = config_envelope(config.channel_id, derived, signer=SIGNER, now_ns=NOW_NS, nonce=b"n" * 24)
            await running.chain.order(Regular(raw, 0, RecordClass.CONFIG))
        else:
            await running.chain.order(Regular(envelope(), int(number > 3), RecordClass.NORMAL))
        await running.block(number)
    blocks = await running.blocks(count)
    await running.stop()
    return blocks


def stored(store: BlockStore) -> list[Block]:
    return [parse_block(store.read(number)) for number in range(store.height)]


async def catch_up(store: BlockStore, shown: Shown, offset: int) -> None:
    async with asyncio.timeout(0.5):
        await CatchingUp(store, shown).reach(offset)


async def test_blocks_are_taken_up_to_where_the_log_begins_and_no_further() -> None:
    blocks, store = await made(), store_with(FIRST)
    await catch_up(store, Shown({HONEST: blocks, OTHER: blocks}), position_of(blocks[4]).last_offset + 1)
    assert stored(store) == blocks[:5]


async def test_whoever_does_not_answer_is_passed_over() -> None:
    blocks, store = await made(), store_with(FIRST)
    shown = Shown({OTHER: blocks})
    await catch_up(store, shown, position_of(blocks[2]).last_offset + 1)
    assert stored(store) == blocks[:3]
    assert shown.asked == ["OrdererMSP/1", "OtherMSP/1"]


async def test_whoever_ends_before_the_place_is_reached_is_passed_over_for_the_next() -> None:
    blocks, store = await made(), store_with(FIRST)
    shown = Shown({HONEST: blocks[:1], OTHER: blocks}, ending=(HONEST,))
    await catch_up(store, shown, position_of(blocks[2]).last_offset + 1)
    assert stored(store) == blocks[:3]


def forged(blocks: list[Block], how: str) -> list[Block]:
    if how == "signed by a stranger":
        header = next_header(1, header_hash(FIRST.header), blocks[1].data)
        nobody = STRANGERS.person("orderer0", "orderer")
        position = position_of(blocks[1])
        return [FIRST, seal(header, blocks[1].data, last_config=0, position=position, signer=nobody, nonce=b"n" * 24)]
    if how == "other data":
        return [FIRST, replace(blocks[1], data=blocks[2].data)]
    if how == "a gap":
        return [FIRST, blocks[2]]
    if how == "another place in the log":
        position = replace(position_of(blocks[-1]), last_offset=position_of(blocks[-1]).last_offset + 1)
        last = blocks[-1]
        return [
            *blocks[:-1],
            seal(last.header, last.data, last_config=3, position=position, signer=SIGNER, nonce=b"n" * 24),
        ]
    number, previous = len(blocks) - 1, blocks[-2]  # properly signed, but not what all the others have
    header = next_header(number, header_hash(previous.header), (envelope(),))
    data, position = (envelope(),), position_of(blocks[-1])
    header = next_header(number, header_hash(previous.header), data)
    block = seal(header, data, last_config=3, position=position, signer=SIGNER, nonce=b"n" * 24)
    return [*blocks[:-1], block]


@pytest.mark.parametrize(
    "how", ["signed by a stranger", "other data", "a gap", "another story", "another place in the log"]
)
async def test_a_lie_is_not_stored_and_the_truth_of_another_is(how: str) -> None:
    blocks, store = await made(), store_with(FIRST)
    lie = forged(blocks, how)
    with pytest.raises(TimeoutError):
        await catch_up(
            store,
            Shown({HONEST: lie, OTHER: blocks[: len(lie)]} if "another" in how else {HONEST: lie}),
            position_of(lie[-1]).last_offset + 1,
        )
    assert stored(store) == blocks[: store.height]
    assert store.height < len(blocks)


async def test_a_store_goes_on_where_it_ended() -> None:
    blocks, store = await made(), store_with(FIRST)
    shown = Shown({HONEST: blocks})
    for number in (1, 3, 5):
        await catch_up(store, shown, position_of(blocks[number]).last_offset + 1)
        assert stored(store) == blocks[: number + 1]
    assert shown.asked == ["OrdererMSP/1", "OrdererMSP/2", "OrdererMSP/4"]
