"""A channel that began on an embedded log goes on in a topic: the same records, the same blocks, and new ones."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.kafka.cluster import Cluster
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.orderers import LiveOrderer
from privysharing.protocol.ordering import RecordClass, Regular
from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.migrating import NotTheSame, migrate
from services.orderer.kafka.ordering import ASIDE, TOPIC_ID, Ordering
from services.orderer.log import LogPlace, OrderedLog
from services.orderer.log.filelog import FileLog
from services.orderer.store import BlockStore
from services.runtime.config import ConfigError
from services.runtime.disk import RealDisk
from services.runtime.metrics import Registry
from services.runtime.recordlog import RecordLog
from tests.support import kafka as support
from tests.support.ordering import RunningChain, context, envelope, genesis, started, store_with

DISK = RealDisk()


def record_log(folder: Path, records: Sequence[bytes]) -> Path:
    log = RecordLog.open(DISK, folder)
    log.append(records)
    log.sync()
    log.close()
    return folder


def run(cluster: Cluster, folder: Path, topic: str) -> int:
    clients = support.connecting(cluster)
    return migrate(DISK, folder, topic, clients, support.ENVELOPE_BYTES_MAX, lambda _done, _of: None)


async def grow(store: BlockStore, log: OrderedLog, by: int) -> list[object]:
    """The headers of a chain after so many further transactions, each of which gets a block."""
    running = RunningChain(started(store, log, context()))
    async with asyncio.timeout(20):
        await running.chain.caught_up()
        for _ in range(by):
            height = running.chain.height
            await running.chain.order(Regular(envelope(), 0, RecordClass.NORMAL))
            await running.block(height)
    headers = [block.header for block in await running.blocks(running.chain.height)]
    await running.stop()
    return headers


async def test_a_channel_goes_on_where_it_was_and_a_new_orderer_makes_the_same_blocks(
    kafka_cluster: Cluster, tmp_path: Path
) -> None:
    first, topic, folder = genesis(), support.new_topic(), tmp_path / "logs" / "health"
    own = BlockStore(DISK, tmp_path / "chain")
    own.append(store_with(first).read(0))
    before = await grow(own, await FileLog.open(DISK, folder), by=5)

    assert run(kafka_cluster, folder, topic) >= 11
    assert not folder.exists()
    assert folder.with_name(folder.name + ASIDE).exists()
    assert folder.with_name(
        folder.name + TOPIC_ID
    ).read_text()  # from now on it is this topic, and no other of its name
    clients = support.connecting(kafka_cluster)
    own = BlockStore(DISK, tmp_path / "chain")
    after = await grow(own, await support.open_log(clients, topic, next_offset=11), by=3)
    assert after[:6] == before
    assert len(after) == 9
    assert await grow(store_with(first), await support.open_log(clients, topic), by=0) == after


def test_what_was_broken_off_is_gone_on_with(kafka_cluster: Cluster, tmp_path: Path) -> None:
    records = [b"%d" % number * 50 for number in range(1200)]
    folder, topic = record_log(tmp_path / "log", records), support.new_topic()
    with support.admin(kafka_cluster) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    support.write(kafka_cluster, topic, records[:700])
    assert run(kafka_cluster, folder, topic) == 1200
    assert [entry.record for entry in support.read(kafka_cluster, topic)] == records


@pytest.mark.parametrize("found", [[b"0", b"something else"], [b"0", b"1", b"2", b"one too many"]])
def test_a_topic_that_holds_anything_else_is_refused_and_the_log_stays(
    kafka_cluster: Cluster, tmp_path: Path, found: list[bytes]
) -> None:
    folder, topic = record_log(tmp_path / "log", [b"0", b"1", b"2"]), support.new_topic()
    with support.admin(kafka_cluster) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    support.write(kafka_cluster, topic, found)
    with pytest.raises(NotTheSame):
        run(kafka_cluster, folder, topic)
    assert folder.exists()
    assert [entry.record for entry in support.read(kafka_cluster, topic)] == found


async def test_a_channel_that_was_moved_does_not_begin_an_embedded_log_again(tmp_path: Path) -> None:
    folder = record_log(tmp_path / "health", [b"0"])
    place = LogPlace(DISK, folder, ChannelConfig.from_block(genesis()), next_offset=1)
    ordering = Ordering(KafkaConfig(), Registry(), LiveOrderer("127.0.0.1", 7050, "OrdererMSP"))
    await (await ordering.open(place)).close()
    DISK.rename(folder, folder.with_name(folder.name + ASIDE))
    with pytest.raises(ConfigError, match=r"channel health was moved to Kafka .* privysharing\.Ordering"):
        await ordering.open(place)
    assert not folder.exists()
