"""A peer that joins late or is killed, and an orderer that is killed: nothing acknowledged is lost or done twice."""

import asyncio
import contextlib
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from privysharing.protocol.blocks import MetadataIndex
from privysharing.protocol.codec.blocks import metadata_entry, parse_block, parse_filter
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codes import TxCode
from privysharing.sdk import Call, Channel
from privysharing.sdk.errors import OrderingUnknown, SdkError, Unavailable
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork, privy

CALLERS = 4
PAUSE_S = 0.1  # of a caller between two calls: the load is to be there, not to be heavy
ACKNOWLEDGED_MIN = 10  # before, during and after each fault
LOAD_SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    network = LiveNetwork("demo", tmp_path_factory.mktemp("faults") / "network")
    yield network
    network.stop()


@dataclass
class Load:
    """Callers who each create assets, one after the other, and remember what an orderer has acknowledged."""

    channel: Channel
    acknowledged: list[str] = field(default_factory=list)
    _callers: list[asyncio.Task[None]] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def grows(self) -> None:
        """Return once more has been acknowledged."""
        enough = len(self.acknowledged) + ACKNOWLEDGED_MIN
        async with asyncio.timeout(LOAD_SECONDS_MAX):
            while len(self.acknowledged) < enough:
                assert not any(caller.done() for caller in self._callers), self._callers
                await asyncio.sleep(0.02)

    async def __aenter__(self) -> Self:
        self._callers = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        async with asyncio.timeout(LOAD_SECONDS_MAX):
            await asyncio.gather(*self._callers)

    async def _call(self, caller: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            name = f"load-{id(self)}-{caller}-{number}"
            try:
                endorsed = await self.channel.endorse(Call(CONTRACT, "CreateAsset", ("heart_rate", name)))
            except SdkError as error:
                if not error.retryable:
                    raise
                await asyncio.sleep(PAUSE_S)
                continue
            while True:
                try:
                    await self.channel.order(endorsed.envelope)
                except (OrderingUnknown, Unavailable):  # perhaps it was ordered all the same: sending it again is safe
                    await asyncio.sleep(PAUSE_S)
                else:
                    break
            self.acknowledged.append(endorsed.tx_id)
            await asyncio.sleep(PAUSE_S)


@contextlib.asynccontextmanager
async def load(city: LiveNetwork) -> AsyncIterator[Load]:
    async with city.connect("alice") as connection, Load(connection.channel(CHANNEL)) as running:
        await running.grows()
        yield running


async def expect_all_committed_once(city: LiveNetwork, acknowledged: list[str]) -> None:
    """On every peer each acknowledged transaction is valid exactly once, and the peers agree."""
    tip = await city.agreement()
    for peer in city.peers:
        blocks = [parse_block(raw) for raw in await asyncio.to_thread(city.blocks, peer)]
        assert len(blocks) == tip["height"]
        valid: Counter[str] = Counter()
        for block in blocks:
            codes = parse_filter(metadata_entry(block, MetadataIndex.TRANSACTIONS_FILTER))
            ids = (parse_payload(parse_envelope(raw).payload).header.channel.tx_id for raw in block.data)
            valid.update(tx_id for tx_id, code in zip(ids, codes, strict=True) if code is TxCode.VALID)
        assert {valid[tx_id] for tx_id in acknowledged} == {1}, peer.name
        assert max(valid.values()) == 1


async def kill(city: LiveNetwork, name: str) -> None:
    """As power loss takes a process: no goodbye."""
    process = city.processes.process(city.node(name))
    assert process is not None
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(city.processes.stop, [name])  # forget it
    assert city.processes.process(city.node(name)) is None


async def restart(city: LiveNetwork, name: str) -> None:
    city.processes.start([name])
    await city.processes.ready()


async def test_nothing_acknowledged_is_lost_when_an_endorsing_peer_is_killed_under_load(city: LiveNetwork) -> None:
    async with load(city) as running:
        await kill(city, "peer0.police.city")
        await running.grows()  # two other endorsers are enough
        await restart(city, "peer0.police.city")
        await running.grows()
    await expect_all_committed_once(city, running.acknowledged)


async def test_nothing_acknowledged_is_lost_when_the_orderer_is_killed_under_load(city: LiveNetwork) -> None:
    async with load(city) as running:
        for _ in range(2):
            await kill(city, city.orderer.name)
            acknowledged = len(running.acknowledged)
            await asyncio.sleep(0.3)
            assert len(running.acknowledged) == acknowledged, "nobody is there to acknowledge anything"
            await restart(city, city.orderer.name)
            await running.grows()
    await expect_all_committed_once(city, running.acknowledged)


async def test_a_peer_with_an_empty_disk_catches_up_while_others_go_on(
    city: LiveNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same height and commit hash, with a hash seed of its own; all states are compared in the end."""
    late = city.node("peer1.citizens.city")
    async with load(city) as running:
        await asyncio.to_thread(city.processes.stop, [late.name])
        shutil.rmtree(city.network.path(late.data))
        await running.grows()
        monkeypatch.setenv("PYTHONHASHSEED", "4242")
        await restart(city, late.name)
        await running.grows()
    await expect_all_committed_once(city, running.acknowledged)


async def test_a_peer_that_endorses_may_come_late_as_well(city: LiveNetwork) -> None:
    """Its organisation's approvals are its own business and not on the ledger; the contract's definition is."""
    late = city.node("peer0.medical.city")
    await asyncio.to_thread(city.processes.stop, [late.name])
    shutil.rmtree(city.network.path(late.data))
    await restart(city, late.name)
    await city.agreement()
    async with city.connect("doctor") as connection:
        channel = connection.channel(CHANNEL)
        (own,) = (node for node in channel.nodes.endorsers if node.name == late.name)
        assert await channel.evaluate(Call(CONTRACT, "ListMyAssets"), [own])


def test_auditors_accept_the_blocks_of_orderer_and_peers_after_all_that(city: LiveNetwork, tmp_path: Path) -> None:
    """Every peer has stored the same blocks to the byte, so one of them is as good as all."""
    asyncio.run(city.agreement())
    stored, *others = [city.blocks(peer) for peer in city.peers]
    assert all(blocks == stored for blocks in others)
    for name, blocks in (("orderer", city.blocks(city.orderer)), ("peer", stored)):
        (tmp_path / name).mkdir()
        for number, raw in enumerate(blocks):
            (tmp_path / name / f"{number:06}.block").write_bytes(raw)
        verified = privy("block", "verify", "--genesis", city.genesis, *(tmp_path / name).iterdir())
        assert verified.returncode == 0, (name, verified.stderr)
        assert len(verified.stdout.splitlines()) == len(blocks)


def test_stopped_peers_have_the_same_state_key_by_key(city: LiveNetwork) -> None:
    asyncio.run(city.agreement())
    city.processes.stop([peer.name for peer in city.peers])
    first, *others = [city.dump_state(peer) for peer in city.peers]
    assert len(first) > ACKNOWLEDGED_MIN
    assert all(dump == first for dump in others)
