"""A peer that is far behind has a process of its own to verify with: both are killed, and nothing wrong comes of it."""

import asyncio
import re
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.topology import load_topology
from privysharing.sdk import Call
from services.peer.layout import LEDGERS
from tests.support.live import CHANNEL, LiveNetwork

BLOCKS = 1_200  # take seconds to catch up with, and the process starts when 100 blocks came
KEYS = "200"  # in each: to store them takes longer than to receive them
AT_ONCE = 50
SECONDS_MAX = 60.0
HELPED = re.compile(r'another process verifies as well.*?"?pid"?[=: ]+(\d+)')
ALONE = "no other process verifies"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveNetwork]:
    """Two peers, a block for each transaction, and a peer that takes help on a single processor too."""
    bench = load_topology("bench-1ch")
    (channel,) = bench.channels
    single = replace(channel, batch_size=replace(channel.batch_size, max_message_count=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORE_PRIVYSHARING_VERIFIER", "true")
        network = LiveNetwork(replace(bench, channels=(single,)), tmp_path_factory.mktemp("far") / "network")
        asyncio.run(grow(network))
        yield network
    network.stop()


async def grow(city: LiveNetwork) -> None:
    async with city.connect("alice") as connection:
        channel = connection.channel(CHANNEL)
        for first in range(0, BLOCKS, AT_ONCE):
            names = [f"key-{first + number}" for number in range(AT_ONCE)]
            await asyncio.gather(*(channel.submit(Call("bench", "Fill", (name, KEYS, "value"))) for name in names))


class Late:
    """The second peer, without a ledger."""

    def __init__(self, city: LiveNetwork) -> None:
        self._city = city
        self._node = city.peers[1]
        city.processes.stop([self._node.name])
        shutil.rmtree(city.network.path(self._node.data) / LEDGERS)
        self._log: Path = city.processes.log(self._node)
        self._seen = 0
        self.start()

    def start(self) -> None:
        self._seen = self._log.stat().st_size
        self._city.processes.start([self._node.name])

    def said(self) -> str:
        """What it has logged since it started."""
        with self._log.open("rb") as log:
            log.seek(self._seen)
            return log.read().decode()

    def helper(self) -> psutil.Process:
        """The process that verifies for it, as soon as that does."""
        return psutil.Process(int(self.says(HELPED).group(1)))

    def says(self, pattern: re.Pattern[str]) -> re.Match[str]:
        end = time.monotonic() + SECONDS_MAX
        while (found := pattern.search(self.said())) is None:
            assert time.monotonic() < end, self.said()[-2000:]
            time.sleep(0.01)
        return found

    def kill(self) -> None:
        process = self._city.processes.process(self._node)
        assert process is not None
        process.send_signal(signal.SIGKILL)
        self._city.processes.stop([self._node.name])  # forget it

    def agrees(self) -> None:
        asyncio.run(self._city.processes.ready())
        assert asyncio.run(self._city.agreement())["height"] > BLOCKS


def test_a_peer_that_is_killed_takes_the_process_with_it_and_goes_on_where_it_was(city: LiveNetwork) -> None:
    late = Late(city)
    helper = late.helper()
    late.kill()
    helper.wait(SECONDS_MAX)
    late.start()
    late.agrees()
    assert ALONE not in late.said()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_peer_goes_on_alone_when_the_process_is_lost(city: LiveNetwork, number: signal.Signals) -> None:
    late = Late(city)
    helper = late.helper()
    helper.send_signal(number)
    late.says(re.compile(ALONE))
    helper.wait(SECONDS_MAX)
    late.agrees()
