"""The stores that must not lose anything: how each works, and what must be there when it is opened again."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.ordering import RecordClass, Regular
from services.orderer.log.filelog import FileLog
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.private_data.resolving import kept_sets
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import PrivateSet
from services.peer.validation.validate import read_block
from services.runtime.database import DamagedDatabase, Databases
from services.runtime.disk import Disk
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.powerloss.recording import RecordedDisk, RootedDatabases
from tests.support.oracle_private import ORG1, private_sets
from tests.support.ordering import RunningChain, context, envelope, genesis, started, store_with
from tests.support.stored_ledger import BLOCKS
from tests.support.vectors import large_network

CHANNEL = "fabric"
LEDGER = Path("/ledgersData/fabric")
LOG = Path("/orderer/logs/health")
END = b"\xff" * 8
Entries = list[tuple[bytes, bytes]]
Promised = tuple[tuple[bytes, ...], tuple[bytes, ...]]


class Store(Protocol):
    """One kind of store."""

    @property
    def acknowledged(self) -> object:
        """What it has promised so far."""
        ...

    def work(self, root: Path, disk: RecordedDisk) -> None:
        """Do everything once, and let the disk take a moment after each promise."""
        ...

    def judge(self, root: Path, disk: Disk, acknowledged: object) -> None:
        """Open what is left, let it go on, and assert that all is as it must be."""
        ...


class PeerLedger:
    """A peer's ledger of blocks that a Fabric network made; what is promised is its height."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self._expected = _states()

    def work(self, root: Path, disk: RecordedDisk) -> None:
        databases = RootedDatabases(root)
        for start, stop in ((0, 2), (2, 3), (3, len(BLOCKS))):  # each end writes a table
            ledger = _open(disk, databases)
            for block in BLOCKS[start:stop]:
                _append(ledger, block)
                self.acknowledged += 1
                disk.take(f"block {block.header.number} appended")
            ledger.close()
            disk.take("closed")

    def judge(self, root: Path, disk: Disk, acknowledged: object) -> None:
        databases = RootedDatabases(root)
        assert isinstance(acknowledged, int)
        try:
            height, entries = self._look(disk, databases)
        except DamagedDatabase:  # the peer stops; its next start makes the state anew
            height, entries = self._look(disk, databases)
        assert acknowledged <= height <= acknowledged + 1
        assert entries == self._expected[height]
        ledger = _open(disk, databases)
        for block in BLOCKS[height:]:
            _append(ledger, block)
        ledger.close()
        assert self._look(disk, databases) == (len(BLOCKS), self._expected[-1])

    def _look(self, disk: Disk, databases: Databases) -> tuple[int, Entries]:
        ledger = _open(disk, databases)
        try:
            blocks = [ledger.block_bytes(number) for number in range(ledger.height)]
            assert blocks == [encode_block(block) for block in BLOCKS[: ledger.height]]
            height = ledger.height
        finally:
            ledger.close()
        return height, _entries(databases)


def _states() -> list[Entries]:
    """Everything in the database at each height: of a ledger in memory that nothing befell."""
    disk = MemoryDisk()
    databases = MemoryDatabases(disk)
    _open(disk, databases).close()
    states = [_entries(databases)]
    for block in BLOCKS:
        ledger = _open(disk, databases)
        _append(ledger, block)
        ledger.close()
        states.append(_entries(databases))
    return states


def _open(disk: Disk, databases: Databases) -> Ledger:
    return Ledger.open(CHANNEL, LEDGER, disk, databases, replay)


def _append(ledger: Ledger, block: Block) -> None:
    ledger.append(replay(block, ledger.state, ledger.commit_hash))


def _entries(databases: Databases) -> Entries:
    database = databases.open(LEDGER / "state")
    try:
        return list(database.scan(b"", END))
    finally:
        database.close()


class PrivateStoreOfChannel:
    """A member's private data beside blocks of a Fabric network: with each block goes what was kept before it.

    What is promised is that a block's sets are there once the block is, but for what it, or a later one, made go; and
    what was kept of a transaction until its block is there.
    """

    def __init__(self) -> None:
        self.acknowledged: tuple[int, tuple[TxId, ...]] = (0, ())

    def work(self, root: Path, disk: RecordedDisk) -> None:
        databases = RootedDatabases(root)
        for start, stop in ((0, 57), (57, 60), (60, 67)):  # opened anew between two writes, and before a purge
            ledger = Ledger.open(CHANNEL, LEDGER, disk, databases, replay)
            private = _open_private(ledger, disk, databases)
            for number in range(start, stop):
                kept = _keep(private, number)
                self.acknowledged = (number, kept)
                if kept:
                    disk.take(f"private sets kept for block {number}")
                _commit(ledger, private, number)
                self.acknowledged = (number + 1, ())
                if kept:
                    disk.take(f"block {number} stored")
                if number == PURGE_BLOCK:
                    private.erase()
            private.close()
            ledger.close()

    def judge(self, root: Path, disk: Disk, acknowledged: object) -> None:
        databases = RootedDatabases(root)
        height, kept = cast("tuple[int, tuple[TxId, ...]]", acknowledged)
        try:
            self._go_on(disk, databases, height, kept)
        except DamagedDatabase:  # the peer stops; its next start makes the state anew
            self._go_on(disk, databases, height, kept)

    def _go_on(self, disk: Disk, databases: Databases, height: int, kept: tuple[TxId, ...]) -> None:
        with ExitStack() as opened:
            ledger = Ledger.open(CHANNEL, LEDGER, disk, databases, replay)
            opened.callback(ledger.close)
            private = _open_private(ledger, disk, databases)
            opened.callback(private.close)
            assert ledger.height >= height
            _check_sets(private, ledger.height)
            for tx_id in kept:
                assert ledger.transaction(tx_id) is not None or list(private.transient.sets_of(tx_id))
            for number in range(ledger.height, 67):
                _keep(private, number)
                _commit(ledger, private, number)
            _check_sets(private, ledger.height)


