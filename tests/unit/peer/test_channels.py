"""A peer's channels: joined once, found again, and none drags another down."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from privysharing.protocol.blocks import Block
from privysharing.rpc.outside import Outside
from services.peer.block_feed.feed import FeedConfig
from services.peer.chaincode_host.ports import JoinRefused
from services.peer.channel import Channel, ChannelTools
from services.peer.channels import Channels, RecoveryStopped
from services.peer.config import ChannelBootstrap
from services.peer.connections import Connections
from services.peer.ledger.errors import LedgerFault
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import ChannelStopped
from services.peer.private_data.exchange import ExchangeConfig, ExchangeTools
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.verifier import Verifier
from services.runtime.config import ConfigError
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.metrics import Registry
from tests.support.following import MemoryOrderers, OrderedChain
from tests.support.nodes import until
from tests.support.ordering import SIGNER, batch_update, envelope, genesis

SETTINGS = FeedConfig(first_answer_seconds=0.5, pause_seconds_min=0.001, pause_seconds_max=0.01)


async def at_once() -> None:
    """There is always room."""


def tools(crypto: Executor, orderers: MemoryOrderers, **choices: Any) -> ChannelTools:
    return replace(
        ChannelTools(
            disk=RealDisk(),
            databases=LevelDatabases(),
            crypto=crypto,
            verifier=Verifier(wanted=False),
            metrics=LedgerMetrics.register(Registry()),
            calls=orderers,
            feed=SETTINGS,
            vouched=(),
            msp_id="",
            room=at_once,
            exchange=ExchangeTools(
                me=b"",
                msp_id="",
                calls=Connections(SIGNER, tls=False, certificate=b"", key=b""),
                outside=Outside(),
                writer=crypto,
                metrics=ExchangeMetrics.register(Registry()),
                settings=ExchangeConfig(),
            ),
        ),
        **choices,
    )


@asynccontextmanager
async def opened(
    folder: Path, orderers: MemoryOrderers, bootstraps: Sequence[ChannelBootstrap] = (), **choices: Any
) -> AsyncIterator[Channels]:
    """A peer's channels, which do not grow."""
    with ThreadPoolExecutor(2) as crypto:
        channels = Channels(folder, tools(crypto, orderers, **choices), bootstraps)
        try:
            await channels.open()
            yield channels
        finally:
            channels.close()


@asynccontextmanager
async def peer(
    folder: Path, orderers: MemoryOrderers, bootstraps: Sequence[ChannelBootstrap] = (), **choices: Any
) -> AsyncIterator[Channels]:
    async with opened(folder, orderers, bootstraps, **choices) as channels:
        running = asyncio.create_task(channels.run())
        try:
            yield channels
        finally:
            running.cancel()
            await asyncio.wait((running,))
        if not running.cancelled():
            running.result()


def bootstrap(orderers: MemoryOrderers, *addresses: str, block: Block | None = None) -> ChannelBootstrap:
    return ChannelBootstrap("health", block or genesis(), tuple(orderers.source(name) for name in addresses))


async def reaches(channels: Channels, height: int, channel_id: str = "health") -> Channel:
    channel = channels.get(channel_id)
    assert channel is not None
    async with asyncio.timeout(5):
        await channel.notifier.above(height - 1)
    return channel


