"""A channel's pipeline, from a block to the state, whatever ledger keeps it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codes import TxCode
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.rwsets import NamespaceRwSet, Read, Version, Write
from privysharing.protocol.transactions import ChaincodeId
from services.peer.backlog import BEHIND_BLOCKS
from services.peer.channel import stored_config
from services.peer.commits import replay
from services.peer.committer import Committer, Workers, store_genesis
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import LedgerPort, StateEntry
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.resolving import Alone
from services.peer.validation.errors import ChannelHalted
from services.peer.verifier import Answer, Verifier, WrongAnswer
from services.peer.verifier_process import Signed, who_signed
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.metrics import Registry
from tests.support import ordering
from tests.support.endorsing import private_store
from tests.support.following import OrderedChain
from tests.support.judging import CHANNEL, GENESIS, ORDERER, PEER1, DictView, Tx

VALID, STALE = TxCode.VALID, TxCode.MVCC_READ_CONFLICT


def definition() -> Tx:
    """A transaction that defines the chaincode `cc`."""
    view = DictView()
    view.define("cc")
    writes = tuple(Write(key, value.value) for (_, key), value in sorted(view.public.items()))
    return Tx(
        namespaces=(NamespaceRwSet(LIFECYCLE, writes=writes),),
        called=LIFECYCLE,
        chaincode=ChaincodeId(LIFECYCLE, "syscc"),
    )


def put(key: str, value: bytes, *reads: Read, **fields: object) -> Tx:
    return replace(Tx(namespaces=(NamespaceRwSet("cc", reads=reads, writes=(Write(key, value),)),)), **fields)  # type: ignore[arg-type]


def blocks() -> tuple[list[Block], list[tuple[TxCode, ...]]]:
    """A chain, and the verdicts that it deserves."""
    twin = put("a", b"twin")
    script: list[tuple[Sequence[Tx], tuple[TxCode, ...]]] = [
        ([definition()], (VALID,)),
        ([put("a", b"1"), put("b", b"1"), put("a", b"2")], (VALID, VALID, VALID)),
        (
            [put("a", b"3", Read("a", Version(2, 2))), put("a", b"4", Read("a", Version(2, 2))), put("b", b"")],
            (VALID, STALE, VALID),
        ),
        (
            [twin, twin, put("c", b"", endorsers=(PEER1,)), put("c", b"5", signature=b"bad")],
            (VALID, TxCode.DUPLICATE_TXID, TxCode.ENDORSEMENT_POLICY_FAILURE, TxCode.BAD_CREATOR_SIGNATURE),
        ),
        (
            [twin, put("d", b"x" * 1000)] + [put(f"k{n}", b"v") for n in range(60)],
            (TxCode.DUPLICATE_TXID,) + (VALID,) * 61,
        ),
    ]
    chain = OrderedChain(GENESIS, ORDERER)
    return [chain.cut(*(tx.raw for tx in txs)) for txs, _ in script], [verdicts for _, verdicts in script]


class Peer:
    """A ledger and what commits to it."""

    def __init__(self, ledger: LedgerPort, genesis: Block = GENESIS, verifier: Verifier | None = None) -> None:
        if ledger.height == 0:
            store_genesis(ledger, genesis)
        self.ledger = ledger
        self.config = stored_config(ledger)
        self.notifier = CommitNotifier(ledger.height)
        self.registry = Registry()
        self.threads = ThreadPoolExecutor(3), ThreadPoolExecutor(1)
        metrics = LedgerMetrics.register(self.registry)
        self.private = private_store(ledger, self.config, "Org1MSP")
        self.committer = Committer(
            ledger,
            self.config,
            self.notifier,
            Workers(*self.threads, verifier or Verifier(wanted=False), parts=3),
            metrics,
            self.set_config,
            self.private,
            Alone(),
        )

    def set_config(self, config: ChannelConfig) -> None:
        self.config = config

    def state(self) -> list[StateEntry]:
        with self.ledger.snapshot() as snapshot:
            return list(snapshot.entries())

    def close(self) -> None:
        self.ledger.close()
        for executor in self.threads:
            executor.shutdown()


@pytest.fixture
def memory() -> Iterator[Peer]:
    peer = Peer(MemoryLedger(CHANNEL))
    yield peer
    peer.close()


async def each(blocks: Sequence[Block]) -> AsyncGenerator[Block]:
    for block in blocks:
        yield block


async def test_verdicts_are_those_of_validation_and_stand_in_the_stored_block(memory: Peer) -> None:
    chain, expected = blocks()
    assert [await memory.committer.commit(block) for block in chain] == expected
    stored = [memory.ledger.block(number) for number in range(1, 6)]
    assert [block and block.metadata[2] for block in stored] == [bytes(verdicts) for verdicts in expected]
    values = {entry.key: entry.stored.value for entry in memory.state() if entry.namespace == "cc"}
    assert values == {"a": b"twin", "d": b"x" * 1000} | {f"k{n}": b"v" for n in range(60)}


async def test_the_first_bearer_of_an_id_keeps_it_whoever_repeats_it(memory: Peer, tmp_path: Path) -> None:
    forged, good = put("a", b"1", signature=b"bad"), put("b", b"1")
    chain = OrderedChain(GENESIS, ORDERER)
    script = [
        (definition(),),
        (forged, good),
        (forged,),  # its id was never asked for: no verdict depends on it
        (good,),
        (put("c", b"1"), good),
    ]
    disk = Peer(Ledger.open(CHANNEL, tmp_path, RealDisk(), LevelDatabases(), replay))
    for txs in script:
        block = chain.cut(*(tx.raw for tx in txs))
        for peer in (memory, disk):
            await peer.committer.commit(block)
    for peer in (memory, disk):
        locations = [peer.ledger.transaction(tx.header.channel.tx_id) for tx in (forged, good)]
        assert [at and (at.block_num, at.tx_num, at.code) for at in locations] == [
            (2, 0, TxCode.BAD_CREATOR_SIGNATURE),
            (2, 1, VALID),
        ]
    disk.close()


async def test_both_ledgers_and_a_rebuilt_one_come_to_the_same(memory: Peer, tmp_path: Path) -> None:
    chain, _ = blocks()
    disk = Peer(Ledger.open(CHANNEL, tmp_path, RealDisk(), LevelDatabases(), replay))
    for peer in (memory, disk):
        await peer.committer.follow(each(chain))
    assert disk.ledger.commit_hash == memory.ledger.commit_hash != b""
    assert disk.state() == memory.state()
    disk.close()
    (tmp_path / "DOUBT").touch()
    rebuilt = Peer(Ledger.open(CHANNEL, tmp_path, RealDisk(), LevelDatabases(), replay))
    assert rebuilt.state() == memory.state()
    assert list(rebuilt.ledger.history("cc", "a")) == list(memory.ledger.history("cc", "a"))
    rebuilt.close()


class HereVerifier(Verifier):
    """Finds what the process would find, in this one, and remembers who asked."""

    def __init__(self) -> None:
        super().__init__(wanted=False)
        self.asked: list[Sequence[bytes]] = []
        self.configs: set[int] = set()  # by their sequence
        self.faults: list[Exception] = []

    async def ask(self, envelopes: Sequence[bytes], config: ChannelConfig) -> Answer | None:
        self.asked.append(envelopes)
        self.configs.add(config.sequence)
        return Answer(0.0, self.signed(envelopes, config))

    def signed(self, envelopes: Sequence[bytes], config: ChannelConfig) -> list[Signed]:
        return who_signed(envelopes, config)

    def pause(self, error: Exception) -> None:
        super().pause(error)
        self.faults.append(error)


class WrongVerifier(HereVerifier):
    """Says that one organisation endorsed twice, where another is needed."""

    def signed(self, envelopes: Sequence[bytes], config: ChannelConfig) -> list[Signed]:
        return [(True, [0, 0])] * len(envelopes)


def long_chain() -> list[Block]:
    """Good and bad transactions in more blocks than a peer may have before it when it keeps up."""
    chain = OrderedChain(GENESIS, ORDERER)
    behind = [chain.cut(definition().raw)]
    for number in range(2 * BEHIND_BLOCKS):
        good, forged = put(f"a{number}", b"1"), put(f"b{number}", b"1", signature=b"bad")
        half = put(f"c{number}", b"1", endorsers=(PEER1,))
        behind.append(chain.cut(good.raw, forged.raw, half.raw, b"\xff"))
    return behind


def expect_long_chain(peer: Peer, behind: Sequence[Block]) -> None:
    assert peer.ledger.height == 1 + len(behind)
    for number in range(2, 1 + len(behind)):
        stored = peer.ledger.block(number)
        assert stored is not None
        *codes, unreadable = stored.metadata[2]
        assert codes == [VALID, TxCode.BAD_CREATOR_SIGNATURE, TxCode.ENDORSEMENT_POLICY_FAILURE]
        assert unreadable != VALID


async def test_who_is_behind_asks_another_process_and_comes_to_the_same() -> None:
    behind, verifier = long_chain(), HereVerifier()
    alone, helped = Peer(MemoryLedger(CHANNEL)), Peer(MemoryLedger(CHANNEL), verifier=verifier)
    try:
        await helped.committer.follow(each(behind))
        await alone.committer.follow(each(behind))
    finally:
        alone.close()
        helped.close()
    first = next(number for number, block in enumerate(behind) if block.data is verifier.asked[0])
    assert first >= BEHIND_BLOCKS
    assert helped.ledger.commit_hash == alone.ledger.commit_hash
    expect_long_chain(helped, behind)


async def test_what_follows_a_configuration_is_asked_under_it() -> None:
    chain = OrderedChain(ordering.genesis(), ordering.SIGNER)
    verifier = HereVerifier()
    peer = Peer(MemoryLedger("health"), chain.blocks[0], verifier)
    limits = replace(chain.config.orderer.batch_size, max_message_count=3)

    async def all_blocks() -> AsyncGenerator[Block]:
        for _ in range(2 * BEHIND_BLOCKS):
            yield chain.cut(b"unreadable")
        block = chain.reconfigure(ordering.batch_update(chain.config, limits))
        yield block
        await peer.notifier.above(block.header.number)
        for _ in range(BEHIND_BLOCKS // 2):
            yield chain.cut(b"unreadable")

    try:
        await peer.committer.follow(all_blocks())
    finally:
        peer.close()
    assert peer.ledger.height == len(chain.blocks)
    assert verifier.configs == {0, 1}


async def test_an_answer_that_cannot_be_true_changes_nothing() -> None:
    behind, verifier = long_chain(), WrongVerifier()
    peer = Peer(MemoryLedger(CHANNEL), verifier=verifier)
    try:
        await peer.committer.follow(each(behind))
    finally:
        peer.close()
    assert verifier.asked
    assert [type(fault) for fault in verifier.faults] == [WrongAnswer] * len(verifier.asked)
    expect_long_chain(peer, behind)


async def test_who_keeps_up_asks_nobody() -> None:
    verifier = HereVerifier()
    peer = Peer(MemoryLedger(CHANNEL), verifier=verifier)
    chain = OrderedChain(GENESIS, ORDERER)

    async def one_after_the_other() -> AsyncGenerator[Block]:
        for number in range(2 * BEHIND_BLOCKS):
            yield chain.cut(put(f"a{number}", b"1").raw)
            await peer.notifier.above(number + 1)

    try:
        await peer.committer.follow(one_after_the_other())
    finally:
        peer.close()
    assert verifier.asked == []


async def test_who_waits_for_a_block_finds_its_verdicts_when_woken(memory: Peer) -> None:
    chain, _ = blocks()
    await memory.committer.follow(each(chain[:2]))
    stale = Tx(namespaces=(NamespaceRwSet("cc", reads=(Read("a", None),), writes=(Write("a", b"9"),)),))
    waiting = asyncio.create_task(memory.notifier.above(3))
    ordered = OrderedChain(GENESIS, ORDERER)
    ordered.blocks += chain[:2]
    await memory.committer.commit(ordered.cut(stale.raw))
    assert await waiting == 4
    location = memory.ledger.transaction(stale.header.channel.tx_id)
    assert location is not None
    assert (location.block_num, location.code) == (3, STALE)


async def test_a_configuration_block_puts_its_configuration_in_force(tmp_path: Path) -> None:
    chain = OrderedChain(ordering.genesis(), ordering.SIGNER)
    limits = replace(chain.config.orderer.batch_size, max_message_count=3)
    block = chain.reconfigure(ordering.batch_update(chain.config, limits))
    peer = Peer(Ledger.open("health", tmp_path, RealDisk(), LevelDatabases(), replay), chain.blocks[0])
    assert await peer.committer.commit(block) == (VALID,)
    assert (peer.config.sequence, peer.config.orderer.batch_size) == (1, limits)
    peer.close()
    ledger = Ledger.open("health", tmp_path, RealDisk(), LevelDatabases(), replay)
    assert stored_config(ledger).orderer.batch_size == limits
    ledger.close()


async def test_a_configuration_that_cannot_be_applied_halts_and_stores_nothing(memory: Peer) -> None:
    foreign = OrderedChain(ordering.genesis(), ordering.SIGNER)
    limits = replace(foreign.config.orderer.batch_size, max_message_count=3)
    update = ordering.batch_update(foreign.config, limits)
    peer = Peer(MemoryLedger("health"), ordering.genesis())
    await peer.committer.commit(foreign.reconfigure(update))
    again = OrderedChain(ordering.genesis(), ordering.SIGNER)
    again.blocks = list(foreign.blocks)
    with pytest.raises(ExceptionGroup) as caught:
        await peer.committer.follow(each([again.reconfigure(update)]))  # derived from the first configuration again
    assert caught.group_contains(ChannelHalted)
    assert peer.ledger.height == 2
    peer.close()


async def test_figures_bear_fabrics_names(memory: Peer) -> None:
    chain, _ = blocks()
    await memory.committer.follow(each(chain))
    page = memory.registry.render()
    assert 'ledger_blockchain_height{channel="city"} 6' in page
    labels = 'channel="city",transaction_type="ENDORSER_TRANSACTION",chaincode="cc:1",validation_code="VALID"'
    assert f"ledger_transaction_count{{{labels}}} 67" in page
    forged = labels.replace("cc:1", "unknown").replace('"VALID"', '"BAD_CREATOR_SIGNATURE"')
    assert f"ledger_transaction_count{{{forged}}} 1" in page
    for name in ("block_processing_time", "blockstorage_commit_time", "statedb_commit_time"):
        assert f'ledger_{name}_count{{channel="city"}} 5' in page
    assert 'gossip_state_height{channel="city"} 6' in page
    assert 'gossip_payload_buffer_size{channel="city"} 0' in page
    took = {
        name: float(page.split(f'gossip_{name}_sum{{channel="city"}} ')[1].split()[0])
        for name in ("state_commit_duration", "privdata_commit_block_duration", "privdata_validation_duration")
    }
    whole = took.pop("state_commit_duration")
    assert whole >= sum(took.values())
    assert took["privdata_validation_duration"] > 0


async def test_the_loop_stays_free_while_blocks_are_committed(memory: Peer) -> None:
    chain, _ = blocks()
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    await memory.committer.follow(each(chain))
    beating.cancel()
    assert beats > 20
