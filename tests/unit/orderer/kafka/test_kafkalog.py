"""A topic of a real broker keeps what an ordered log promises, and says so when it cannot."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import LogTruncationError, MessageSizeTooLargeError

from deploy.kafka.cluster import Cluster
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.orderers import LiveOrderer
from services.orderer.kafka import kafkalog as kafkalog_module
from services.orderer.kafka import reading as reading_module
from services.orderer.kafka.connecting import Connecting
from services.orderer.kafka.kafkalog import KafkaLog
from services.orderer.kafka.ordering import Ordering
from services.orderer.kafka.reading import Found, Reading
from services.orderer.log import LogClosed, LogPlace, LogUnavailable, LostRecords
from services.runtime.disk import RealDisk
from services.runtime.metrics import Registry
from tests.support import kafka as support
from tests.support.forgetful import ForgetfulProxy
from tests.support.nodes import until
from tests.support.ordering import genesis

BROKER = "broker0"


async def test_several_orderers_append_and_all_read_the_same_in_the_topic_s_order(kafka_cluster: Cluster) -> None:
    topic, clients = support.new_topic(), support.connecting(kafka_cluster)
    first, second = await asyncio.gather(support.open_log(clients, topic), support.open_log(clients, topic))
    places = await asyncio.gather(
        *(log.append(b"%s/%d" % (who, number)) for number in range(100) for log, who in ((first, b"a"), (second, b"b")))
    )
    found = await support.take(first, 0, 200)
    assert found == await support.take(second, 0, 200)
    assert {entry.offset for entry in found} == set(places)
    for who in (b"a", b"b"):
        own = [entry.record for entry in found if entry.record.startswith(who)]
        assert own == [b"%s/%d" % (who, number) for number in range(100)]
    assert [entry for entry in support.read(kafka_cluster, topic) if entry in found] == found
    await asyncio.gather(first.close(), second.close())


async def test_a_log_is_quiet_once_all_that_it_knows_of_is_read(kafka_cluster: Cluster) -> None:
    log = await support.open_log(support.connecting(kafka_cluster), support.new_topic())
    assert log.quiet(log.end())
    place = log.append(b"a")
    assert not log.quiet(log.end())
    assert not log.quiet(await place)
    assert log.quiet(await place + 1)
    await log.close()
    with pytest.raises(LogClosed):
        log.append(b"b")


async def test_a_reader_begins_anywhere_and_waits_for_what_is_not_there_yet(kafka_cluster: Cluster) -> None:
    log = await support.open_log(support.connecting(kafka_cluster), support.new_topic())
    places = await asyncio.gather(*(log.append(b"%d" % number) for number in range(3)))
    reading = asyncio.create_task(support.take(log, places[1], 3))
    await asyncio.sleep(0.1)
    assert not reading.done()
    await log.append(b"3")
    assert [entry.record for entry in await reading] == [b"1", b"2", b"3"]
    await log.close()


async def test_a_record_whose_acknowledgement_was_lost_comes_twice_and_in_order(kafka_cluster: Cluster) -> None:
    proxy = ForgetfulProxy(b"lose this one", b"and this one")
    url = await proxy.start()

    class Through(Connecting):
        __slots__ = ()

        def _common(self) -> dict[str, Any]:
            return {**Connecting._common(self), "proxy_url": url}

    plain = support.connecting(kafka_cluster)
    topic = support.new_topic()
    log = await support.open_log(Through(plain.config, plain.brokers), topic)
    records = [b"one", b"lose this one", b"three", b"and this one", b"five"]
    for record in records:
        assert await log.append(record) > 0
    await log.close()
    await proxy.stop()
    assert proxy.lost == 2
    expected = [b"one", b"lose this one", b"lose this one", b"three", b"and this one", b"and this one", b"five"]
    assert [entry.record for entry in support.read(kafka_cluster, topic)][1:] == expected


async def test_without_brokers_records_are_refused_and_with_them_it_goes_on(kafka_cluster: Cluster) -> None:
    topic = support.new_topic()
    log = await support.open_log(support.connecting(kafka_cluster, delivery_timeout_s=1.0), topic)
    reading = asyncio.create_task(support.take(log, 0, 10**6, timeout_s=60))
    acknowledged: list[bytes] = []
    sending = asyncio.create_task(_send_until_refused(log, acknowledged))
    await until(lambda: len(acknowledged) > 50)
    kafka_cluster.kill([BROKER])
    try:
        refusal = await asyncio.wait_for(sending, 10)
        assert "did not acknowledge" in str(refusal)
        probe = log.append(b"finds out whether they are back")
        with pytest.raises(LogUnavailable, match="try again later"):
            log.append(b"at once")
        with pytest.raises(LogUnavailable):
            await probe
        assert log.illness()
    finally:
        kafka_cluster.start([BROKER])
        kafka_cluster.ready()
    await until(lambda: _takes(log))
    await until(lambda: log.illness() is None)
    assert not reading.done()
    reading.cancel()
    found = [entry.record for entry in support.read(kafka_cluster, topic)]
    assert [record for record in dict.fromkeys(found) if record in set(acknowledged)] == acknowledged
    await log.close()


async def _send_until_refused(log: KafkaLog, acknowledged: list[bytes]) -> LogUnavailable:
    for number in range(10**6):
        record = b"%d" % number
        try:
            await log.append(record)
        except LogUnavailable as refusal:
            return refusal
        acknowledged.append(record)
    raise AssertionError("nothing was refused")


def _takes(log: KafkaLog) -> bool:
    try:
        log.append(b"again")
    except LogUnavailable:
        return False
    return log.illness() is None


async def test_a_new_channel_has_a_topic_that_keeps_everything(kafka_cluster: Cluster) -> None:
    topic = support.new_topic()
    await (await support.open_log(support.connecting(kafka_cluster), topic)).close()
    with support.admin(kafka_cluster) as admin:
        partitions = admin.describe_topics([topic])[0]["partitions"]
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    assert [partition["partition_index"] for partition in partitions] == [0]
    settings = {name: each["value"] for name, each in found["topic"][topic].items()}
    assert settings["retention.ms"] == settings["retention.bytes"] == "-1"
    assert settings["unclean.leader.election.enable"] == "false"
    assert settings["min.insync.replicas"] == "1"
    with pytest.raises(MessageSizeTooLargeError):
        support.write(kafka_cluster, topic, [b"x" * 2 * support.ENVELOPE_BYTES_MAX])


async def test_a_topic_that_is_gone_or_shorter_is_not_the_log_of_a_chain(
    kafka_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafkalog_module, "MISSING_LOOKS_MAX", 2)
    clients = support.connecting(kafka_cluster)
    topic = support.new_topic()
    with pytest.raises(LostRecords, match=f"no topic {topic}; .*docs/operations.md"):
        await support.open_log(clients, topic, next_offset=5)
    await (await support.open_log(clients, topic)).close()
    with pytest.raises(LostRecords, match="ends at offset 1, and records up to 5 were read"):
        await support.open_log(clients, topic, next_offset=5)


@pytest.mark.parametrize("again", [False, True], ids=["deleted", "made again"])
async def test_a_topic_that_is_deleted_stops_its_reader(
    kafka_cluster: Cluster, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "MISSING_LOOKS_MAX", 2)
    topic, clients = support.new_topic(), support.connecting(kafka_cluster)
    log = await support.open_log(clients, topic)
    await log.append(b"a")
    reading = asyncio.create_task(support.take(log, 0, 2, timeout_s=60))
    await asyncio.sleep(0.5)
    if again:
        await support.make_again(kafka_cluster, topic)
    else:
        with support.admin(kafka_cluster) as admin:
            admin.delete_topics([topic])
    with pytest.raises(LostRecords, match="made again|ends at offset" if again else "no topic"):
        await reading
    assert log.illness()
    with pytest.raises(LostRecords):
        log.append(b"b")
    await log.close()


async def test_a_topic_that_was_made_again_and_filled_while_nobody_looked_is_refused(
    kafka_cluster: Cluster, tmp_path: Path
) -> None:
    topic = support.new_topic()
    config = replace(support.connecting(kafka_cluster).config, brokers=kafka_cluster.bootstrap, always=True)
    ordering = Ordering(config, Registry(), LiveOrderer("127.0.0.1", 7050, "OrdererMSP"))
    place = LogPlace(RealDisk(), tmp_path / "logs" / topic, ChannelConfig.from_block(genesis(topic)), next_offset=0)
    for _ in range(2):
        await (await ordering.open(place)).close()
    await support.make_again(kafka_cluster, topic)
    support.write(kafka_cluster, topic, [b"another story"] * 10)
    for next_offset in (0, 2):
        with pytest.raises(LostRecords, match="deleted and made again"):
            await ordering.open(replace(place, next_offset=next_offset))


async def test_a_topic_that_was_filled_again_is_noticed_at_the_next_connection_whatever_its_id(
    kafka_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, clients, told = support.new_topic(), support.connecting(kafka_cluster), list[Found]()
    await (await support.open_log(clients, topic)).close()
    support.write(kafka_cluster, topic, [b"a", b"b", b"c"])
    poll, breaks = KafkaConsumer.poll, list[Exception]()

    def break_off(self: KafkaConsumer, **settings: Any) -> Any:
        if breaks:
            raise breaks.pop()
        return poll(self, **settings)

    monkeypatch.setattr(KafkaConsumer, "poll", break_off)
    monkeypatch.setattr(reading_module, "POLL_MS", 200)
    reading = Reading(topic, None, clients, told.append, 0)  # of brokers that give topics no ids
    await until(lambda: [entry.record for found in told for entry in found.entries][-1:] == [b"c"])
    breaks.append(ValueError("the connection"))
    await until(lambda: any("the connection" in (found.illness or "") for found in told))
    await until(lambda: told[-1].survey is not None and told[-1].illness is None)  # again, with the last record
    reading.pause()
    await support.make_again(kafka_cluster, topic)
    support.write(kafka_cluster, topic, [b"another story"] * 9)
    breaks.append(ValueError("the connection"))
    reading.resume()
    await until(lambda: told[-1].fault is not None)
    assert "record 3 of topic" in str(told[-1].fault)
    reading.stop()


async def test_what_goes_into_a_topic_that_was_made_again_is_not_acknowledged(kafka_cluster: Cluster) -> None:
    topic, clients = support.new_topic(), support.connecting(kafka_cluster)
    log = await support.open_log(clients, topic)
    for number in range(3):
        await log.append(b"%d" % number)
    await support.make_again(kafka_cluster, topic)
    async with asyncio.timeout(20):
        while "after it had taken one at" not in (log.illness() or ""):
            with pytest.raises(LogUnavailable):
                await log.append(b"nobody will read it")
    with pytest.raises(LostRecords):
        await support.take(log, 4, 1)
    await log.close()


@pytest.mark.parametrize("failure", [ValueError("unforeseen"), LogTruncationError({})])
async def test_a_reader_goes_on_after_all_but_lost_records(
    kafka_cluster: Cluster, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, failures, read = KafkaConsumer.poll, [failure], list[object]()

    def fail_once(self: KafkaConsumer, **settings: Any) -> Any:
        found = poll(self, **settings)
        read.extend(found)
        if read and not found and failures:
            raise failures.pop()
        return found

    monkeypatch.setattr(KafkaConsumer, "poll", fail_once)
    monkeypatch.setattr(reading_module, "POLL_MS", 200)
    log = await support.open_log(support.connecting(kafka_cluster), support.new_topic())
    reading = asyncio.create_task(support.take(log, 0, 1))
    if isinstance(failure, LogTruncationError):
        with pytest.raises(LostRecords, match="does not hold all records up to 1 any more"):
            await reading
    else:
        await until(lambda: "unforeseen" in (log.illness() or ""))
        await log.append(b"a")
        assert [entry.record for entry in await reading] == [b"a"]
    await log.close()


async def test_brokers_that_nobody_has_named_yet_are_waited_for(kafka_cluster: Cluster) -> None:
    named: list[str] = []
    clients = Connecting(support.connecting(kafka_cluster).config, lambda: named)
    opening = asyncio.create_task(support.open_log(clients, support.new_topic()))
    await asyncio.sleep(0.5)
    assert not opening.done()
    named += kafka_cluster.bootstrap
    await (await opening).close()


async def test_a_trimmed_topic_says_where_it_begins(kafka_cluster: Cluster) -> None:
    topic, clients = support.new_topic(), support.connecting(kafka_cluster)
    log = await support.open_log(clients, topic)
    places = [await log.append(b"%d" % number) for number in range(10)]
    with support.admin(kafka_cluster) as admin:
        admin.delete_records({TopicPartition(topic, 0): places[5]})
    again = await support.open_log(clients, topic, next_offset=places[2])
    assert again.start() == places[5]
    with pytest.raises(LostRecords, match="were removed before they were read"):
        await support.take(again, places[2], 1)
    await asyncio.gather(log.close(), again.close())
    third = await support.open_log(clients, topic, next_offset=places[7])
    assert [entry.record for entry in await support.take(third, places[7], 3)] == [b"7", b"8", b"9"]
    await third.close()
