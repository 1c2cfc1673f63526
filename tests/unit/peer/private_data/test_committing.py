"""A block with private data is committed with what is found of it in time, and without the rest."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codes import TxCode
from services.peer import committer
from services.peer.committer import Committer, Workers, store_genesis
from services.peer.ledger.memory import MemoryLedger
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.types import Missing, Place, PrivateSet, Resolver
from services.peer.verifier import Verifier
from services.runtime.metrics import Registry
from tests.support.endorsing import private_store
from tests.support.judging import CHANNEL, CONFIG, GENESIS
from tests.support.private_chain import CHAINCODE, ORG1, Member, PrivateChain, Put, tx_id_at


class Found:
    """Finds what it was given, and remembers what it was asked for."""

    def __init__(self, sets: Mapping[Place, PrivateSet]) -> None:
        self.sets = sets
        self.asked: list[Missing] = []

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        self.asked += needed
        return {each.place: self.sets[each.place] for each in needed if each.place in self.sets}


class Silent:
    """Never comes back."""

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def chain() -> PrivateChain:
    return PrivateChain()


@pytest.fixture
def threads() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    made = ThreadPoolExecutor(2), ThreadPoolExecutor(1)
    yield made
    for each in made:
        each.shutdown()


async def commit(
    chain: PrivateChain, resolver: Resolver, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor]
) -> tuple[Member, list[tuple[TxCode, ...]]]:
    """The whole chain, by a peer of Org1."""
    ledger = MemoryLedger(CHANNEL)
    store_genesis(ledger, GENESIS)
    private = private_store(ledger, CONFIG, ORG1)
    metrics = LedgerMetrics.register(Registry())
    notifier = CommitNotifier(ledger.height)
    workers = Workers(*threads, Verifier(wanted=False))
    working = Committer(ledger, CONFIG, notifier, workers, metrics, lambda _: None, private, resolver)
    verdicts = [await working.commit(ordered(chain.block(number))) for number in range(1, chain.height)]
    return Member(ledger, private), verdicts


def ordered(block: Block) -> Block:
    """As an orderer sends it."""
    return block.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, b"").with_metadata(MetadataIndex.COMMIT_HASH, b"")


async def test_what_is_found_is_stored_and_only_what_is_ours_is_looked_for(
    chain: PrivateChain, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor]
) -> None:
    place = Place(chain.add([Put("k", b"ours"), Put("t", b"theirs", "others")]), 0, CHAINCODE, "kept")
    resolver = Found(chain.sets)
    member, _ = await commit(chain, resolver, threads)
    assert member.read("k") == b"ours"
    (asked,) = resolver.asked
    assert (asked.place, asked.tx_id) == (place, tx_id_at(chain, place))


async def test_wrong_sets_are_not_stored_and_change_no_verdict(
    chain: PrivateChain, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor]
) -> None:
    right, wrong = chain.put("a", b"1"), chain.put("b", b"2")
    member, verdicts = await commit(chain, Found({right: chain.sets[right], wrong: chain.sets[right]}), threads)
    assert verdicts == [(TxCode.VALID,)] * 3
    assert (member.read("a"), member.read("b")) == (b"1", None)
    assert [missing.place for missing in member.private.missing(9)] == [wrong]


async def test_nobody_waits_for_a_resolver_that_never_comes_back(
    chain: PrivateChain, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FIND_SECONDS_MAX", 0.05)
    place = chain.put("a", b"1")
    member, verdicts = await commit(chain, Silent(), threads)
    assert verdicts == [(TxCode.VALID,)] * 2
    assert member.ledger.height == chain.height
    assert [missing.place for missing in member.private.missing(9)] == [place]
    assert list(member.private.reconciled(chain.sets)) == []
    assert member.read("a") == b"1"


async def test_a_block_without_private_data_of_ours_asks_nobody(
    chain: PrivateChain, threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor]
) -> None:
    chain.put("t", b"theirs", "others")
    member, _ = await commit(chain, Silent(), threads)
    assert member.ledger.height == chain.height