PURGE_BLOCK = 61  # of key pk1


def _open_private(ledger: Ledger, disk: Disk, databases: Databases) -> PrivateStore:
    config = ChannelConfig.from_block(large_network()[0])
    return PrivateStore.open(ledger, LEDGER / "private", disk, databases, config, ORG1)


def _keep(private: PrivateStore, number: int) -> tuple[TxId, ...]:
    transactions = read_block(large_network()[number])
    kept = []
    for place, each in private_sets().items():
        if place.block_num == number:
            tx_id = transactions[place.tx_num].tx_id
            private.transient.keep(tx_id, number, [each])
            kept.append(tx_id)
    return tuple(kept)


def _commit(ledger: Ledger, private: PrivateStore, number: int) -> None:
    commit = replay(large_network()[number], ledger.state, ledger.commit_hash)
    part = private.part(number, read_block(commit.block), commit.verdicts)
    if part.needed:
        found, _ = kept_sets(private.transient, [each.missing for each in part.needed])
        private.add(commit.block, part, found)
    ledger.append(commit)
    private.settle(number, part, commit.tx_ids)


def _check_sets(private: PrivateStore, height: int) -> None:
    """Every set is there as far as its time has come, but for what blocks up to the height purge and let expire."""
    for place, each in private_sets().items():
        found = private.get_set(place)
        if place.block_num >= height or (place.collection == "shortlived" and height > place.block_num + 4):
            continue
        assert found is not None, place
        purged = height > PURGE_BLOCK and b"pk1" in each.rwset and place.collection == "both"
        assert found == (PrivateSet(place.namespace, place.collection, b"" if purged else each.rwset), purged), place


class OrdererChain:
    """An orderer's log and chain: promised are the envelopes that were ordered, and the blocks that were delivered."""

    def __init__(self) -> None:
        self.acknowledged: Promised = ((), ())
        self._first = genesis()
        self._raws = [envelope(bytes(number * 90)) for number in range(12)]

    def work(self, root: Path, disk: RecordedDisk) -> None:
        del root

        def ordered(raws: Sequence[bytes]) -> None:
            self.acknowledged = ((*self.acknowledged[0], *raws), self.acknowledged[1])
            disk.take("ordered")

        def delivered(blocks: Sequence[Block]) -> None:
            self.acknowledged = (self.acknowledged[0], tuple(map(_without_metadata, blocks)))
            disk.take("delivered")

        for raws in (self._raws[:6], self._raws[6:]):
            asyncio.run(self._live(disk, raws, ordered, delivered))

    def judge(self, root: Path, disk: Disk, acknowledged: object) -> None:
        del root
        assert isinstance(acknowledged, tuple)
        ordered, delivered = acknowledged
        blocks: list[Block] = []
        asyncio.run(self._live(disk, [envelope(b"after")], lambda _raws: None, blocks.extend))
        assert tuple(map(_without_metadata, blocks))[: len(delivered)] == delivered
        envelopes = [raw for block in blocks for raw in block.data]
        assert all(envelopes.count(raw) == 1 for raw in ordered)

    async def _live(
        self,
        disk: Disk,
        raws: Sequence[bytes],
        ordered: Callable[[Sequence[bytes]], None],
        delivered: Callable[[Sequence[Block]], None],
    ) -> None:
        log = await FileLog.open(disk, LOG)
        running = RunningChain(started(store_with(self._first, disk), log, context()))
        try:
            await _settled(running)
            for start in range(0, len(raws), 2):
                pair = raws[start : start + 2]
                await asyncio.gather(*(running.chain.order(Regular(raw, 0, RecordClass.NORMAL)) for raw in pair))
                ordered(pair)
                await _settled(running)
                delivered(await running.blocks(running.chain.height))
        finally:
            await running.stop()


async def _settled(running: RunningChain) -> None:
    """Return when everything that was ordered is in a block. Raises what ends the chain."""
    async with asyncio.timeout(30):
        await running.chain.caught_up()
        await running.chain.drained()
    if running.task.done():
        running.task.result()


def _without_metadata(block: Block) -> bytes:
    """What two signatures of one block have in common."""
    return encode_block(replace(block, metadata=()))
