"""Clients that take no answers lose their connection, and others keep theirs."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from services.runtime.stalled import Stalled, hang_up

Pair = tuple[socket.socket, socket.socket, str]  # ours, theirs, and what gRPC calls them


def connection(family: socket.AddressFamily, host: str) -> Pair:
    with socket.socket(family) as listening:
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(("::" if family is socket.AF_INET6 else host, 0))
        listening.listen()
        theirs = socket.create_connection((host, listening.getsockname()[1]))
        ours, _ = listening.accept()
    ours.settimeout(5)
    theirs.settimeout(5)
    return ours, theirs, f"ipv4:{host}:{theirs.getsockname()[1]}"


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = connection(request.param, "127.0.0.1")
    yield made
    made[0].close()
    made[1].close()


def test_a_peers_connection_is_closed_as_it_is_named_and_no_other(pair: Pair) -> None:
    ours, theirs, peer = pair
    assert hang_up({"ipv4:127.0.0.1:1", "unix:/somewhere", "ipv6:%5B::1%5D:1"}) == 0
    ours.sendall(b"still there")
    assert theirs.recv(100) == b"still there"
    assert hang_up({peer}) == 1
    assert theirs.recv(100) == b""


async def test_an_answer_that_is_not_taken_in_time_costs_the_connection(pair: Pair) -> None:
    _, theirs, peer = pair
    stalled = Stalled(0.1)
    for _ in range(3):
        stalled.end(stalled.begin(peer))
    await asyncio.sleep(0.3)
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    token = stalled.begin(peer)
    await asyncio.sleep(0.3)
    assert theirs.recv(1) == b""
    stalled.end(token)
