"""The stores that must not lose anything: how each works, and what must be there when it is opened again."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import encode_block
from privysharing.protocol.ordering import RecordClass, Regular
from services.orderer.log.filelog import FileLog
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.private_data.values import StoredPrivateValues
from services.runtime.database import DamagedDatabase, Databases
from services.runtime.disk import Disk
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.powerloss.recording import RecordedDisk, RootedDatabases
from tests.support.ordering import RunningChain, context, envelope, genesis, started, store_with
from tests.support.stored_ledger import BLOCKS

CHANNEL = "fabric"
LEDGER = Path("/ledgersData/fabric")
VALUES = Path("/privateValues")
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


class PrivateValueStore:
    """A peer's private values; what is promised is the values."""

    def __init__(self) -> None:
        self.acknowledged: tuple[bytes, ...] = ()

    def work(self, root: Path, disk: RecordedDisk) -> None:
        del root
        for life in range(2):
            values = StoredPrivateValues(disk, VALUES)
            for number in range(4):
                fresh = tuple(bytes((life, number, part)) * 300 for part in range(number))
                values.keep(fresh)
                self.acknowledged += fresh
                disk.take(f"{len(self.acknowledged)} values kept")
            values.close()

    def judge(self, root: Path, disk: Disk, acknowledged: object) -> None:
        del root
        assert isinstance(acknowledged, tuple)
        for more in (b"after", b"and again"):
            values = StoredPrivateValues(disk, VALUES)
            for value in acknowledged:
                assert values.get(hashlib.sha256(value).digest()) == value
            values.keep([more])
            acknowledged = (*acknowledged, more)
            values.close()


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
