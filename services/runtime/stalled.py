"""Answers that their clients do not take.

gRPC holds an answer until its client has room for it, for ever if need be, and has no way to give up a single stream
from this side. So the connection is closed below it, which ends whatever else the client does on it, too.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

OPEN_FILES = Path("/dev/fd")

_log = logging.getLogger(__name__)


class Stalled:
    """Every answer that waits for its client, oldest first; on the event loop only."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._waiting: dict[object, tuple[float, str]] = {}  # since when, and for which peer
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, peer: str) -> object:
        """An answer to a peer of gRPC's is handed over; what comes back is for `end`."""
        loop = asyncio.get_running_loop()
        token = object()
        self._waiting[token] = (loop.time(), peer)
        if self._timer is None:
            self._timer = loop.call_later(self._seconds_max, self._look)
        return token

    def end(self, token: object) -> None:
        """The answer has left, or its call has ended."""
        self._waiting.pop(token, None)

    def _look(self) -> None:
        """Hang up on whoever has taken nothing for too long."""
        loop = asyncio.get_running_loop()
        late, now = set(), loop.time()
        while self._waiting:
            token, (since, peer) = next(iter(self._waiting.items()))
            if since + self._seconds_max > now:
                break
            del self._waiting[token]
            late.add(peer)
        self._timer = loop.call_at(since + self._seconds_max, self._look) if self._waiting else None
        if late:
            _log.warning("clients that take no answers are cut off", extra={"peers": sorted(late)})
            hang_up(late)


def hang_up(peers: Collection[str]) -> int:
    """Close this process's connections to gRPC peers, such as ipv4:127.0.0.1:4711; how many there were."""
    wanted = {_address(peer) for peer in peers}
    closed = 0
    for entry in OPEN_FILES.iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is not connected
            closed += _shut(int(entry.name), wanted)
    return closed


def _shut(descriptor: int, wanted: Collection[tuple[str, int] | None]) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as connection:  # a copy: gRPC may close its own at any time
        remote = connection.getpeername()
        if not isinstance(remote, tuple) or (_plain(remote[0]), remote[1]) not in wanted:
            return False
        connection.shutdown(socket.SHUT_RDWR)
        return True


def _address(peer: str) -> tuple[str, int] | None:
    _, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    return (_plain(host.strip("[]")), int(port)) if port.isdecimal() else None


def _plain(host: str) -> str:
    """One way to write an address: a socket for both protocols calls 127.0.0.1 ::ffff:127.0.0.1."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        return str(getattr(address, "ipv4_mapped", None) or address)
    return host
