"""Ports for nodes on this machine: which to take, whether one is free, and who has it if not."""

import random
import socket
from collections.abc import Iterable
from typing import Final

import psutil

HOST: Final = "127.0.0.1"
# Below what systems hand out to outgoing connections (Linux from 32768 on): a node that restarts finds its port free.
CHOSEN_FROM: Final = range(10_000, 32_000)
TRIES_MAX: Final = 10_000


class NoFreePorts(OSError):
    """Everything that was tried is in use."""


def choose_ports(names: Iterable[str], base_port: int | None = None) -> dict[str, int]:
    """A port per name: one after the other from `base_port`, or free ones wherever they are."""
    if base_port is not None:
        return {name: base_port + place for place, name in enumerate(names)}
    candidates = iter(random.sample(CHOSEN_FROM, TRIES_MAX))
    return {name: next_free(candidates) for name in names}


def next_free(candidates: Iterable[int]) -> int:
    """The first candidate that nobody listens on."""
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise NoFreePorts(f"no free port on {HOST} among those from {CHOSEN_FROM.start} to {CHOSEN_FROM.stop - 1}")


class PortTaken(Exception):
    """Another program listens where a node should."""

    def __init__(self, node: str, address: str) -> None:
        super().__init__(
            f"port {address.rpartition(':')[2]} of {node} is taken{_by(address)}; "
            "stop what listens there, or generate the network again in another folder"
        )


def is_taken(address: str) -> bool:
    """Whether nobody else could listen on host:port now."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger keep nobody out
        try:
            probe.bind((host, int(port)))
        except OSError:
            return True
    return False


def holder(address: str) -> str:
    """The process that listens on host:port, as number and name; empty when that is not for us to know."""
    number = int(address.rpartition(":")[2])
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (number,)
            if listens and connection.pid:
                return f"process {connection.pid}, {psutil.Process(connection.pid).name()}"
    except psutil.Error:
        pass
    return ""


def _by(address: str) -> str:
    who = holder(address)
    return f" by {who}" if who else ""
