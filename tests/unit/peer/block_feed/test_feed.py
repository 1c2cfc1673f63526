"""A peer takes the chain's blocks, each once, from whichever orderer is honest and there."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from random import Random

import pytest

from privysharing.protocol.blocks import Block
from services.peer.block_feed.evidence import ForkedChain
from services.peer.block_feed.feed import SMALL_BYTES, BlockFeed
from tests.support.following import MemoryOrderers, OrderedChain
from tests.support.following_peer import GENESIS, SETTINGS, Follower, data_of
from tests.support.liars import LyingOrderer
from tests.support.nodes import until
from tests.support.ordering import CITY, SIGNER, batch_update, envelope, genesis

SEED = 20262


async def test_blocks_come_in_order_and_those_cut_later_too(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    orderers = MemoryOrderers(one=chain)
    follower = Follower(orderers, [orderers.source("one")], crypto)
    await follower.take(6)
    taking = asyncio.create_task(follower.take(7))
    await until(lambda: orderers.served.count(("one", 5)) == 2)  # the second stream has sent all there is
    chain.cut(envelope(b"large" * SMALL_BYTES))
    await orderers.grow()
    await taking
    assert follower.data == data_of(chain)


async def test_when_an_orderer_goes_away_the_next_one_takes_over(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    orderers = MemoryOrderers(one=chain, two=chain)
    follower = Follower(orderers, [orderers.source("one"), orderers.source("two")], crypto)
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 4)
        orderers.down.add("one")
        chain.cut(envelope())
        await orderers.grow()
        await follower._take(blocks, 7)
    assert follower.data == data_of(chain)
    assert follower.feed.source == orderers.source("two")


async def test_an_orderer_that_is_behind_is_left_for_one_that_is_not(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    orderers = MemoryOrderers(ahead=chain, behind=OrderedChain(GENESIS, SIGNER))
    follower = Follower(orderers, [orderers.source("ahead")], crypto)
    await follower.take(4)
    both = [orderers.source("behind"), orderers.source("ahead")]
    follower.feed = BlockFeed(
        follower.ledger, lambda: follower.config, lambda: both, orderers, follower.notifier, crypto, SETTINGS
    )
    await follower.take(6)
    assert follower.data == data_of(chain)


@pytest.mark.parametrize("kept", [1, 5], ids=["all blocks", "one block"])
async def test_orderers_that_lost_our_last_block_are_named_until_one_has_it_again(
    chain: OrderedChain, crypto: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture, kept: int
) -> None:
    """One that lost nothing else waits for the block to come, as for any next one: it must be asked."""
    orderers = MemoryOrderers(one=chain)
    follower = Follower(orderers, [orderers.source("one")], crypto)
    await follower.take(6)
    assert follower.feed.illness is None
    orderers.chains["one"] = chain.copy()
    del orderers.chains["one"].blocks[kept:]
    taking = asyncio.create_task(follower.take(7))
    await until(lambda: follower.feed.illness is not None)
    assert follower.feed.illness == (
        "orderer one does not have block 5, the last one here: it has lost data, or is on another chain"
    )
    asked = len(orderers.served)
    await asyncio.sleep(0.05)  # asked again and again
    assert len(orderers.served) == asked
    assert [record.message for record in caplog.records].count("orderer is behind this peer") == 1
    chain.cut(envelope())
    orderers.chains["one"] = chain
    await taking
    assert follower.feed.illness is None
    assert follower.data == data_of(chain)


@pytest.mark.parametrize("keeps", ["silent", "behind"])
async def test_an_orderer_that_withholds_a_block_is_left_for_one_that_shows_it(
    chain: OrderedChain, crypto: ThreadPoolExecutor, keeps: str
) -> None:
    orderers = MemoryOrderers(withholds=chain if keeps == "silent" else chain.copy(), gone=chain, honest=chain)
    orderers.down.add("gone")
    follower = Follower(orderers, [orderers.source(name) for name in ("withholds", "gone", "honest")], crypto)
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 6)
        assert follower.feed.source == orderers.source("withholds")
        if keeps == "silent":
            orderers.stalled.add("withholds")
        chain.cut(envelope())
        await orderers.grow()
        await follower._take(blocks, 7)
    assert follower.feed.source == orderers.source("honest")
    assert follower.data == data_of(chain)


async def test_an_orderer_is_not_left_for_its_silence_when_nobody_has_more(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    orderers = MemoryOrderers(one=chain, two=chain)
    follower = Follower(orderers, [orderers.source("one"), orderers.source("two")], crypto)
    taking = asyncio.create_task(follower.take(7))
    await until(lambda: orderers.refused.count(("two", 6)) >= 3)
    chain.cut(envelope())
    await orderers.grow()
    await taking
    assert follower.feed.source == orderers.source("one")
    assert follower.data == data_of(chain)


async def test_an_orderer_is_not_left_for_a_block_that_no_orderer_signed(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    fork = chain.copy()
    fork.cut(envelope(b"forged"), signer=CITY.peer)
    orderers = MemoryOrderers(honest=chain, liar=fork)
    follower = Follower(orderers, [orderers.source("honest"), orderers.source("liar")], crypto)
    taking = asyncio.create_task(follower.take(7))
    await until(lambda: orderers.served.count(("liar", 6)) >= 3)
    chain.cut(envelope())
    await orderers.grow()
    await taking
    assert follower.feed.source == orderers.source("honest")
    assert follower.data == data_of(chain)


@pytest.mark.parametrize("forged", [b"forged", b"large" * SMALL_BYTES], ids=["small", "large"])
@pytest.mark.parametrize("number", [1, 3])
async def test_a_bad_block_is_not_taken_and_its_sender_is_left(
    chain: OrderedChain, crypto: ThreadPoolExecutor, number: int, forged: bytes
) -> None:
    def tamper(block: Block) -> Block:
        return replace(block, data=(envelope(forged),)) if block.header.number == number else block

    orderers = MemoryOrderers(liar=chain, honest=chain)
    orderers.changes["liar"] = tamper
    follower = Follower(orderers, [orderers.source("liar"), orderers.source("honest")], crypto)
    await follower.take(6)
    assert follower.data == data_of(chain)
    assert follower.feed.source == orderers.source("honest")


@pytest.mark.parametrize("mended", [True, False], ids=["it mends", "another one comes"])
async def test_a_bad_block_is_told_for_as_long_as_nobody_gives_a_better_one(
    chain: OrderedChain, crypto: ThreadPoolExecutor, mended: bool
) -> None:
    orderers = MemoryOrderers(one=chain, other=chain)
    orderers.changes["one"] = lambda block: replace(block, data=(b"x",)) if block.header.number == 3 else block
    sources = [orderers.source("one")]
    follower = Follower(orderers, sources, crypto)
    taking = asyncio.create_task(follower.take(6))
    await until(lambda: follower.feed.illness is not None)
    told = follower.feed.illness
    assert told is not None
    assert told.startswith("orderer one sent a bad block: ")
    seen = {follower.feed.illness async for _ in moments(orderers, 10)}  # asked again and again
    assert seen == {told}
    if mended:
        orderers.changes.clear()
    else:
        sources.append(orderers.source("other"))
    await taking
    assert follower.feed.illness is None
    assert follower.data == data_of(chain)


async def moments(orderers: MemoryOrderers, blocks: int) -> AsyncGenerator[None]:
    """Every turn of the loop, until so many more blocks have been served."""
    enough = len(orderers.served) + blocks
    while len(orderers.served) < enough:
        yield
        await asyncio.sleep(0)


@pytest.mark.parametrize("lie", LyingOrderer.LIES)
async def test_no_lie_of_an_orderer_is_taken_and_it_is_left_for_an_honest_one(
    chain: OrderedChain, crypto: ThreadPoolExecutor, lie: str
) -> None:
    liar = LyingOrderer(SIGNER, Random(SEED))
    orderers = MemoryOrderers(liar=chain, honest=chain)
    orderers.changes["liar"] = lambda block: liar.block(block, lie) if block.header.number == 3 else block
    follower = Follower(orderers, [orderers.source("liar"), orderers.source("honest")], crypto)
    await follower.take(6)
    assert follower.data == data_of(chain)
    assert follower.feed.source == orderers.source("honest")


async def test_skipped_and_repeated_blocks_are_not_taken(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    orderers = MemoryOrderers(skips=chain, repeats=chain, honest=chain)
    orderers.changes["skips"] = lambda block: chain.blocks[min(5, block.header.number + (block.header.number > 1))]
    orderers.changes["repeats"] = lambda block: chain.blocks[max(0, block.header.number - (block.header.number > 2))]
    follower = Follower(orderers, [orderers.source(name) for name in ("skips", "repeats", "honest")], crypto)
    await follower.take(6)
    assert follower.data == data_of(chain)


async def test_blocks_behind_a_new_configuration_are_checked_under_it(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    limits = replace(chain.config.orderer.batch_size, max_message_count=3)
    chain.reconfigure(batch_update(chain.config, limits))
    chain.cut(envelope())
    orderers = MemoryOrderers(one=chain)
    follower = Follower(orderers, [orderers.source("one")], crypto)
    await follower.take(8)
    assert follower.config.orderer.batch_size.max_message_count == 3


async def test_another_network_is_not_followed(crypto: ThreadPoolExecutor) -> None:
    other = OrderedChain(genesis(timeout_s=9.0), SIGNER)
    other.cut(envelope())
    orderers = MemoryOrderers(other=other)
    follower = Follower(orderers, [orderers.source("other")], crypto)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await follower.take(2)
    assert follower.ledger.height == 1


async def test_an_orderer_on_a_fork_stops_the_channel(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    fork = chain.copy()
    fork.blocks.pop()
    fork.cut(envelope(b"a second history"))
    orderers = MemoryOrderers(one=chain, two=fork)
    follower = Follower(orderers, [orderers.source("one"), orderers.source("two")], crypto)
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 6)
        orderers.down.add("one")
        await orderers.grow()
        with pytest.raises(ForkedChain, match="block 5") as caught:
            await anext(blocks)
    assert (caught.value.ours.data, caught.value.theirs.data) == (chain.blocks[5].data, fork.blocks[5].data)


async def test_a_fork_that_no_orderer_signed_stops_nothing(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    fork = chain.copy()
    fork.blocks.pop()
    fork.cut(envelope(b"a second history"), signer=CITY.peer)
    orderers = MemoryOrderers(one=chain, two=fork, three=chain)
    sources = [orderers.source(name) for name in ("one", "two", "three")]
    follower = Follower(orderers, sources, crypto)
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 6)
        orderers.down.add("one")
        chain.cut(envelope())
        await orderers.grow()
        await follower._take(blocks, 7)
    assert follower.data == data_of(chain)
