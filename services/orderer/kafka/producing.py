"""Records to a topic, one batch after the other. Blocks: for a thread of its own."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from services.orderer.kafka.connecting import KEY, PARTITION
from services.orderer.kafka.gauges import Figures

GRACE_S = 1.0  # for the client to say itself that a record's time is over


class Producing:
    """Sends batches of records to one topic, in order."""

    def __init__(self, topic: str, connect: Callable[[], KafkaProducer], timeout_s: float) -> None:
        self._topic = topic
        self._connect = connect
        self._timeout_s = timeout_s
        self._producer: KafkaProducer | None = None

    def send(self, records: Sequence[bytes]) -> list[int | KafkaError]:
        """The offset of each record, once all replicas in sync have it; else what is known of why not.

        A client that has failed is replaced: brokers may be elsewhere by then.
        """
        try:
            if self._producer is None:
                self._producer = self._connect()
            producer = self._producer
            sent = [producer.send(self._topic, record, key=KEY, partition=PARTITION) for record in records]
        except Exception as error:  # also what the library does not foresee: whoever waits is told in any case
            self._drop()
            return [error if isinstance(error, KafkaError) else KafkaError(repr(error))] * len(records)
        deadline = time.monotonic() + self._timeout_s + GRACE_S
        outcomes = [_outcome(future, deadline) for future in sent]
        if any(isinstance(outcome, KafkaError) for outcome in outcomes):
            self._drop()
        return outcomes

    def figures(self) -> Figures:
        """The client's own metrics, by group and name."""
        producer = self._producer
        return producer.metrics() if producer is not None else {}

    def close(self) -> None:
        """Let go of the brokers."""
        self._drop()

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                producer.close(timeout=0)
            except KafkaError:  # not while it has records: it would keep its thread and its connection, and send them
                producer._sender.force_close()


def _outcome(future: Any, deadline: float) -> int | KafkaError:
    try:
        return int(future.get(timeout=max(0.0, deadline - time.monotonic())).offset)
    except KafkaError as error:
        return error
