"""What the ordering service counts: Fabric's names and labels, and one of ours."""

from services.runtime.metrics import Registry

# orderer/common/multichannel: what this orderer is to a channel, and how it is doing there
RELATION_CONSENTER = 1
STATUS_INACTIVE = 0
STATUS_ACTIVE = 1
STATUS_ONBOARDING = 2
STATUS_FAILED = 3


class OrdererMetrics:
    """Every figure of the service, by the room that keeps it."""

    def __init__(self, registry: Registry) -> None:
        answer = ["channel", "type", "status"]
        self.validate_duration = registry.histogram(
            "broadcast_validate_duration", "The time to validate a transaction in seconds.", answer
        )
        self.enqueue_duration = registry.histogram(
            "broadcast_enqueue_duration", "The time to enqueue a transaction in seconds.", answer
        )
        self.processed = registry.counter("broadcast_processed_count", "The number of transactions processed.", answer)

        self.fill_duration = registry.histogram(
            "blockcutter_block_fill_duration",
            "The time from first transaction enqueing to the block being cut in seconds.",
            ["channel"],
        )
        self.last_offset = registry.gauge(
            "consensus_kafka_last_offset_persisted",
            "The offset specified in the block metadata of the most recently committed block.",
            ["channel"],
        )
        self.skipped = registry.counter(
            "privysharing_orderer_records_skipped",
            "The number of records of the ordering log that came to nothing.",
            ["channel", "reason"],
        )

        self.height = registry.gauge("ledger_blockchain_height", "Height of the chain in blocks.", ["channel"])
        self.commit_time = registry.histogram(
            "ledger_blockstorage_commit_time",
            "Time taken in seconds for committing the block to storage.",
            ["channel"],
            (0.005, 0.01, 0.015, 0.05, 0.1, 1.0, 10.0),
        )
        self.relation = registry.gauge(
            "participation_consensus_relation",
            "The channel participation consensus relation of the node: 0 if other, 1 if consenter, 2 if follower, "
            "3 if config-tracker.",
            ["channel"],
        )
        self.status = registry.gauge(
            "participation_status",
            "The channel participation status of the node: 0 if inactive, 1 if active, 2 if onboarding, 3 if failed.",
            ["channel"],
        )

        blocks = ["channel", "filtered", "data_type"]
        self.streams_opened = registry.counter("deliver_streams_opened", "The number of deliver streams opened.")
        self.streams_closed = registry.counter("deliver_streams_closed", "The number of deliver streams closed.")
        self.requests_received = registry.counter(
            "deliver_requests_received", "The number of deliver requests that have been received.", blocks
        )
        self.requests_completed = registry.counter(
            "deliver_requests_completed",
            "The number of deliver requests that have been completed.",
            [*blocks, "success"],
        )
        self.blocks_sent = registry.counter(
            "deliver_blocks_sent", "The number of blocks sent by the deliver service.", blocks
        )
