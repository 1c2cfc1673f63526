"""The peer's own metrics, under Fabric's names."""

from dataclasses import dataclass
from typing import Self

from services.runtime.metrics import Counter, Family, Gauge, Histogram, Registry

# core/ledger/kvledger/metrics.go
COMMIT_BUCKETS = (0.005, 0.01, 0.015, 0.05, 0.1, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class LedgerMetrics:
    """core/ledger/kvledger, common/ledger/blkstorage, and gossip/state, which commits blocks in Fabric.

    Ours has no gossip: its figures are those of the steps that do the same here. Validation reads a block, verifies its
    signatures and judges it; judging alone, which finds the reads that are still current, is the ledger's processing;
    a block is committed with private data by appending it. The commit as a whole is all that and the search for
    private data, without the waiting for the blocks before it.
    """

    height: Family[Gauge]
    processing_time: Family[Histogram]
    block_file_time: Family[Histogram]
    block_and_private_time: Family[Histogram]
    state_time: Family[Histogram]
    transactions: Family[Counter]
    state_height: Family[Gauge]
    waiting: Family[Gauge]
    commit_time: Family[Histogram]
    append_time: Family[Histogram]
    validation_time: Family[Histogram]
    stopped: Family[Gauge]  # ours
    witnesses: Family[Gauge]  # ours

    def set_height(self, channel_id: str, height: int) -> None:
        """What is stored is also what can be read."""
        self.height.of(channel_id).set(height)
        self.state_height.of(channel_id).set(height)

    @classmethod
    def register(cls, registry: Registry) -> Self:
        """All of them, in a process' registry."""
        channel = ["channel"]

        def seconds(name: str, about: str) -> Family[Histogram]:
            return registry.histogram(name, about, channel, COMMIT_BUCKETS)

        return cls(
            registry.gauge("ledger_blockchain_height", "Height of the chain in blocks.", channel),
            seconds("ledger_block_processing_time", "Time taken in seconds for ledger block processing."),
            seconds("ledger_blockstorage_commit_time", "Time taken in seconds for committing the block to storage."),
            seconds(
                "ledger_blockstorage_and_pvtdata_commit_time",
                "Time taken in seconds for committing the block and private data to storage.",
            ),
            seconds("ledger_statedb_commit_time", "Time taken in seconds for committing block changes to state db."),
            registry.counter(
                "ledger_transaction_count",
                "Number of transactions processed.",
                ["channel", "transaction_type", "chaincode", "validation_code"],
            ),
            registry.gauge("gossip_state_height", "Current ledger height", channel),
            registry.gauge(
                "gossip_payload_buffer_size", "Blocks that have come and wait to be verified or stored", channel
            ),
            registry.histogram("gossip_state_commit_duration", "Time it takes to commit a block in seconds", channel),
            registry.histogram(
                "gossip_privdata_commit_block_duration",
                "Time it takes to commit private data and the corresponding block (in seconds)",
                channel,
            ),
            registry.histogram(
                "gossip_privdata_validation_duration", "Time it takes to validate a block (in seconds)", channel
            ),
            registry.gauge(
                "privysharing_channel_stopped", "1 once nothing is committed any more: a fork, or no verdict", channel
            ),
            registry.gauge(
                "privysharing_channel_witnesses",
                "Orderers and peers of others whose blocks are compared with ours at present, and found equal",
                channel,
            ),
        )


@dataclass(frozen=True, slots=True)
class DeliverMetrics:
    """common/deliver."""

    streams_opened: Family[Counter]
    streams_closed: Family[Counter]
    requests_received: Family[Counter]
    requests_completed: Family[Counter]
    blocks_sent: Family[Counter]

    @classmethod
    def register(cls, registry: Registry) -> Self:
        """All of them, in a process' registry."""
        labels = ["channel", "filtered", "data_type"]
        opened = "The number of GRPC streams that have been opened for the deliver service."
        closed = "The number of GRPC streams that have been closed for the deliver service."
        received = "The number of deliver requests that have been received."
        completed = "The number of deliver requests that have been completed."
        sent = "The number of blocks sent by the deliver service."
        return cls(
            registry.counter("deliver_streams_opened", opened),
            registry.counter("deliver_streams_closed", closed),
            registry.counter("deliver_requests_received", received, labels),
            registry.counter("deliver_requests_completed", completed, [*labels, "success"]),
            registry.counter("deliver_blocks_sent", sent, labels),
        )
