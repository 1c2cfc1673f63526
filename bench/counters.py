"""What nodes count themselves, read where an operator reads it: the metrics of their operations ports."""

import asyncio
import http.client
import urllib.request
from collections import Counter
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from deploy.manifest import Network, NodeEntry

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # nodes of this machine, whatever proxy there is
_SECONDS_MAX = 5.0

Counts = Counter[tuple[str, str]]  # by metric, and gRPC service where the metric has one; of all nodes together

_GOT, _SENT = "grpc_server_stream_messages_received", "grpc_server_stream_messages_sent"
_ENDORSER, _BROADCAST = "privysharing_v1_BatchEndorser", "privysharing_v1_BatchBroadcast"
_ITEMS = {
    "proposals": (("endorser_proposals_received", ""), (_GOT, _ENDORSER)),
    "endorsements": (("endorser_proposals_received", ""), (_SENT, _ENDORSER)),
    "envelopes": (("broadcast_processed_count", ""), (_GOT, _BROADCAST)),
    "acknowledgements": (("broadcast_processed_count", ""), (_SENT, _BROADCAST)),
    "pushes": (("privysharing_private_data_pushed", ""), ("gossip_privdata_send_duration_count", "")),
}


async def pages_of(network: Network) -> list[tuple[NodeEntry, str]]:
    """The page of every node, to be read when there is time for it."""
    pages = await asyncio.gather(*(asyncio.to_thread(_page, node) for node in network.nodes))
    return list(zip(network.nodes, pages, strict=True))


async def height_of(peer: NodeEntry) -> int:
    """How many blocks a peer has, of all channels; 0 before it answers."""
    try:
        page = await asyncio.to_thread(_page, peer)
    except (OSError, http.client.HTTPException):
        return 0
    return parse(page, peer.role)["ledger_blockchain_height", ""]


def counted(pages: Iterable[tuple[NodeEntry, str]]) -> Counts:
    """What all nodes had counted up to then."""
    counts: Counts = Counter()
    for node, page in pages:
        counts.update(parse(page, node.role))
    return counts


def parse(page: str, role: str) -> Counts:
    """A page of metrics. The height of a chain counts at peers only."""
    counts: Counts = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name != "ledger_blockchain_height" or role == "peer":
                name = sample.name.removesuffix("_total")  # the parser appends it, Fabric does not
                counts[name, sample.labels.get("service", "")] += int(sample.value)
    return counts


def transactions_per_block(counts: Counts) -> float | None:
    """Of what was counted between two readings; None when there was no block."""
    return _ratio(counts, ("ledger_transaction_count", ""), ("ledger_blockchain_height", ""))


def items_per_message(counts: Counts) -> dict[str, float]:
    """How many calls or answers shared a message of a batch stream; those that none was sent of are left out."""
    ratios = {name: _ratio(counts, items, messages) for name, (items, messages) in _ITEMS.items()}
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def _ratio(counts: Counts, items: tuple[str, str], messages: tuple[str, str]) -> float | None:
    return round(counts[items] / counts[messages], 1) if counts[messages] else None


def _page(node: NodeEntry) -> str:
    with _OPENER.open(f"http://{node.operations_address}/metrics", timeout=_SECONDS_MAX) as answer:
        text: str = answer.read().decode()
    return text
