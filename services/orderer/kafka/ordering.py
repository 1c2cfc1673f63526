"""Which log orders a channel: Kafka's when its newest configuration says so, else the embedded one.

And who else uses it: what ZooKeeper says, where there is one.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.orderers import LiveOrderer
from services.orderer.kafka.aside import Aside
from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.gauges import KafkaGauges
from services.orderer.log import LogPlace, OrderedLog
from services.orderer.log.filelog import open_file_log
from services.runtime.config import ConfigError
from services.runtime.disk import read_whole, write_whole
from services.runtime.metrics import Registry

if TYPE_CHECKING:
    from services.orderer.kafka.ensemble import Ensemble

CONSENSUS_TYPE = "kafka"
TOPIC_ID = "_topic"  # behind a channel's name, which has no underscore: the file that says which topic was its log
LEAVING_S = 1.0  # for the ensemble to take note
ASIDE = ".migrated"  # what the name of a log's folder gets once Kafka has it


class Ordering:
    """Opens the logs of a process's channels."""

    def __init__(self, config: KafkaConfig, registry: Registry, me: LiveOrderer) -> None:
        self._config = config
        self._me = me
        self._ensemble: Ensemble | None = None
        if config.zookeeper.addresses:
            from services.orderer.kafka import ensemble  # only who uses it waits for it to be imported

            self._ensemble = ensemble.Ensemble(config.zookeeper, me, config.protocol)
            self._ensemble.start()
        self._gauges = KafkaGauges(registry, asyncio.get_running_loop().time)
        self._waiting: dict[str, str] = {}  # channels, and for what

    async def open(self, place: LogPlace) -> OrderedLog:
        """See `services.orderer.log.OpenLog`."""
        if not self._on_kafka(place.config):
            aside = place.folder.with_name(place.folder.name + ASIDE)
            if place.disk.exists(aside):
                raise ConfigError(
                    f"channel {place.config.channel_id} was moved to Kafka ({aside} is its embedded log), and "
                    "privysharing.Ordering does not say kafka"
                )
            return await open_file_log(place)
        from services.orderer.kafka.connecting import (
            Connecting,
            among_many,
        )  # Kafka's client takes a third of a second to import
        from services.orderer.kafka.kafkalog import KafkaLog, Wanted

        channel = place.config
        if place.disk.exists(place.folder):
            raise ConfigError(
                f"channel {channel.channel_id} is to be ordered by Kafka, and {place.folder} holds its embedded log; "
                "copy it first: privy orderer migrate orderer.yaml"
            )
        named = self._config.brokers or channel.orderer.kafka_brokers
        ensemble = self._ensemble
        if ensemble is not None:
            ensemble.contend(channel.channel_id)
        known = place.folder.with_name(place.folder.name + TOPIC_ID)
        wanted = Wanted(
            channel.channel_id,
            place.next_offset,
            channel.orderer.batch_size.absolute_max_bytes,
            read_whole(place.disk, known).decode() if place.disk.exists(known) else None,
        )
        connecting = Connecting(
            self._config,
            brokers=lambda: list(dict.fromkeys((*named, *(ensemble.brokers() if ensemble else ())))),
            alone=ensemble.alone if ensemble else among_many,
        )

        def tell(why: str) -> None:
            self._waiting[channel.channel_id] = why

        tell("nobody has answered")
        try:
            log = await KafkaLog.open(wanted, connecting, self._gauges, tell)
        finally:
            del self._waiting[channel.channel_id]
        if wanted.topic_id is None and log.topic_id is not None:
            place.disk.make_folder(known.parent)
            write_whole(place.disk, known, log.topic_id.encode())
        return log

    def live(self) -> Sequence[LiveOrderer]:
        """See `Neighbours.live`."""
        return self._ensemble.live() if self._ensemble else (self._me,)

    def leads(self, channel_id: str) -> bool:
        """See `Neighbours.leads`."""
        return self._ensemble is None or self._ensemble.leads(channel_id)

    async def close(self) -> None:
        """Leave: the others know it at once."""
        if self._ensemble is not None:
            aside = Aside("leave")
            with contextlib.suppress(TimeoutError):  # its session ends by itself
                await asyncio.wait_for(aside.do(self._ensemble.stop), LEAVING_S)
            aside.close()

    def illness(self) -> str | None:
        """Which channels wait for brokers before they can begin."""
        waiting = ", ".join(f"{channel_id} ({why})" for channel_id, why in sorted(self._waiting.items()))
        return f"no brokers to order with yet: {waiting}" if waiting else None

    def _on_kafka(self, config: ChannelConfig) -> bool:
        return self._config.always or config.orderer.consensus_type == CONSENSUS_TYPE
