"""The clients of kafka-python, told what the orderer needs of them."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector

from services.orderer.kafka.config import KafkaConfig
from services.orderer.kafka.lastwords import hear_last_words
from services.orderer.kafka.records import read_all_that_brokers_take

PARTITION = 0
KEY = b"0"  # Fabric's: the partition's number
REQUEST_BYTES = 1024 * 1024  # of records in one request, unless there is but one
FETCH_BYTES = 4 * 1024 * 1024
RECORD_BYTES_MAX = 99 * 1024 * 1024  # consensus/kafka newBrokerConfig: socket.request.max.bytes, less 1 MiB of padding
FETCH_WAIT_MS = 2000  # for brokers to have something: a channel at rest costs them and us a request in so long
RECONNECT_MS_MAX = 1000  # between attempts to reach one broker
_MS = 1000

# The library logs whole records, and every reconnection as an error: what matters is said by whoever uses it.
if (_library := logging.getLogger("kafka")).level == logging.NOTSET:  # else an operator wants to hear it
    _library.setLevel(logging.CRITICAL)

read_all_that_brokers_take()
hear_last_words()


def among_many(_topic: str) -> AbstractContextManager[None]:
    """Where nobody says who makes a topic, all try; one succeeds."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Connecting:
    """Makes clients; each call asks anew which brokers there are. All raise KafkaError."""

    config: KafkaConfig
    brokers: Callable[[], Sequence[str]]
    alone: Callable[[str], AbstractContextManager[None]] = among_many  # held by whoever makes a topic

    def producer(self, *, repeats: bool = True) -> KafkaProducer:
        """Sends records in order, one request at a time, and gives up after DeliveryTimeout.

        `repeats`: what was sent again may be there twice. One that never repeats fails for good when brokers forget it.
        """
        timeout_ms = int(self.config.delivery_timeout_s * _MS)
        return _make(
            KafkaProducer,
            **self._common(),
            acks="all",
            enable_idempotence=not repeats,
            max_in_flight_requests_per_connection=1,
            linger_ms=0,
            batch_size=REQUEST_BYTES,
            max_request_size=RECORD_BYTES_MAX,
            allow_auto_create_topics=False,
            delivery_timeout_ms=timeout_ms,
            max_block_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
            retry_backoff_ms=int(self.config.retry.producer_backoff_s * _MS),
        )

    def consumer(self) -> KafkaConsumer:
        """Reads from the offset that it is told, and from no other."""
        return _make(
            KafkaConsumer,
            **self._common(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            request_timeout_ms=self._read_timeout_ms,
            retry_backoff_ms=int(self.config.retry.metadata_backoff_s * _MS),
        )

    def admin(self) -> KafkaAdminClient:
        """Makes topics, and says how they are."""
        return _make(
            KafkaAdminClient,
            **self._common(),
            request_timeout_ms=self._read_timeout_ms,
            retry_backoff_ms=int(self.config.retry.metadata_backoff_s * _MS),
        )

    @property
    def _read_timeout_ms(self) -> int:
        return int(self.config.retry.read_timeout_s * _MS)

    def _common(self) -> dict[str, Any]:
        config = self.config
        login = config.login
        brokers = list(self.brokers())
        if not brokers:  # ZooKeeper may yet name some
            raise KafkaConnectionError("nobody has named a broker yet")
        return {
            "bootstrap_servers": brokers,
            "bootstrap_timeout_ms": int(config.retry.dial_timeout_s * _MS),
            "reconnect_backoff_max_ms": RECONNECT_MS_MAX,
            "api_version": config.version,
            "client_id": "privysharing-orderer",
            "security_protocol": config.protocol,
            "ssl_context": config.tls,
            "sasl_mechanism": login.mechanism if login else None,
            "sasl_plain_username": login.user if login else None,
            "sasl_plain_password": login.password if login else None,
        }


class _Connections(KafkaConnectionManager):  # type: ignore[misc]  # which has no types
    """Knows why the last connection ended: the library only tells that no broker was reached in time."""

    why: BaseException | None = None

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        connection = super().get_connection(*arguments, **options)
        connection.close_future.add_errback(self._note)
        return connection

    def _note(self, why: BaseException) -> None:
        self.why = why


def _make(kind: Callable[..., Any], **settings: Any) -> Any:
    """A client. What one has opened that finds no broker is closed: the library leaves it, and its thread, behind."""
    opened: list[tuple[KafkaNetClient, _Connections]] = []

    def open_network(**of: Any) -> KafkaNetClient:
        network = NetworkSelector(**of)
        connections = _Connections(network, **of)
        client = KafkaNetClient(network, connections, **of)
        opened.append((client, connections))
        return client

    try:
        return kind(kafka_client=open_network, **settings)
    except BaseException as error:
        for client, _ in opened:
            client.close()
        causes = [connections.why for _, connections in opened if connections.why is not None]
        if causes and isinstance(error, KafkaError):
            raise KafkaConnectionError(f"{error}: {causes[-1]}") from error
        raise
