"""Metrics of private data between peers: Fabric's names where it has them (gossip/metrics)."""

from dataclasses import dataclass
from typing import Final, Self

from services.peer.private_data.store import PrivateStore
from services.peer.private_data.transient import WAITING_BYTES_MAX
from services.runtime.metrics import Counter, Family, Gauge, Histogram, Registry

REASON_LOGGED_MAX: Final = 300  # characters of a text that somebody else has a hand in


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
    transient_transactions: Family[Gauge]
    transient_bytes: Family[Gauge]
    transient_bytes_max: Family[Gauge]
    purges: Family[Gauge]
    erasures: Family[Counter]

    def follow(self, channel_id: str, store: PrivateStore) -> None:
        """Show of a channel's store what it holds whenever somebody looks."""
        self.transient_transactions.of(channel_id).set_function(lambda: store.transient.waiting)
        self.transient_bytes.of(channel_id).set_function(lambda: store.transient.waiting_bytes)
        self.transient_bytes_max.of(channel_id).set(WAITING_BYTES_MAX)
        self.purges.of(channel_id).set_function(lambda: store.waiting_purges)
        self.erasures.of(channel_id)  # from now on there is a 0 that it grows from

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
            registry.gauge(
                "privysharing_transient_store_transactions",
                "Transactions whose private data waits here for their commit",
                channel,
            ),
            registry.gauge("privysharing_transient_store_bytes", "Bytes of private data that waits so", channel),
            registry.gauge(
                "privysharing_transient_store_bytes_max",
                "Bytes beyond which this peer endorses no private data and takes none from others",
                channel,
            ),
            registry.gauge(
                "privysharing_private_data_purges_waiting", "Purged keys that have not left this peer's files", channel
            ),
            registry.counter(
                "privysharing_private_data_erasures", "Times that everything purged has left this peer's files", channel
            ),
        )
