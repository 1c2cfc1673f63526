"""Records of an ordering log, and a block's place in it: what orderers that share a log must agree on.

The log is Kafka's topic of Fabric's orderers up to 2.5, whatever stores it here.
"""

from dataclasses import dataclass
from enum import IntEnum

from privysharing.protocol.values import value


class RecordClass(IntEnum):
    """orderer.KafkaMessageRegular.Class."""

    UNKNOWN = 0  # from orderers before 1.1
    NORMAL = 1
    CONFIG = 2


@value
class Regular:
    """orderer.KafkaMessageRegular: an envelope to be ordered.

    `config_sequence` is that of the configuration under which it was admitted. `original_offset` is where it stood
    when it had to be submitted again, 0 if it never had to: so no Regular may stand at offset 0.
    """

    envelope: bytes
    config_sequence: int
    kind: RecordClass
    original_offset: int = 0


@dataclass(frozen=True, slots=True)
class TimeToCut:
    """orderer.KafkaMessageTimeToCut: the wait for this block is over."""

    block_number: int


@dataclass(frozen=True, slots=True)
class Connect:
    """orderer.KafkaMessageConnect: takes up offset 0, and means nothing."""


Record = Regular | TimeToCut | Connect


@dataclass(frozen=True, slots=True)
class LogPosition:
    """orderer.KafkaMetadata: where a block ends in the log, and what has been settled up to there."""

    last_offset: int  # of the last record that this block has dealt with
    last_original_offset: int = 0  # the highest original offset among resubmitted records dealt with
    last_resubmitted_config: int = 0  # where the last configuration stood that had to be submitted again


START = LogPosition(-1)  # before the first record
