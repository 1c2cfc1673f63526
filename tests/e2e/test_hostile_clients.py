"""Whatever one client does to a node, another's transactions go on, and the node is at once itself again."""

import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import grpc
import psutil
import pytest

from deploy.manifest import NodeEntry
from tests.support import foreign_client as foreign
from tests.support import http2
from tests.support.honest import Attempt, HonestClient
from tests.support.hostile import (
    ATTACKS,
    BATCH_ENDORSE,
    DELIVER_BLOCKS,
    DELIVER_ORDERED,
    PROPOSE,
    Attack,
    Attacker,
    operations_port,
)
from tests.support.live import LiveNetwork

TRANSACTIONS = int(os.environ.get("HOSTILE_TRANSACTIONS", "6"))  # of the honest client during each attack
SECONDS_MAX = 15.0  # for one of them; the attackers' own work is done by the same processors
RESIDENT_MB_MAX = 300.0  # of a node, whatever is done to it: idle ones have 80
ITSELF_SECONDS_MAX = 10.0
ITSELF_MB = 100.0  # what a node may keep of an attack: free lists of the allocator, threads of gRPC
ITSELF_FILES = 16
ITSELF_THREADS = 64
STREAMS_SHARE = 31  # of 250
BLOCK_BYTES = 900_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process uses."""

    resident_mb: float
    files: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> "Figures":
        return cls(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())


class Watchman:
    """Looks at nodes all the time."""

    def __init__(self, live: LiveNetwork, nodes: tuple[NodeEntry, ...]) -> None:
        self._processes: dict[str, psutil.Process] = {}
        for node in nodes:
            process = live.processes.process(node)
            assert process is not None, node.name
            self._processes[node.name] = process
        self.most: dict[str, float] = {}

    def figures(self) -> dict[str, Figures]:
        return {name: Figures.of(process) for name, process in self._processes.items()}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """In the end no node has been too large, and all are as they were."""
        before, over = self.figures(), threading.Event()
        self.most = dict.fromkeys(before, 0.0)
        thread = threading.Thread(target=self._look, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert max(self.most.values()) < RESIDENT_MB_MAX, self.most
        deadline = time.monotonic() + ITSELF_SECONDS_MAX
        while not all(_is_itself(before[name], after) for name, after in self.figures().items()):
            assert time.monotonic() < deadline, (before, self.figures())
            time.sleep(0.1)

    def _look(self, over: threading.Event) -> None:
        while not over.wait(0.05):
            for name, figures in self.figures().items():
                self.most[name] = max(self.most[name], figures.resident_mb)


def _is_itself(before: Figures, after: Figures) -> bool:
    return (
        after.resident_mb < before.resident_mb + ITSELF_MB
        and after.files < before.files + ITSELF_FILES
        and after.threads < before.threads + ITSELF_THREADS
    )


@pytest.fixture(scope="module")
def attacker(besieged: LiveNetwork) -> Iterator[Attacker]:
    with http2.context_of(besieged.tls("mallory")) as context:
        home = next(peer for peer in besieged.endorsers if peer.msp_id == "CitizensMSP")
        yield Attacker(besieged, context, (besieged.orderer, home))


@pytest.fixture(scope="module")
def honest(besieged: LiveNetwork) -> Iterator[HonestClient]:
    """Bob, of mallory's organisation and at mallory's peer."""
    client = HonestClient(besieged.network.folder, "bob")
    client.attempts(3)
    yield client
    client.stop()


@pytest.fixture(scope="module")
def watchman(besieged: LiveNetwork, attacker: Attacker, honest: HonestClient) -> Watchman:
    return Watchman(besieged, attacker.targets)


def assert_served(attempts: list[Attempt]) -> float:
    """Every transaction was committed in time; the longest time."""
    assert [attempt.fault for attempt in attempts if attempt.fault is not None] == []
    longest = max(attempt.seconds for attempt in attempts)
    assert longest < SECONDS_MAX
    return longest


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_honest_transactions_go_on_while_somebody(
    attack: Attack, attacker: Attacker, honest: HonestClient, watchman: Watchman
) -> None:
    with watchman.watching(), attack(attacker):
        longest = assert_served(honest.attempts(TRANSACTIONS))
        print(f"{longest:.2f} s at most; {watchman.most} MB")  # noqa: T201 - a figure for whoever looks
    assert_served(honest.attempts(2))


def test_whole_blocks_that_an_operator_does_not_take_cost_memory_for_a_few_and_his_connection(
    besieged: LiveNetwork, attacker: Attacker, honest: HonestClient, watchman: Watchman
) -> None:
    """250 readers of a large block."""
    with besieged.dial(besieged.orderer, "mallory") as channel:
        (ordered,) = foreign.broadcast(channel, foreign.common.Envelope.FromString(attacker.envelope(BLOCK_BYTES)))
    assert ordered.status == foreign.common.SUCCESS
    assert_served(honest.attempts(2))
    with http2.context_of(besieged.tls("admin.citizens")) as context, watchman.watching(), ExitStack() as stack:
        readers = Attacker(besieged, context, attacker.targets)
        sizes = [len(block) for block in besieged.blocks(besieged.orderer)]
        assert max(sizes) > BLOCK_BYTES
        request = readers.seek("admin.citizens", sizes.index(max(sizes)))
        connections = []
        for node in readers.targets:
            method = DELIVER_ORDERED if node.role == "orderer" else DELIVER_BLOCKS
            for _ in range(5):
                connection = stack.enter_context(closing(readers.connect(node, window=0)))
                for _ in range(50):
                    connection.call(method, request)
                connections.append(connection)
        assert_served(honest.attempts(TRANSACTIONS))
        print(f"{watchman.most} MB")  # noqa: T201 - a figure for whoever looks
        assert any(connection.ended(5) for connection in connections)


def test_one_clients_share_of_the_streams_is_not_all_of_them(besieged: LiveNetwork, attacker: Attacker) -> None:
    peer = attacker.targets[1]
    with ExitStack() as stack:
        channel = stack.enter_context(besieged.dial(peer, "mallory"))
        open_stream: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(BATCH_ENDORSE)
        over = threading.Event()
        stack.callback(over.set)
        hers = [open_stream(_nothing_until(over)) for _ in range(STREAMS_SHARE)]
        for stream in hers:
            stack.callback(stream.cancel)
            assert next(stream)  # the window
        with pytest.raises(grpc.RpcError) as refused:
            next(open_stream(iter([])))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        share = f"one client's share ({STREAMS_SHARE}) of the concurrency limit (250)"
        assert refused.value.details() == f"too many requests for /privysharing.v1.BatchEndorser, exceeding {share}"
        others = stack.enter_context(besieged.dial(peer, "alice"))
        assert next(others.stream_stream(BATCH_ENDORSE)(iter([])))


def _nothing_until(over: threading.Event) -> Iterator[bytes]:
    over.wait(60)
    yield from ()


def test_a_connection_without_a_handshake_is_closed(attacker: Attacker) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        for silent in [stack.enter_context(http2.tcp(node.address)) for node in attacker.targets]:
            silent.settimeout(10)
            assert silent.recv(1) == b""
    assert time.monotonic() - began > 1


def test_a_request_that_does_not_come_is_not_waited_for_when_many_do_not(attacker: Attacker) -> None:
    with closing(attacker.connect(attacker.targets[1])) as connection:
        half = http2.message(bytes(1000))[:500]
        for _ in range(80):  # 64 are patiently waited for
            connection.send(http2.data(connection.call(PROPOSE), half))
        told = b""
        while b"the request did not arrive in time" not in told:
            more = connection.socket.recv(65536)
            assert more
            told += more


def test_health_is_told_while_the_operations_port_is_under_attack(attacker: Attacker) -> None:
    with operations_port(attacker):
        for node in attacker.targets:
            probe = http.client.HTTPConnection(node.operations_address, timeout=10)
            with closing(probe):
                probe.request("GET", "/healthz")
                assert probe.getresponse().status == 200
