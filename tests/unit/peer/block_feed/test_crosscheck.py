"""A peer compares its blocks with what orderers and peers of other organisations have, and notices a second story."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest

from services.peer.block_feed.evidence import ForkedChain
from services.peer.block_feed.sources import PeerSource
from tests.support.following import MemoryOrderers, OrderedChain
from tests.support.following_peer import SETTINGS, CountedSources, Follower
from tests.support.nodes import until
from tests.support.ordering import CITY, envelope


async def fork_of(comparing: asyncio.Task[None]) -> ForkedChain:
    """What the comparison ends with."""
    with pytest.raises(ExceptionGroup) as caught:
        await comparing
    (fork,) = caught.value.exceptions
    assert isinstance(fork, ForkedChain)
    return fork


async def test_headers_are_compared_with_an_orderer_of_another_organisation(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    fork = chain.copy()
    fork.blocks[3:] = []
    fork.cut(envelope(b"a second history"))
    orderers = MemoryOrderers(ours=chain, theirs=fork)
    sources = [orderers.source("ours"), orderers.source("theirs", "OtherOrdererMSP")]
    follower = Follower(orderers, sources, crypto)
    comparing = asyncio.create_task(follower.cross_check.run())
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 6)
        assert "block 3 is" in str(await fork_of(comparing))
    assert follower.cross_check.compared == 3


async def test_who_is_left_to_compare_with_is_counted_and_it_is_said_when_nobody_is(
    chain: OrderedChain, crypto: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    orderers = MemoryOrderers(ours=chain, theirs=chain)
    sources = [orderers.source("ours"), orderers.source("theirs", "OtherOrdererMSP")]
    follower = Follower(orderers, sources, crypto)
    comparing = asyncio.create_task(follower.cross_check.run())
    await follower.take(6)
    await until(lambda: follower.agreeing == [1])
    assert "nobody is left to compare blocks with" not in caplog.text
    orderers.down.add("theirs")
    await orderers.grow()
    await until(lambda: follower.agreeing == [1, 0])
    assert "nobody is left to compare blocks with" in caplog.text
    orderers.down.clear()
    await until(lambda: follower.agreeing == [1, 0, 1])
    comparing.cancel()


async def test_a_witness_that_shows_our_newest_header_for_another_block_does_not_agree(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    orderers = MemoryOrderers(ours=chain, theirs=chain)
    follower = Follower(orderers, [orderers.source("ours"), orderers.source("theirs", "OtherOrdererMSP")], crypto)
    await follower.take(3)
    orderers.changes["theirs"] = lambda block: chain.blocks[4] if block.header.number == 3 else block
    comparing = asyncio.create_task(follower.cross_check.run())
    await until(lambda: follower.agreeing == [1])
    assert follower.cross_check.compared == 1
    follower.commit(chain.blocks[3])
    follower.commit(chain.blocks[4])
    await until(lambda: len(follower.agreeing) >= 2)
    assert follower.agreeing[1] == 0
    comparing.cancel()


async def test_nothing_is_compared_within_one_organisation(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    orderers = MemoryOrderers(one=chain, two=chain)
    sources = CountedSources([orderers.source("one"), orderers.source("two")])
    follower = Follower(orderers, sources, crypto)
    await follower.take(6)
    before = sources.looks
    comparing = asyncio.create_task(follower.cross_check.run())
    await until(lambda: sources.looks >= before + 3)
    comparing.cancel()
    assert {name for name, _ in orderers.served} == {"one"}


async def test_one_orderers_two_stories_are_noticed_by_comparing_with_a_peer(
    chain: OrderedChain, crypto: ThreadPoolExecutor
) -> None:
    told_others = chain.copy()
    orderers = MemoryOrderers(orderer=chain, peer=told_others)
    follower = Follower(orderers, [orderers.source("orderer")], crypto)
    follower.peers = (PeerSource("peer", "OtherMSP", b""),)
    comparing = asyncio.create_task(follower.cross_check.run())
    async with asyncio.timeout(5), aclosing(follower.feed.blocks()) as blocks:
        await follower._take(blocks, 6)
        await until(lambda: follower.cross_check.compared == 6)
        chain.cut(envelope(b"for us"))
        told_others.cut(envelope(b"for them"))
        await orderers.grow()
        await follower._take(blocks, 7)
        fork = await fork_of(comparing)
    assert (fork.ours.data, fork.theirs.data) == (chain.blocks[6].data, told_others.blocks[6].data)


@pytest.mark.parametrize("first", ["agrees", "silent", "away", "lies"])
async def test_no_witness_hides_what_another_one_shows(
    chain: OrderedChain, crypto: ThreadPoolExecutor, first: str
) -> None:
    fork = chain.copy()
    fork.blocks[4:] = []
    fork.cut(envelope(b"a second history"))
    unsigned = chain.copy()
    unsigned.blocks[4:] = []
    unsigned.cut(envelope(b"a third one"), signer=CITY.peer)
    orderers = MemoryOrderers(ours=chain, agrees=chain, silent=chain, away=chain, lies=unsigned, honest=fork)
    orderers.stalled.add("silent")
    orderers.down.add("away")
    follower = Follower(orderers, [orderers.source("ours")], crypto)
    follower.peers = tuple(PeerSource(name, f"{name}MSP", b"") for name in (first, "honest"))
    comparing = asyncio.create_task(follower.cross_check.run())
    async with asyncio.timeout(5):
        await follower.take(6)
        found = str(await fork_of(comparing))
    assert found.startswith("block 4 is")
    assert found.endswith("at honest")


async def test_a_peer_that_is_no_anchor_any_more_is_not_asked(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    orderers = MemoryOrderers(ours=chain, peer=chain)
    follower = Follower(orderers, [orderers.source("ours")], crypto)
    follower.peers = (PeerSource("peer", "OtherMSP", b""),)
    await follower.take(6)
    comparing = asyncio.create_task(follower.cross_check.run())
    await until(lambda: follower.cross_check.compared)
    follower.peers = ()
    await asyncio.sleep(5 * SETTINGS.pause_seconds_max)
    compared = follower.cross_check.compared
    chain.cut(envelope())
    await orderers.grow()
    await follower.take(7)
    await asyncio.sleep(5 * SETTINGS.pause_seconds_max)
    assert follower.cross_check.compared == compared
    comparing.cancel()
