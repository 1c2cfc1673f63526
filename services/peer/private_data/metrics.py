"""Metrics of private data between peers: Fabric's names where it has them (gossip/metrics)."""

from dataclasses import dataclass
from typing import Self

from services.runtime.metrics import Counter, Family, Gauge, Histogram, Registry


@dataclass(frozen=True, slots=True)
class ExchangeMetrics:
    """What is sent, fetched, refused and missing."""

    send: Family[Histogram]
    fetch: Family[Histogram]
    pull: Family[Histogram]
    reconciliation: Family[Histogram]
    missing: Family[Gauge]  # ours, as all that follow
    pushed: Family[Counter]
    served: Family[Counter]
    refused: Family[Counter]
    wrong: Family[Counter]

    @classmethod
    def register(cls, registry: Registry) -> Self:
        """All of them, in a process' registry."""
        channel = ["channel"]
        return cls(
            registry.histogram(
                "gossip_privdata_send_duration", "Time it takes to push private data to a peer (in seconds)", channel
            ),
            registry.histogram(
                "gossip_privdata_fetch_duration",
                "Time it takes to find the private data of a block that is to be committed (in seconds)",
                channel,
            ),
            registry.histogram(
                "gossip_privdata_pull_duration", "Time it takes to pull private data from a peer (in seconds)", channel
            ),
            registry.histogram(
                "gossip_privdata_reconciliation_duration", "Time it takes for reconciliation (in seconds)", channel
            ),
            registry.gauge(
                "privysharing_private_data_missing", "Private sets that this peer should hold and does not", channel
            ),
            registry.counter(
                "privysharing_private_data_pushed",
                "Transactions whose private data was pushed to a peer, by what became of it",
                [*channel, "result"],
            ),
            registry.counter(
                "privysharing_private_data_served", "Requests of other peers that were answered", [*channel, "ask"]
            ),
            registry.counter(
                "privysharing_private_data_refused", "Requests that were refused, by reason", ["ask", "reason"]
            ),
            registry.counter(
                "privysharing_private_data_wrong",
                "Peers that served private data which is not what the channel agreed on",
                [*channel, "organisation"],
            ),
        )
