"""What Fabric's Kafka orderers show of their traffic with brokers, out of what kafka-python measures; and replicas.

Rates are a second's, over the library's window of a minute; several clients talk to one broker, so rates are summed and
means weighted by requests.
"""

import math
from collections.abc import Callable, Iterable, Mapping

from services.runtime.metrics import Family, Gauge, Registry

LOOK_EVERY_S = 1.0  # consensus/kafka: the interval at which Fabric asks sarama

Figures = Mapping[str, Mapping[str, float]]
"""Metrics of one client, by group and name."""

_NODE = "-node-metrics.node-"
_PRODUCER = "producer-metrics"
_TOPIC = "producer-topic-metrics."


class KafkaGauges:
    """One set a process. On the event loop only."""

    def __init__(self, registry: Registry, now: Callable[[], float]) -> None:
        def family(name: str, about: str, label: str) -> Family[Gauge]:
            return registry.gauge(f"consensus_kafka_{name}", about, [label])

        broker = "broker_id"
        self._rates = {
            "incoming-byte-rate": family("incoming_byte_rate", "Bytes/second read off brokers.", broker),
            "outgoing-byte-rate": family("outgoing_byte_rate", "Bytes/second written to brokers.", broker),
            "request-rate": family("request_rate", "Requests/second sent to brokers.", broker),
            "response-rate": family("response_rate", "Requests/second sent to brokers.", broker),
        }
        self._means = {
            "request-size-avg": family("request_size", "The mean request size in bytes to brokers.", broker),
            "request-latency-avg": family("request_latency", "The mean request latency in ms to brokers.", broker),
        }
        self._response_size = family("response_size", "The mean response size in bytes from brokers.", broker)
        self._batch_size = family("batch_size", "The mean batch size in bytes sent to topics.", "topic")
        self._send_rate = family("record_send_rate", "The number of records per second sent to topics.", "topic")
        self._per_request = family(
            "records_per_request", "The mean number of records sent per request to topics.", "topic"
        )
        self._compression = family(
            "compression_ratio", "The mean compression ratio (as percentage) for topics.", "topic"
        )
        self._replicas = registry.gauge(
            "privysharing_kafka_replicas", "Replicas that a channel's topic is to have.", ["channel"]
        )
        self._in_sync = registry.gauge(
            "privysharing_kafka_replicas_in_sync",
            "Those that have everything acknowledged, when last looked.",
            ["channel"],
        )
        self._now = now
        self._looked: dict[str, float] = {}
        self._clients: dict[tuple[str, int], Figures] = {}

    def show_replicas(self, topic: str, replicas: int, in_sync: int) -> None:
        """Show how safe a topic's records are."""
        self._replicas.of(topic).set(replicas)
        self._in_sync.of(topic).set(in_sync)

    def look(self, topic: str, *clients: Callable[[], Figures]) -> None:
        """Show what the clients of a topic have measured, unless that was done just now."""
        if self._now() - self._looked.get(topic, -math.inf) < LOOK_EVERY_S:
            return
        self._looked[topic] = self._now()
        for place, figures in enumerate(clients):
            self._clients[topic, place] = figures()
        self._show_brokers()
        for place in range(len(clients)):
            self._show_topic(topic, self._clients[topic, place])

    def _show_brokers(self) -> None:
        by_broker: dict[str, list[Mapping[str, float]]] = {}
        for figures in self._clients.values():
            for group, values in figures.items():
                _, found, broker = group.partition(_NODE)
                if found and broker.isdecimal():  # before its id is known, a broker is called by another name
                    by_broker.setdefault(broker, []).append(values)
        for broker, measured in by_broker.items():
            for name, family in self._rates.items():
                family.of(broker).set(sum(_number(values, name) for values in measured))
            for name, family in self._means.items():
                family.of(broker).set(_mean((_number(each, "request-rate"), _number(each, name)) for each in measured))
            received = sum(_number(values, "incoming-byte-rate") for values in measured)
            answers = sum(_number(values, "response-rate") for values in measured)
            self._response_size.of(broker).set(received / answers if answers else 0.0)

    def _show_topic(self, topic: str, figures: Figures) -> None:
        own, sent = figures.get(_PRODUCER), figures.get(_TOPIC + topic)
        if own is None or sent is None:
            return
        self._batch_size.of(topic).set(_number(own, "batch-size-avg"))
        self._per_request.of(topic).set(_number(own, "records-per-request-avg"))
        self._send_rate.of(topic).set(_number(sent, "record-send-rate"))
        self._compression.of(topic).set(100 * _number(sent, "compression-rate"))


def _number(values: Mapping[str, float], name: str) -> float:
    value = values.get(name, 0.0)
    return value if math.isfinite(value) else 0.0


def _mean(weighted: Iterable[tuple[float, float]]) -> float:
    pairs = list(weighted)
    total = sum(weight for weight, _ in pairs)
    return sum(weight * value for weight, value in pairs) / total if total else 0.0