async def test_a_configured_channel_is_joined_once_and_found_again(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    chain.cut(envelope())
    orderers = MemoryOrderers(one=chain)
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        await reaches(channels, 2)
        tip = channels.all()[0].ledger.tip
    chain.cut(envelope())
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        assert channels.all()[0].ledger.block_number_by_hash(tip) == 1
        await reaches(channels, 3)
        assert channels.ids() == ("health",)


async def test_a_channel_can_be_joined_while_the_peer_runs_and_only_once(tmp_path: Path) -> None:
    async with peer(tmp_path, MemoryOrderers()) as channels:
        await asyncio.to_thread(channels.join, genesis("streets"))
        assert channels.ids() == ("streets",)
        with pytest.raises(JoinRefused, match=r"ledger \[streets\] already exists with state \[ACTIVE\]"):
            await asyncio.to_thread(channels.join, genesis("streets"))
    async with peer(tmp_path, MemoryOrderers()) as channels:
        channel = channels.get("streets")
        assert channel is not None
        assert channel.ledger.height == 1


async def test_a_genesis_block_of_another_network_is_refused(tmp_path: Path) -> None:
    orderers = MemoryOrderers()
    async with peer(tmp_path, orderers, [bootstrap(orderers)]):
        pass
    other = bootstrap(orderers, block=genesis(timeout_s=9.0))
    with pytest.raises(ConfigError, match="another genesis block"):
        async with peer(tmp_path, orderers, [other]):
            pass


async def test_a_genesis_block_of_another_channel_is_refused(tmp_path: Path) -> None:
    orderers = MemoryOrderers()
    with pytest.raises(ConfigError, match="channel health: the genesis block is that of channel streets"):
        async with peer(tmp_path, orderers, [bootstrap(orderers, block=genesis("streets"))]):
            pass


async def test_a_later_configuration_block_is_no_genesis_block(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    later = chain.reconfigure(batch_update(chain.config, replace(chain.config.orderer.batch_size, max_message_count=3)))
    orderers = MemoryOrderers()
    async with peer(tmp_path, orderers) as channels:
        with pytest.raises(JoinRefused, match=r"expected block number is \[0\] but .* is \[1\]"):
            await asyncio.to_thread(channels.join, later)
        assert not (tmp_path / "health").exists()
        await asyncio.to_thread(channels.join, chain.blocks[0])
        assert channels.ids() == ("health",)
    with pytest.raises(ConfigError, match=r"its genesis block cannot be used: expected block number is \[0\]"):
        async with peer(tmp_path / "other", orderers, [bootstrap(orderers, block=later)]):
            pass
    async with peer(tmp_path / "other", orderers, [bootstrap(orderers)]) as channels:
        assert channels.ids() == ("health",)  # the refusal has let go of the ledger


async def test_a_recovery_can_be_stopped_and_the_next_start_finishes_it(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    chain.cut(envelope())
    orderers = MemoryOrderers(one=chain)
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        await reaches(channels, 2)
    (tmp_path / "health" / "DOUBT").touch()
    with ThreadPoolExecutor(1) as crypto, pytest.raises(RecoveryStopped):
        await Channels(tmp_path, tools(crypto, orderers)).open(stopping=lambda: True)
    async with peer(tmp_path, orderers) as channels:
        assert channels.all()[0].ledger.height == 2


async def test_a_join_that_a_crash_cut_short_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "streets").mkdir()
    async with peer(tmp_path, MemoryOrderers()) as channels:
        assert channels.ids() == ()
        await asyncio.to_thread(channels.join, genesis("streets"))
        assert channels.ids() == ("streets",)


async def test_a_fork_stops_its_channel_keeps_both_blocks_and_leaves_other_channels_alone(tmp_path: Path) -> None:
    honest = OrderedChain(genesis(), SIGNER)
    honest.cut(envelope(b"first history"))
    fork = OrderedChain(genesis(), SIGNER)
    fork.cut(envelope(b"second history"))
    orderers = MemoryOrderers(ours=honest, theirs=fork)
    both = (orderers.source("ours"), orderers.source("theirs", "OtherOrdererMSP"))
    async with peer(tmp_path, orderers, [ChannelBootstrap("health", genesis(), both)]) as channels:
        await asyncio.to_thread(channels.join, genesis("streets"))
        forked, other = channels.get("health"), channels.get("streets")
        assert forked is not None
        assert other is not None
        async with asyncio.timeout(5):
            with pytest.raises(ChannelStopped):
                await forked.notifier.above(1000)
        assert "block 1 is" in (forked.stopped or "")
        assert other.stopped is None
        assert (channels.illness() or "").startswith("health: block 1 is")
    kept = sorted(path.name for path in (tmp_path / "health" / "evidence").iterdir())
    assert kept == ["1-ours.block", "1-theirs.block"]


async def test_a_channel_that_forked_stays_stopped_until_its_operator_moves_the_evidence_away(tmp_path: Path) -> None:
    ours = OrderedChain(genesis(), SIGNER)
    ours.cut(envelope(b"first history"))
    theirs = OrderedChain(genesis(), SIGNER)
    theirs.cut(envelope(b"second history"))
    orderers = MemoryOrderers(ours=ours, theirs=theirs)
    both = (orderers.source("ours"), orderers.source("theirs", "OtherOrdererMSP"))
    async with peer(tmp_path, orderers, [ChannelBootstrap("health", genesis(), both)]) as channels:
        await until(lambda: channels.illness() is not None)
    ours.cut(envelope(b"and on"))
    only_ours = bootstrap(orderers, "ours")
    async with peer(tmp_path, orderers, [only_ours]) as channels:
        await until(lambda: channels.illness() is not None)
        assert "1-theirs.block are kept; move them away to go on" in (channels.illness() or "")
        assert channels.all()[0].ledger.height == 2
    (tmp_path / "health" / "evidence").rename(tmp_path / "evidence")
    async with peer(tmp_path, orderers, [only_ours]) as channels:
        await reaches(channels, 3)
        assert channels.illness() is None


async def test_a_channel_whose_orderers_lack_its_last_block_is_ill_until_one_has_it(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    orderers = MemoryOrderers(one=chain)
    for number in (1, 2):
        chain.cut(envelope(b"%d" % number))
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        await reaches(channels, 3)
        assert channels.illness() is None
    orderers.chains["one"] = OrderedChain(genesis(), SIGNER)
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        await until(lambda: channels.illness() is not None)
        assert (channels.illness() or "").startswith("health: orderer one does not have block 2, the last one here")
        chain.cut(envelope(b"3"))
        orderers.chains["one"] = chain
        await reaches(channels, 4)
        assert channels.illness() is None


async def test_a_configuration_that_cannot_be_applied_stops_its_channel_only(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    update = batch_update(chain.config, replace(chain.config.orderer.batch_size, max_message_count=3))
    chain.reconfigure(update)
    again = OrderedChain(genesis(), SIGNER)
    again.blocks = list(chain.blocks)
    chain.blocks.append(again.reconfigure(update))  # derived from the first configuration once more
    orderers = MemoryOrderers(one=chain)
    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        channel = await reaches(channels, 2)
        async with asyncio.timeout(5):
            with pytest.raises(ChannelStopped):
                await channel.notifier.above(2)
        assert "cannot be applied" in (channel.stopped or "")


async def test_a_peer_takes_no_block_while_there_is_no_room_and_all_of_them_afterwards(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    orderers = MemoryOrderers(one=chain)
    room = asyncio.Event()

    async def there_is_room() -> None:
        await room.wait()

    async with peer(tmp_path, orderers, [bootstrap(orderers, "one")], room=there_is_room) as channels:
        for _ in range(3):
            chain.cut(envelope())
        await orderers.grow()
        await asyncio.sleep(0.2)
        assert channels.all()[0].ledger.height == 1
        room.set()
        await reaches(channels, 4)


async def test_a_fault_of_storage_ends_the_peer(tmp_path: Path) -> None:
    chain = OrderedChain(genesis(), SIGNER)
    orderers = MemoryOrderers(one=chain)
    async with opened(tmp_path, orderers, [bootstrap(orderers, "one")]) as channels:
        running = asyncio.create_task(channels.run())
        channel = await reaches(channels, 1)
        channel.ledger._blocks.close()  # type: ignore[attr-defined]
        chain.cut(envelope())
        await orderers.grow()
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(5):
                await running
    assert caught.group_contains((LedgerFault, OSError))
