"""Orderers that share a topic make the same blocks out of it, whatever strangers and retries put there."""

import asyncio

import pytest

from deploy.kafka.cluster import Cluster
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.channel.update import derive
from privysharing.protocol.codec.ordering import encode_record
from privysharing.protocol.ordering import RecordClass, Regular, TimeToCut
from services.orderer.log import LogUnavailable
from services.orderer.sealing import config_envelope, position_of
from services.orderer.sequencer import SkipReason
from services.runtime.metrics import Registry
from tests.support import kafka as support
from tests.support.ordering import (
    NOW_NS,
    SIGNER,
    RunningChain,
    batch_update,
    context,
    envelope,
    genesis,
    started,
    store_with,
)

LARGEST = 100_000
FIRST = genesis(batch=BatchSize(absolute_max_bytes=LARGEST, preferred_max_bytes=LARGEST))
CONFIG = ChannelConfig.from_block(FIRST)


async def start(cluster: Cluster, topic: str, registry: Registry | None = None) -> RunningChain:
    log = await support.open_log(support.connecting(cluster), topic)
    running = RunningChain(started(store_with(FIRST), log, context(0.01, registry)))
    await running.chain.caught_up()
    return running


async def all_blocks(orderers: list[RunningChain], wanted: set[bytes]) -> list[list[Block]]:
    """Every orderer's chain, once all have everything that is wanted in blocks."""

    async def chain(running: RunningChain) -> list[Block]:
        missing, number = set(wanted), 1
        while missing:
            missing -= set((await running.block(number)).data)
            number += 1
        await running.chain.drained()
        return await running.blocks(number)

    async with asyncio.timeout(30):
        return list(await asyncio.gather(*(chain(running) for running in orderers)))


def same(chains: list[list[Block]]) -> list[Block]:
    """What the chains have in common, which is all of the shortest: headers, data and places in the log."""
    length = min(map(len, chains))
    for chain in chains:
        for mine, theirs in zip(chain[:length], chains[0][:length], strict=True):
            assert (mine.header, mine.data, position_of(mine)) == (theirs.header, theirs.data, position_of(theirs))
    return chains[0][:length]


async def order(running: RunningChain, record: Regular) -> None:
    while True:
        try:
            await running.chain.order(record)
        except LogUnavailable:
            await asyncio.sleep(0.1)
        else:
            return


async def test_a_configuration_between_transactions_loses_none_and_doubles_none(kafka_cluster: Cluster) -> None:
    topic = support.new_topic()
    orderers = [await start(kafka_cluster, topic) for _ in range(3)]
    derived = derive(CONFIG, batch_update(CONFIG, BatchSize(3, LARGEST, LARGEST)))
    change = config_envelope(CONFIG.channel_id, derived, signer=SIGNER, now_ns=NOW_NS, nonce=b"n" * 24)
    envelopes = [envelope() for _ in range(60)]
    records = [Regular(raw, 0, RecordClass.NORMAL) for raw in envelopes]  # all admitted before it is in force
    records.insert(20, Regular(change, 0, RecordClass.CONFIG))
    await asyncio.gather(*(order(orderers[place % 3], record) for place, record in enumerate(records)))
    blocks = same(await all_blocks(orderers, {*envelopes, change}))
    data = [raw for block in blocks for raw in block.data]
    assert [data.count(raw) for raw in (*envelopes, change)] == [1] * 61
    assert {running.chain.config.sequence for running in orderers} == {1}
    late = await start(kafka_cluster, topic)
    assert len(same([*await all_blocks([late], {*envelopes, change}), blocks])) == len(blocks)
    for running in (*orderers, late):
        await running.stop()


async def test_what_strangers_write_changes_nothing_and_is_counted(kafka_cluster: Cluster) -> None:
    topic, registry = support.new_topic(), Registry()
    first = await start(kafka_cluster, topic, registry)
    oversize = Regular(envelope(b"x" * LARGEST), 0, RecordClass.NORMAL)
    honest = [envelope() for _ in range(4)]
    await order(first, Regular(honest[0], 0, RecordClass.NORMAL))
    support.write(kafka_cluster, topic, [b"garbage", b"", None, encode_record(TimeToCut(99))])
    support.write(kafka_cluster, topic, [b"garbage"] * 50, compression="gzip")
    foreign = Regular(envelope(channel_id="elsewhere"), 0, RecordClass.NORMAL)
    claims = Regular(envelope(), 0, RecordClass.NORMAL, original_offset=2**40)
    support.write(kafka_cluster, topic, [encode_record(foreign), encode_record(claims), encode_record(oversize)])
    for raw in honest[1:]:
        await order(first, Regular(raw, 0, RecordClass.NORMAL))
    second = await start(kafka_cluster, topic)
    blocks = same(await all_blocks([first, second], set(honest)))
    assert [raw for block in blocks[1:] for raw in block.data] == honest
    page = registry.render()
    for reason, count in {
        SkipReason.NOT_A_RECORD: 53,
        SkipReason.EARLY_TIME_TO_CUT: 1,
        SkipReason.MALFORMED: 1,
        SkipReason.NOT_RESUBMITTED: 1,
        SkipReason.OVERSIZE: 1,
    }.items():
        assert f'privysharing_orderer_records_skipped{{channel="health",reason="{reason}"}} {count}' in page
    for running in (first, second):
        await running.stop()


async def test_no_record_that_brokers_take_keeps_orderers_from_reading_on(
    kafka_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, registry = support.new_topic(), Registry()
    first = await start(kafka_cluster, topic, registry)
    honest = [envelope() for _ in range(2)]
    await order(first, Regular(honest[0], 0, RecordClass.NORMAL))
    await all_blocks([first], set(honest[:1]))
    support.write_odd(kafka_cluster, topic, b"garbage", monkeypatch)
    await order(first, Regular(honest[1], 0, RecordClass.NORMAL))
    second = await start(kafka_cluster, topic)
    blocks = same(await all_blocks([first, second], set(honest)))
    assert [raw for block in blocks[1:] for raw in block.data] == honest
    assert 'reason="not a record"} 1' in registry.render()
    for running in (first, second):
        await running.stop()
