"""What a broker says before it hangs up is heard, and then that it hung up."""

import socket

import pytest
from kafka.errors import KafkaConnectionError
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from services.orderer.kafka import connecting  # noqa: F401  # which cures the library in this process


@pytest.mark.parametrize("kind", [KafkaTCPTransport, KafkaSSLTransport])
def test_what_came_with_the_end_of_a_connection_comes_before_it(kind: type[KafkaTCPTransport]) -> None:
    broker, ours = socket.socketpair()
    with broker, ours:
        transport = kind.__new__(kind)
        transport._sock = ours
        broker.sendall(b"Authentication failed")
        broker.close()
        assert transport._sock_recv() == (b"Authentication failed", None)
        nothing, end = transport._sock_recv()
        assert nothing == b""
        assert isinstance(end, KafkaConnectionError)
