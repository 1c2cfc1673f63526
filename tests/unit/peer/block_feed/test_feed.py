"""A peer takes the chain's blocks, each once, from whichever orderer is honest and there."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import AnchorPeer
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.signers import verify_all
from services.peer.block_feed.crosscheck import CrossCheck
from services.peer.block_feed.evidence import ForkedChain, keep, kept
from services.peer.block_feed.feed import BlockFeed, FeedConfig
from services.peer.block_feed.sources import OrdererSource, PeerSource, anchor_peers, channel_sources
from services.peer.commits import make_commit
from services.peer.committer import store_genesis
from services.peer.ledger.memory import MemoryLedger
from services.peer.notifier import CommitNotifier
from services.peer.validation.validate import read_block, validate_block
from services.runtime.disk import DiskFault, RealDisk, read_whole
from services.runtime.memorydisk import MemoryDisk
from tests.support.following import MemoryOrderers, OrderedChain
from tests.support.liars import LyingOrderer
from tests.support.nodes import until
from tests.support.ordering import CITY, SIGNER, batch_update, envelope, genesis

GENESIS = genesis()
SEED = 20262
SETTINGS = FeedConfig(first_answer_seconds=0.2, silence_seconds=0.05, pause_seconds_min=0.001, pause_seconds_max=0.01)


class CountedSources(list[OrdererSource]):
    """Counts how often somebody has gone through them."""

    looks = 0

    def __iter__(self) -> Iterator[OrdererSource]:
        self.looks += 1
        return super().__iter__()


class Follower:
    """A ledger that grows by what its feed yields."""

    def __init__(self, orderers: MemoryOrderers, sources: list[OrdererSource], crypto: ThreadPoolExecutor) -> None:
        self.ledger = MemoryLedger("health")
        store_genesis(self.ledger, GENESIS)
        self.config = ChannelConfig.from_block(GENESIS)
        self.notifier = CommitNotifier(1)
        tools = (self.ledger, lambda: self.config, lambda: sources, orderers, self.notifier)
        self.feed = BlockFeed(*tools, crypto, SETTINGS)
        self.peers: tuple[PeerSource, ...] = ()
        self.agreeing: list[int] = []
        self.cross_check = CrossCheck(self.feed, *tools, SETTINGS, lambda: self.peers, self.agreeing.append)

    async def take(self, stop: int) -> None:
        """Commit blocks until the ledger has that height."""
        async with asyncio.timeout(5), aclosing(self.feed.blocks()) as blocks:
            await self._take(blocks, stop)

    async def _take(self, blocks: AsyncGenerator[Block], stop: int) -> None:
        while self.ledger.height < stop:
            self.commit(await anext(blocks))

    def commit(self, block: Block) -> None:
        number = block.header.number
        transactions = read_block(block)
        signers = verify_all(transactions, "health", self.config.msps)
        judgement = validate_block(number, transactions, signers, self.config, self.ledger.state)
        self.ledger.append(make_commit(block, transactions, judgement.verdicts, judgement.updates, b""))
        self.config = judgement.config or self.config
        self.notifier.committed(number)

    @property
    def data(self) -> list[tuple[bytes, ...]]:
        blocks = (self.ledger.block(number) for number in range(self.ledger.height))
        return [block.data for block in blocks if block is not None]


@pytest.fixture
def crypto() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def chain() -> OrderedChain:
    made = OrderedChain(GENESIS, SIGNER)
    for number in range(1, 6):
        made.cut(envelope(b"%d" % number))
    return made


async def fork_of(comparing: asyncio.Task[None]) -> ForkedChain:
    """What the comparison ends with."""
    with pytest.raises(ExceptionGroup) as caught:
        await comparing
    (fork,) = caught.value.exceptions
    assert isinstance(fork, ForkedChain)
    return fork


def data_of(chain: OrderedChain) -> list[tuple[bytes, ...]]:
    return [block.data for block in chain.blocks]


async def test_blocks_come_in_order_and_those_cut_later_too(chain: OrderedChain, crypto: ThreadPoolExecutor) -> None:
    orderers = MemoryOrderers(one=chain)
    follower = Follower(orderers, [orderers.source("one")], crypto)
    await follower.take(6)
    taking = asyncio.create_task(follower.take(7))
    await until(lambda: orderers.served.count(("one", 5)) == 2)  # the second stream has sent all there is
    chain.cut(envelope())
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


@pytest.mark.parametrize("number", [1, 3])
async def test_a_bad_block_is_not_taken_and_its_sender_is_left(
    chain: OrderedChain, crypto: ThreadPoolExecutor, number: int
) -> None:
    def tamper(block: Block) -> Block:
        return replace(block, data=(envelope(b"forged"),)) if block.header.number == number else block

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


def test_both_blocks_of_a_fork_are_kept(chain: OrderedChain, tmp_path: Path) -> None:
    ours, theirs = chain.blocks[5], chain.copy().cut(envelope())
    paths = keep(RealDisk(), tmp_path / "evidence", ForkedChain(ours, theirs, "orderer:7050"))
    assert [parse_block(path.read_bytes()) for path in paths] == [ours, theirs]
    assert [path.name for path in paths] == ["5-ours.block", "5-theirs.block"]


def test_a_disk_that_fails_in_between_has_both_blocks_at_the_next_start(chain: OrderedChain) -> None:
    ours, theirs = chain.blocks[5], chain.copy().cut(envelope())
    disk, folder = MemoryDisk(), Path("/evidence")
    disk.fail("rename", skip=1)
    with pytest.raises(DiskFault):
        keep(disk, folder, ForkedChain(ours, theirs, "orderer:7050"))
    assert kept(disk, folder, chain.blocks.__getitem__) == [folder / "5-ours.block", folder / "5-theirs.block"]
    assert read_whole(disk, folder / "5-ours.block") == encode_block(ours)
    assert read_whole(disk, folder / "5-theirs.block") == encode_block(theirs)


def test_half_a_block_is_no_evidence(chain: OrderedChain) -> None:
    disk, folder = MemoryDisk(), Path("/evidence")
    disk.fail("rename")
    with pytest.raises(DiskFault):
        keep(disk, folder, ForkedChain(chain.blocks[5], chain.copy().cut(envelope()), "orderer:7050"))
    assert disk.list(folder)
    assert kept(disk, folder, chain.blocks.__getitem__) == []


def test_the_configuration_names_peers_of_each_member() -> None:
    config = ChannelConfig.from_block(GENESIS)
    ((name, org),) = config.application_orgs.items()
    anchors = (AnchorPeer("peer0", 7051), AnchorPeer("peer1", 7052))
    named = replace(config, application_orgs={name: replace(org, anchor_peers=anchors)})
    assert [(peer.address, peer.msp_id) for peer in anchor_peers(named)] == [
        ("peer0:7051", "CityMSP"),
        ("peer1:7052", "CityMSP"),
    ]


def test_the_configuration_names_the_orderers() -> None:
    config = ChannelConfig.from_block(GENESIS)
    ((name, org),) = config.orderer_orgs.items()
    named = replace(config, orderer_orgs={name: replace(org, endpoints=("orderer0:7050", "orderer1:7050"))})
    assert [(source.address, source.msp_id) for source in channel_sources(named)] == [
        ("orderer0:7050", "OrdererMSP"),
        ("orderer1:7050", "OrdererMSP"),
    ]
