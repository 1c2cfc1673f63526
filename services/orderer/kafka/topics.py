"""A channel's topic: made once, and looked at from then on, since a log that was lost must not be gone on with."""

import logging
from dataclasses import dataclass

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import LeaderNotAvailableError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.connecting import PARTITION
from services.orderer.log import REMEDY, LostRecords

RECORD_PADDING = 1024 * 1024  # what a record has around its envelope, generously

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """A topic as its brokers describe it. `start` and `end`: offsets of the oldest record, and behind the newest."""

    id: str | None  # changes when it is deleted and made again; None when the brokers are too old to have ids
    start: int
    end: int
    replicas: int
    in_sync: int

    def illness(self, needed: int) -> str | None:
        """Why it takes no records."""
        if self.in_sync >= min(needed, self.replicas):
            return None
        return f"{self.in_sync} of {self.replicas} replicas are in sync, and {needed} have to be"


def survey(admin: KafkaAdminClient, name: str) -> Survey | None:
    """How a topic is; None if the brokers know of none. Raises KafkaError."""
    topic = admin.describe_topics([name])[0]
    failure = for_code(topic["error_code"])
    if failure is UnknownTopicOrPartitionError:
        return None
    if topic["error_code"]:
        raise failure(name)
    partition = next((each for each in topic["partitions"] if each["partition_index"] == PARTITION), None)
    if partition is None or partition["leader_id"] < 0:
        raise LeaderNotAvailableError(f"partition {PARTITION} of topic {name} has no leader")
    place = TopicPartition(name, PARTITION)
    start, end = (
        admin.list_partition_offsets({place: spec})[place].offset for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
    )
    return Survey(topic["topic_id"], start, end, len(partition["replica_nodes"]), len(partition["isr_nodes"]))


def make(admin: KafkaAdminClient, name: str, config: KafkaConfig, envelope_bytes_max: int) -> Survey | None:
    """Make a topic that keeps everything, and never elects a leader who lacks some of it; see how it is.

    Raises KafkaError.
    """
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(config.in_sync_replicas),
        "unclean.leader.election.enable": "false",
        "max.message.bytes": str(envelope_bytes_max + RECORD_PADDING),
        "compression.type": "uncompressed",  # whatever codec a stranger may use, every orderer can read it
    }
    wanted = {"num_partitions": 1, "replication_factor": config.replication_factor, "configs": settings}
    try:
        admin.create_topics({name: wanted}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        _log.info("another orderer made the topic", extra={"topic": name})
    else:
        _log.info("topic made", extra={"topic": name, "replicas": config.replication_factor})
    return survey(admin, name)


def begun_anew(name: str, offset: int, newest: int) -> LostRecords:
    """What it means that a topic gives a record an offset that is not behind those that it gave before."""
    return LostRecords(f"topic {name} put a record at offset {offset} after it had taken one at {newest}; {REMEDY}")


def check(name: str, found: Survey | None, known_id: str | None, needed: int) -> None:
    """Refuse a topic that is not the one that a chain was made from, up to offset `needed`. Raises LostRecords."""
    if found is None:
        raise LostRecords(f"the brokers have no topic {name}; blocks were made from one; {REMEDY}")
    if known_id is not None and found.id is not None and found.id != known_id:
        raise LostRecords(f"topic {name} was deleted and made again; {REMEDY}")
    if found.end < needed:
        raise LostRecords(f"topic {name} ends at offset {found.end}, and records up to {needed} were read; {REMEDY}")
