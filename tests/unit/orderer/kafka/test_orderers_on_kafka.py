"""Orderers as they are started, on real brokers: they wait for them, find each other, and catch up from each other."""

import asyncio
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from kafka import TopicPartition

from deploy.kafka.cluster import Cluster
from privysharing.protocol.codes import Status
from privysharing.protocol.orderers import LiveOrderer
from privysharing.rpc.directory import live_orderers
from privysharing.rpc.errors import NodeUnavailable
from services.orderer.sealing import position_of
from tests.support import kafka as support
from tests.support.orderers_on_kafka import BROKERS, City, on_existing, told

ENDING_SECONDS_MAX = 9.0
NO_ZOOKEEPER = {"ORDERER_PRIVYSHARING_ZOOKEEPER_ADDRESSES": " "}


@pytest.fixture
def city(kafka_cluster: Cluster, tmp_path: Path) -> City:
    """Two channels on the addresses of the cluster."""
    topology = on_existing("ordering4", kafka_cluster.bootstrap, kafka_cluster.zookeepers, tmp_path)
    return City(topology, tmp_path / "network", support.new_topic(), support.new_topic())


async def test_an_orderer_whose_log_was_trimmed_takes_blocks_from_another_and_goes_on(
    kafka_cluster: Cluster, city: City
) -> None:
    early, late = city.envelopes(6), city.envelopes(4)
    with city.starting(city.first):
        await told(city.first, 200)
        await city.order(city.first, early)
        shown = await city.blocks(city.first, early)
        assert len(shown) > 3
        with support.admin(kafka_cluster) as admin:
            admin.delete_records({TopicPartition(city.channel, 0): position_of(shown[-2]).last_offset + 1})
        with city.starting(city.second):
            await told(city.second, 200)
            await city.order(city.second, late)
            chains = [await city.blocks(node, [*early, *late]) for node in (city.first, city.second)]
            length = min(map(len, chains))
            for mine, theirs in zip(chains[0][:length], chains[1][:length], strict=True):
                assert (mine.header, mine.data) == (theirs.header, theirs.data)
            assert position_of(chains[0][length - 1]) == position_of(chains[1][length - 1])
            async with city.calling(city.second) as channel:
                live = await live_orderers(city.second.name, channel)
            assert live == tuple(
                sorted(LiveOrderer(*_split(node.address), node.msp_id) for node in (city.first, city.second))
            )


async def test_a_topic_that_is_lost_halts_its_channel_and_no_other(kafka_cluster: Cluster, city: City) -> None:
    _, other = (channel.name for channel in city.network.channels)
    kept = city.envelopes(2, other)
    with city.starting(city.first):
        await told(city.first, 200)
        await city.order(city.first, [*kept, *city.envelopes(1)])
        await city.blocks(city.first, kept, other)
        await support.make_again(kafka_cluster, other)
        await told(city.first, 503, f"topic {other} was deleted and made again; see docs/operations.md")
        await _halted(city, kept, other)
    with city.starting(city.first):
        await told(city.first, 503, f"topic {other} was deleted and made again; see docs/operations.md")
        await _halted(city, kept, other)


async def _halted(city: City, kept: list[bytes], channel: str) -> None:
    """One channel takes nothing and gives what it has, the other goes on."""
    (refused,) = await city.answers(city.first, city.envelopes(1, channel))
    assert refused.status is Status.SERVICE_UNAVAILABLE
    assert refused.info == "consenter for this channel has been halted: its ordering log has lost records"
    assert len(await city.blocks(city.first, kept, channel)) > 1
    more = city.envelopes(2)
    await city.order(city.first, more)
    await city.blocks(city.first, more)


async def test_an_orderer_waits_for_brokers_says_so_and_ends_when_it_is_asked_to(city: City) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and answers nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with city.starting(city.first, **{BROKERS: address, **NO_ZOOKEEPER}) as first:
            await told(city.first, 503, "no brokers to order with yet")
            assert await _ends(first) == 0
    with city.starting(city.first, **{BROKERS: "127.0.0.1:1"}):  # and ZooKeeper names others
        await told(city.first, 200)


async def test_an_orderer_ends_in_time_with_records_under_way_to_a_broker_that_does_not_answer(
    kafka_cluster: Cluster, city: City
) -> None:
    broker = psutil.Process(kafka_cluster.pids()["broker0"])
    with city.starting(city.first) as first:
        await told(city.first, 200)
        await city.order(city.first, city.envelopes(1))
        broker.suspend()
        try:
            waiting = asyncio.create_task(city.answers(city.first, city.envelopes(1)))
            await asyncio.sleep(0.5)
            assert await _ends(first) == 0
            (told_at_last,) = await asyncio.gather(waiting, return_exceptions=True)
            assert isinstance(told_at_last, NodeUnavailable) or told_at_last[0].status is Status.SERVICE_UNAVAILABLE
        finally:
            broker.resume()
    kafka_cluster.ready()


async def _ends(process: subprocess.Popen[bytes]) -> int:
    """With which code, after SIGTERM; in time for whoever kills what does not end in 10 s."""
    process.send_signal(signal.SIGTERM)
    return await asyncio.to_thread(process.wait, ENDING_SECONDS_MAX)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
