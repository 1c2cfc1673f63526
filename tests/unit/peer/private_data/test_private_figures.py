"""What a peer's figures tell of private data that waits: for its commit, or to leave the files."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.peer.private_data import erasing
from services.peer.private_data.erasing import Eraser
from services.peer.private_data.metrics import ExchangeMetrics
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.metrics import Registry
from tests.support.judging import CHANNEL
from tests.support.nodes import until
from tests.support.private_chain import Member, PrivateChain, Put, stored_member, tx_id_at


class Figures:
    """A member, and what it shows."""

    def __init__(self, folder: Path) -> None:
        self.member: Member = stored_member(RealDisk(), LevelDatabases(), folder)
        self._registry = Registry()
        self.metrics = ExchangeMetrics.register(self._registry)
        self.metrics.follow(CHANNEL, self.member.private)
        self.eraser = Eraser(self.member.private, self.metrics.erasures.of(CHANNEL), expired_every_s=0.1)

    def __getitem__(self, name: str) -> int:
        shown = f'privysharing_{name}{{channel="{CHANNEL}"}}'
        (value,) = re.findall(rf"^{re.escape(shown)} (\d+)$", self._registry.render(), re.MULTILINE)
        return int(value)


@pytest.fixture
def figures(tmp_path: Path) -> Iterator[Figures]:
    shown = Figures(tmp_path)
    yield shown
    shown.member.close()


def test_what_is_endorsed_is_shown_until_it_is_committed(figures: Figures) -> None:
    chain = PrivateChain()
    place = chain.put("k", b"value")
    assert figures["transient_store_transactions"] == figures["transient_store_bytes"] == 0
    figures.member.private.transient.keep(tx_id_at(chain, place), 2, [chain.sets[place]])
    assert figures["transient_store_transactions"] == 1
    assert len(chain.sets[place].rwset) < figures["transient_store_bytes"] < figures["transient_store_bytes_max"]
    figures.member.follow(chain)
    assert figures["transient_store_transactions"] == figures["transient_store_bytes"] == 0


async def test_purged_keys_are_shown_until_they_have_left_the_files(figures: Figures) -> None:
    chain, private = PrivateChain(), figures.member.private
    chain.add([Put("k", b"1"), Put("l", b"2")])
    chain.add([Put("k", purge=True), Put("l", purge=True)])
    figures.member.follow(chain)
    assert (figures["private_data_purges_waiting"], figures["private_data_erasures"]) == (2, 0)
    reading = private._side._database.scan(b"", b"\xff")
    next(reading)  # files that are read stay
    running = asyncio.create_task(figures.eraser.run())
    await asyncio.sleep(0.2)
    assert (figures["private_data_purges_waiting"], figures["private_data_erasures"]) == (2, 0)
    reading.close()
    await until(lambda: figures["private_data_erasures"] == 1)
    assert figures["private_data_purges_waiting"] == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_has_expired_is_erased_in_time_also_while_blocks_keep_coming(
    figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "REST_S", 0.01)
    chain, private = PrivateChain(), figures.member.private
    chain.put("k", b"value", "short")
    for _ in range(3):
        chain.put("other", b"value")
    figures.member.follow(chain)
    assert private._side.to_erase().keys
    running = asyncio.create_task(figures.eraser.run())
    async with asyncio.timeout(10):
        while private._side.to_erase().keys:
            figures.eraser.wake()
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
