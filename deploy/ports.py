"""Ports for nodes on this machine."""

import random
import socket
from collections.abc import Iterable
from typing import Final

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
