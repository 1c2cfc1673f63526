"""What brokers and ensemble nodes say when they are asked, as any client of theirs would."""

import socket
import time
from collections.abc import Sequence
from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

_SECONDS_MAX: Final = 3.0
_INTERVAL_S: Final = 0.1


def why_no_broker(address: str, brokers: int) -> str:
    """Why a broker does not serve in a cluster of so many; nothing when it does."""
    try:
        _connect(address).close()
        client = KafkaAdminClient(
            bootstrap_servers=address,
            request_timeout_ms=int(_SECONDS_MAX * 1000),
            bootstrap_timeout_ms=int(_SECONDS_MAX * 1000),
        )
        try:
            known = len(client.describe_cluster()["brokers"])
        finally:
            client.close()
    except (OSError, KafkaError) as error:
        return f"{address} does not answer: {error}"
    return f"{address} knows {known} of {brokers} brokers" if known < brokers else ""


def ensemble_mode(address: str) -> str:
    """What an ensemble node is now: standalone, leader, follower; nothing where it does not serve."""
    try:
        with _connect(address) as connection:
            connection.sendall(b"srvr")
            with connection.makefile(encoding="utf-8") as answer:
                return next((line.split()[1] for line in answer if line.startswith("Mode:")), "")
    except OSError:
        return ""


def forgotten(broker: int, ensemble: Sequence[str], seconds_max: float) -> bool:
    """Whether no broker of this number is registered, or is no longer after some seconds."""
    client = KazooClient(hosts=",".join(ensemble), read_only=True)
    try:
        client.start()
        deadline = time.monotonic() + seconds_max
        while registered := client.exists(f"/brokers/ids/{broker}"):
            if time.monotonic() > deadline:
                break
            time.sleep(_INTERVAL_S)
        return not registered
    except (KazooException, KazooTimeoutError):
        return False
    finally:
        client.stop()
        client.close()


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), _SECONDS_MAX)
