"""What the dashboard shows. Every metric is one of `/metrics`; `docs/operations.md` says what is worth a look when."""

from dataclasses import dataclass
from typing import Final

NODES: Final = 'network="$network",instance=~"$node"'
CHANNELS: Final = f'{NODES},channel=~"$channel"'
RATE: Final = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and what its series are called."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Something to look at. Units are Grafana's; `steps` are values from which on it is (colour)."""

    title: str
    about: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8  # of 24
    steps: tuple[tuple[float | None, str], ...] = ()
    mappings: tuple[tuple[str, str, str], ...] = ()  # value, what to show instead, colour


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]
    height: int = 8


def quantile(q: float, metric: str, by: str, where: str = CHANNELS) -> str:
    """A quantile of a histogram, in seconds."""
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({metric}_bucket{{{where}}}[{RATE}])))"


def rate(metric: str, by: str, where: str = CHANNELS) -> str:
    """How much a counter grows in a second."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[{RATE}]))"


_WELL: Final = ((None, "red"), (1.0, "green"))
_NONE_IS_WELL: Final = ((None, "green"), (1.0, "red"))
_TIPS: Final = 'max by (channel) (ledger_blockchain_height{network="$network",channel=~"$channel"})'
_YES: Final = (("0", "no", "red"), ("1", "yes", "green"))

GLANCE: Final = Row(
    "At a glance",
    (
        Panel(
            "Nodes that answer",
            "Of all that Prometheus knows of.",
            (
                Query(
                    'sum(up{job="privysharing",network="$network"}) / count(up{job="privysharing",network="$network"})',
                    "",
                ),
            ),
            "stat",
            "percentunit",
            4,
            _WELL,
        ),
        Panel(
            "Components that are not well",
            "As /healthz of each node says: channels, ordering, disk.",
            (Query('count(privysharing_component_healthy{network="$network"} == 0) or vector(0)', ""),),
            "stat",
            width=4,
            steps=_NONE_IS_WELL,
        ),
        Panel(
            "Channels stopped",
            "A fork, or no verdict: nothing is committed there until an operator has looked.",
            (Query('sum(privysharing_channel_stopped{network="$network"})', ""),),
            "stat",
            width=4,
            steps=_NONE_IS_WELL,
        ),
        Panel(
            "Committed a second",
            "Valid transactions, as the fastest peer of each channel commits them.",
            (
                Query(
                    "sum(max by (channel) (sum by (channel, instance) (rate(ledger_transaction_count{"
                    f'network="$network",channel=~"$channel",validation_code="VALID"}}[{RATE}]))))',
                    "",
                ),
            ),
            "stat",
            "short",
            4,
        ),
        Panel(
            "Blocks behind",
            "How many the last of all peers lacks.",
            (
                Query(
                    f"max({_TIPS} - on (channel) group_right () "
                    'ledger_blockchain_height{network="$network",channel=~"$channel",role="peer"})',
                    "",
                ),
            ),
            "stat",
            width=4,
            steps=((None, "green"), (20.0, "orange"), (200.0, "red")),
        ),
        Panel(
            "First certificate ends in",
            "Of all that nodes show: signing, tls, client.",
            (Query('min(privysharing_certificate_expiry_timestamp_seconds{network="$network"}) - time()', ""),),
            "stat",
            "s",
            4,
            ((None, "red"), (3 * 86400.0, "orange"), (30 * 86400.0, "green")),
        ),
    ),
    4,
)

ALERTS: Final = Row(
    "Alerts",
    (
        Panel(
            "Firing and pending",
            "Each has a section in docs/operations.md that says what to do.",
            (Query('ALERTS{network="$network"}', "{{alertname}} {{instance}} {{channel}} ({{alertstate}})"),),
            "timeseries",
            width=12,
        ),
        Panel(
            "Well",
            "By node and component, over time.",
            (Query(f"privysharing_component_healthy{{{NODES}}}", "{{instance}} {{component}}"),),
            "state-timeline",
            width=12,
            mappings=_YES,
        ),
    ),
)

TRANSACTIONS: Final = Row(
    "Transactions",
    (
        Panel(
            "Verdicts a second",
            "What became of transactions, by validation code, at one peer of each channel: all come to the same.",
            (
                Query(
                    "max by (channel, validation_code) "
                    f"({rate('ledger_transaction_count', 'channel, validation_code, instance')})",
                    "{{channel}} {{validation_code}}",
                ),
            ),
        ),
        Panel(
            "Answers to clients a second",
            "What orderers said of envelopes, by status.",
            (Query(rate("broadcast_processed_count", "channel, status"), "{{channel}} {{status}}"),),
        ),
        Panel(
            "Proposals a second",
            "What peers were asked, and how much of that they endorsed.",
            (
                Query(rate("endorser_proposals_received", "instance", NODES), "{{instance}} received"),
                Query(rate("endorser_successful_proposals", "instance", NODES), "{{instance}} successful"),
            ),
        ),
        Panel(
            "Time to endorse",
            "A proposal at a peer, from its turn in the line to the signature.",
            (
                Query(quantile(0.5, "endorser_proposal_duration", "chaincode"), "{{chaincode}} median"),
                Query(quantile(0.95, "endorser_proposal_duration", "chaincode"), "{{chaincode}} 95 %"),
            ),
            unit="s",
        ),
        Panel(
            "Time to order",
            "Until an envelope is durable in the ordering log, and from the first of a block until it is cut.",
            (
                Query(quantile(0.95, "broadcast_enqueue_duration", "channel"), "{{channel}} durable, 95 %"),
                Query(quantile(0.95, "blockcutter_block_fill_duration", "channel"), "{{channel}} cut, 95 %"),
            ),
            unit="s",
        ),
        Panel(
            "Time to commit",
            "A block at a peer: judging it, appending it, and writing the state.",
            (
                Query(quantile(0.95, "gossip_privdata_validation_duration", "channel"), "{{channel}} judged, 95 %"),
                Query(quantile(0.95, "ledger_blockstorage_commit_time", "channel"), "{{channel}} appended, 95 %"),
                Query(quantile(0.95, "ledger_statedb_commit_time", "channel"), "{{channel}} state, 95 %"),
            ),
            unit="s",
        ),
    ),
)

LEDGERS: Final = Row(
    "Ledgers",
    (
        Panel(
            "Height",
            "Of each node's chain.",
            (Query(f"ledger_blockchain_height{{{CHANNELS}}}", "{{instance}} {{channel}}"),),
        ),
        Panel(
            "Blocks behind",
            "What each peer lacks of the longest chain. Nodes are asked one after another: under load some is normal.",
            (
                Query(
                    f'{_TIPS} - on (channel) group_right () ledger_blockchain_height{{{CHANNELS},role="peer"}}',
                    "{{instance}} {{channel}}",
                ),
            ),
        ),
        Panel(
            "Transactions in a block",
            "On average.",
            (
                Query(
                    f"{rate('ledger_transaction_count', 'instance, channel')}"
                    f" / {rate('ledger_block_processing_time_count', 'instance, channel')}",
                    "{{instance}} {{channel}}",
                ),
            ),
        ),
        Panel(
            "Witnesses",
            "Nodes of other organisations whose blocks are compared with a peer's, and equal.",
            (Query(f"privysharing_channel_witnesses{{{CHANNELS}}}", "{{instance}} {{channel}}"),),
        ),
        Panel(
            "Records that came to nothing",
            "Of the ordering log, by reason. Some are everyday life, such as a second wish to cut.",
            (Query(rate("privysharing_orderer_records_skipped", "channel, reason"), "{{channel}} {{reason}}"),),
        ),
    ),
)

PRIVATE_DATA: Final = Row(
    "Private data",
    (
        Panel(
            "Missing",
            "Sets that a peer should hold and does not have yet; it asks others for them again and again.",
            (Query(f"privysharing_private_data_missing{{{CHANNELS}}}", "{{instance}} {{channel}}"),),
        ),
        Panel(
            "Pushed a second",
            "Transactions whose private data endorsers gave to other members' peers, by what became of it.",
            (Query(rate("privysharing_private_data_pushed", "instance, channel, result"), "{{instance}} {{result}}"),),
        ),
        Panel(
            "Time to push",
            "Until another member's peer has it on its disk: endorsements wait for that.",
            (Query(quantile(0.95, "gossip_privdata_send_duration", "instance"), "{{instance}} 95 %"),),
            unit="s",
        ),
        Panel(
            "Waiting for its commit",
            "Private data of transactions that are endorsed, and the limit, beyond which none is endorsed any more.",
            (
                Query(f"privysharing_transient_store_bytes{{{CHANNELS}}}", "{{instance}} {{channel}}"),
                Query(f"max(privysharing_transient_store_bytes_max{{{CHANNELS}}})", "limit"),
            ),
            unit="bytes",
        ),
        Panel(
            "Purged and still in files",
            "Values that are to leave a peer's files, which takes seconds.",
            (Query(f"privysharing_private_data_purges_waiting{{{CHANNELS}}}", "{{instance}} {{channel}}"),),
        ),
        Panel(
            "Wrong private data",
            "How often an organisation's peers served what the channel did not agree on, since each peer's start.",
            (Query(f"privysharing_private_data_wrong{{{CHANNELS}}}", "{{instance}} from {{organisation}}"),),
        ),
    ),
)

MACHINES: Final = Row(
    "Machines",
    (
        Panel(
            "Left on the disk",
            "And the watermark, below which a node takes no new work.",
            (
                Query(f"privysharing_disk_free_bytes{{{NODES}}}", "{{instance}}"),
                Query(f"max(privysharing_disk_watermark_bytes{{{NODES}}})", "watermark"),
            ),
            unit="bytes",
        ),
        Panel(
            "Processor",
            "1 is one core.",
            (Query(rate("process_cpu_seconds_total", "instance", NODES), "{{instance}}"),),
        ),
        Panel(
            "Memory",
            "What processes hold.",
            (Query(f"process_resident_memory_bytes{{{NODES}}}", "{{instance}}"),),
            unit="bytes",
        ),
        Panel(
            "Open files",
            "Connections are files, too. 1 is all that a process may open.",
            (Query(f"process_open_fds{{{NODES}}} / process_max_fds{{{NODES}}}", "{{instance}}"),),
            unit="percentunit",
        ),
        Panel(
            "Clocks",
            "How far each node's is from Prometheus'.",
            (
                Query(
                    f"privysharing_clock_timestamp_seconds{{{NODES}}}"
                    f" - timestamp(privysharing_clock_timestamp_seconds{{{NODES}}})",
                    "{{instance}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "Lines of log a second",
            "By level: many warnings or errors are a reason to read them.",
            (Query(rate("logging_entries_written", "instance, level", NODES), "{{instance}} {{level}}"),),
        ),
        Panel(
            "Calls a second",
            "By method and what they ended with.",
            (
                Query(
                    rate("grpc_server_unary_requests_completed", "service, method, code", NODES),
                    "{{service}}/{{method}} {{code}}",
                ),
                Query(
                    rate("grpc_server_stream_requests_completed", "service, method, code", NODES),
                    "{{service}}/{{method}} {{code}}",
                ),
            ),
            width=24,
        ),
    ),
)

BROKERS: Final = Row(
    "Brokers, where the ordering log is on Kafka",
    (
        Panel(
            "Time that brokers take",
            "For a request of an orderer, on average over a minute. One for records yet to come waits: 2 s at most.",
            (Query(f"consensus_kafka_request_latency{{{NODES}}}", "{{instance}}, broker {{broker_id}}"),),
            unit="ms",
        ),
        Panel(
            "Records a second",
            "What orderers write to topics: transactions, and wishes to cut.",
            (Query(f"consensus_kafka_record_send_rate{{{NODES}}}", "{{instance}} {{topic}}"),),
        ),
        Panel(
            "Bytes a second",
            "Between orderers and brokers.",
            (
                Query(f"consensus_kafka_incoming_byte_rate{{{NODES}}}", "{{instance}} reads, broker {{broker_id}}"),
                Query(f"consensus_kafka_outgoing_byte_rate{{{NODES}}}", "{{instance}} writes, broker {{broker_id}}"),
            ),
            unit="Bps",
        ),
        Panel(
            "Replicas in sync",
            "Of each channel's topic, as orderers see it; and how many there are to be.",
            (
                Query(f"privysharing_kafka_replicas_in_sync{{{CHANNELS}}}", "{{instance}} {{channel}}"),
                Query(f"max by (channel) (privysharing_kafka_replicas{{{CHANNELS}}})", "{{channel}}, all"),
            ),
        ),
    ),
)

ROWS: Final = (GLANCE, ALERTS, TRANSACTIONS, LEDGERS, PRIVATE_DATA, MACHINES, BROKERS)
