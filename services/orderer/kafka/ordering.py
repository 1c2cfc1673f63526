"""Which log orders a channel: Kafka's when its newest configuration says so, else the embedded one."""

import asyncio

from privysharing.protocol.channel.bundle import ChannelConfig
from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.gauges import KafkaGauges
from services.orderer.log import LogPlace, OrderedLog
from services.orderer.log.filelog import open_file_log
from services.runtime.metrics import Registry

CONSENSUS_TYPE = "kafka"


class Ordering:
    """Opens the logs of a process's channels."""

    def __init__(self, config: KafkaConfig, registry: Registry) -> None:
        self._config = config
        self._gauges = KafkaGauges(registry, asyncio.get_running_loop().time)
        self._waiting: set[str] = set()

    async def open(self, place: LogPlace) -> OrderedLog:
        """See `services.orderer.log.OpenLog`."""
        if not self._on_kafka(place.config):
            return await open_file_log(place)
        from services.orderer.kafka.connecting import Connecting  # Kafka's client takes a third of a second to import
        from services.orderer.kafka.kafkalog import KafkaLog, Wanted

        channel = place.config
        brokers = self._config.brokers or channel.orderer.kafka_brokers
        wanted = Wanted(channel.channel_id, place.next_offset, channel.orderer.batch_size.absolute_max_bytes)
        self._waiting.add(channel.channel_id)
        log = await KafkaLog.open(wanted, Connecting(self._config, lambda: brokers), self._gauges)
        self._waiting.discard(channel.channel_id)
        return log

    def illness(self) -> str | None:
        """Which channels wait for brokers before they can begin."""
        return f"no brokers to order with yet: {', '.join(sorted(self._waiting))}" if self._waiting else None

    def _on_kafka(self, config: ChannelConfig) -> bool:
        return self._config.always or config.orderer.consensus_type == CONSENSUS_TYPE
