"""The library, cured of not listening to brokers that hang up.

What came together with the end of a connection it throws away: mostly why a broker lets nobody in, which then sounds
like any broken connection.
"""

from collections.abc import Callable
from typing import Any

from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

Received = tuple[bytes, BaseException | None]  # what came, and what ended the connection, if something did


def hear_last_words() -> None:
    """Have the library listen first, in this process."""
    for transport in (KafkaTCPTransport, KafkaSSLTransport):
        transport._sock_recv = _words_first(transport._sock_recv)


def _words_first(receive: Callable[[Any], Received]) -> Callable[[Any], Received]:
    def received(transport: Any) -> Received:
        data, end = receive(transport)
        return data, None if data else end  # an end is there to be met again

    return received
