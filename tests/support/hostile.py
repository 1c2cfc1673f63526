"""What clients do that mean no good, or are broken: each a context in which it goes on."""

import contextlib
import itertools
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy.manifest import NodeEntry
from privysharing.protocol.batches import BatchItem
from privysharing.protocol.codec.batches import encode_batch_request
from tests.support import foreign_client as foreign
from tests.support import http2
from tests.support.http2 import Connection
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork

PROPOSE = "/protos.Endorser/ProcessProposal"
BATCH_ENDORSE = "/privysharing.v1.BatchEndorser/Endorse"
DELIVER_BLOCKS = "/protos.Deliver/Deliver"
DELIVER_FILTERED = "/protos.Deliver/DeliverFiltered"
BROADCAST = "/orderer.AtomicBroadcast/Broadcast"
DELIVER_ORDERED = "/orderer.AtomicBroadcast/Deliver"
BATCH_BROADCAST = "/privysharing.v1.BatchBroadcast/Broadcast"

PEER_METHODS = (PROPOSE, BATCH_ENDORSE, DELIVER_BLOCKS, DELIVER_FILTERED)
ORDERER_METHODS = (BROADCAST, DELIVER_ORDERED, BATCH_BROADCAST)
CONNECTIONS = 60


def methods(node: NodeEntry) -> tuple[str, ...]:
    """Every call that a node offers."""
    return ORDERER_METHODS if node.role == "orderer" else PEER_METHODS


@dataclass(frozen=True, slots=True)
class Attacker:
    """Mallory, a citizen with a certificate like any other's, and the nodes that he has it in for."""

    live: LiveNetwork
    context: ssl.SSLContext
    targets: tuple[NodeEntry, ...]

    def connect(self, node: NodeEntry, window: int | None = None) -> Connection:
        return Connection(node.address, self.context, window)

    def proposal(self) -> bytes:
        """A proposal with nothing wrong about it."""
        me = self.live.signer("mallory")
        proposal = foreign.propose(me, CHANNEL, CONTRACT, "SetProfile", '{"from": "mallory"}')
        return bytes(foreign.signed_proposal(proposal, me).SerializeToString())

    def envelope(self, size: int = 100) -> bytes:
        """What an orderer takes, and no peer finds valid."""
        me = self.live.signer("mallory")
        proposal = foreign.propose(me, CHANNEL, CONTRACT, "SetProfile", os.urandom(size))
        return bytes(foreign.envelope(foreign.transaction(proposal, b"", []), me).SerializeToString())

    def seek(self, who: str = "mallory", first: int = 0) -> bytes:
        """All blocks, old and new, as somebody who connects with his own certificate."""
        last = foreign.at(foreign.NEVER)
        request = self.live.seek(self.live.signer(who), foreign.at(first), last, connected_as=who)
        return bytes(request.SerializeToString())

    def valid(self, method: str) -> bytes:
        """A first message that the method is for."""
        if method == PROPOSE:
            return self.proposal()
        if method == BATCH_ENDORSE:
            return batch([self.proposal()])
        if method == BROADCAST:
            return self.envelope()
        return batch([self.envelope()]) if method == BATCH_BROADCAST else self.seek()


def batch(payloads: list[bytes], first: int = 1, deadline_ms: int = 0) -> bytes:
    return encode_batch_request([BatchItem(first + n, deadline_ms, payload) for n, payload in enumerate(payloads)])


Attack = Callable[[Attacker], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def repeated(step: Callable[[], None]) -> Iterator[None]:
    """Do something again and again, until the end; it may raise when it is hung up on."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                step()
            over.wait(0.001)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive()


@contextlib.contextmanager
def held(make: Callable[[], socket.socket | Connection], count: int) -> Iterator[None]:
    """Have so many, and do nothing with them."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):
                stack.callback(make().close)
        yield


def silent_tcp(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Connects and never shakes hands."""
    return _at_each(attacker, lambda node: held(lambda: http2.tcp(node.address), 5 * CONNECTIONS))


def half_handshake(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Begins to shake hands."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = attacker.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    said = outgoing.read()

    def begin(node: NodeEntry) -> socket.socket:
        connection = http2.tcp(node.address)
        connection.sendall(said[: len(said) // 2])
        return connection

    return _at_each(attacker, lambda node: held(lambda: begin(node), CONNECTIONS))


def silent_tls(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Shakes hands and says nothing more."""
    return _at_each(attacker, lambda node: held(lambda: attacker.connect(node), CONNECTIONS))


def most_streams(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Opens as many streams as there may be, of every kind, and more."""

    def open_all(node: NodeEntry) -> Connection:
        connection = attacker.connect(node)
        for _ in range(100):
            for method in methods(node):
                connection.call(method)
        return connection

    return _at_each(attacker, lambda node: held(lambda: open_all(node), 5))


def half_messages(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Says that a message of 2 MB comes, and sends one."""
    half = http2.message(bytes(2_000_000))[:1_000_000]

    def begin(node: NodeEntry) -> Connection:
        connection = attacker.connect(node)
        for method in methods(node):
            for _ in range(2):
                stream = connection.call(method)
                with contextlib.suppress(TimeoutError):  # as much of it as the node takes
                    connection.say(stream, half)
        return connection

    return _at_each(attacker, lambda node: held(lambda: begin(node), 3))


def unread_answers(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Asks at every door, and takes no answer."""

    def ask(node: NodeEntry) -> Connection:
        connection = attacker.connect(node, window=0)
        for method in methods(node):
            for _ in range(10):
                connection.call(method, attacker.valid(method))
        return connection

    return _at_each(attacker, lambda node: held(lambda: ask(node), 5))


def unread_batches(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Goes on asking, without taking one answer."""
    proposals = [batch([attacker.proposal()] * 64, n) for n in range(1, 6401, 64)]

    @contextlib.contextmanager
    def ask(node: NodeEntry) -> Iterator[None]:
        method = BATCH_BROADCAST if node.role == "orderer" else BATCH_ENDORSE
        with contextlib.closing(attacker.connect(node, window=0)) as connection:
            stream = connection.call(method)
            messages = itertools.cycle(proposals)
            with repeated(lambda: connection.say(stream, http2.message(next(messages)))):
                yield

    return _at_each(attacker, ask)


def trickle(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Sends a message byte by byte."""

    @contextlib.contextmanager
    def drip(node: NodeEntry) -> Iterator[None]:
        with contextlib.closing(attacker.connect(node)) as connection:
            streams = [connection.call(method) for method in methods(node) for _ in range(10)]
            drops = itertools.cycle(streams)
            raw = iter(http2.message(bytes(1_000_000)))
            with repeated(lambda: connection.send(http2.data(next(drops), bytes([next(raw)])))):
                yield

    return _at_each(attacker, drip)


def valid_flood(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Sends what is right, as fast as it goes: the same things again and again, some of them long overdue."""

    @contextlib.contextmanager
    def flood(node: NodeEntry) -> Iterator[None]:
        method, raw = (
            (BATCH_BROADCAST, [attacker.envelope() for _ in range(64)])
            if node.role == "orderer"
            else (BATCH_ENDORSE, [attacker.proposal() for _ in range(64)])
        )
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                connection = stack.enter_context(contextlib.closing(attacker.connect(node)))
                stream = connection.call(method)
                numbers = itertools.count(1, 64)

                def step(connection: Connection = connection, stream: int = stream, numbers: object = numbers) -> None:
                    first = next(numbers)  # type: ignore[call-overload]
                    connection.say(stream, http2.message(batch(raw, first, deadline_ms=1 if first % 128 == 1 else 0)))
                    connection.send(_more_room(stream))

                stack.enter_context(repeated(step))
            yield

    return _at_each(attacker, flood)


def garbage_flood(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Sends what is no message, as fast as it goes."""

    @contextlib.contextmanager
    def flood(node: NodeEntry) -> Iterator[None]:
        def step() -> None:
            with contextlib.closing(attacker.connect(node)) as connection:
                for _ in range(20):
                    for method in methods(node):
                        connection.call(method, os.urandom(300))
                        connection.call(method, batch([os.urandom(300)] * 64))
                connection.read(0.02)

        with repeated(step):
            yield

    return _at_each(attacker, flood)


def oversize(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Sends more than is taken."""

    @contextlib.contextmanager
    def flood(node: NodeEntry) -> Iterator[None]:
        def step() -> None:
            with contextlib.closing(attacker.connect(node)) as connection:
                for method in methods(node):
                    stream = connection.call(method)
                    connection.say(stream, http2.message(bytes(4_000_000))[:10_000])
                connection.read(0.05)

        with repeated(step):
            yield

    return _at_each(attacker, flood)


def frames(*kinds: bytes) -> Attack:
    """Sends frames that are for nothing, until it is hung up on, and again."""
    many = b"".join(kinds) * 500

    def attack(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
        @contextlib.contextmanager
        def flood(node: NodeEntry) -> Iterator[None]:
            def step() -> None:
                with contextlib.closing(attacker.connect(node)) as connection:
                    connection.socket.settimeout(0.5)
                    for _ in range(20):
                        connection.send(many)

            with repeated(step):
                yield

        return _at_each(attacker, flood)

    return attack


def rapid_reset(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Begins calls and gives them up at once; ignores what it is told about it."""

    @contextlib.contextmanager
    def flood(node: NodeEntry) -> Iterator[None]:
        def step() -> None:
            with contextlib.closing(attacker.connect(node)) as connection:
                connection.socket.settimeout(0.5)
                for number in range(1, 2000, 2):
                    method = methods(node)[number % len(methods(node))]
                    connection.send(
                        http2.headers(number, method) + http2.frame(http2.RESET, 0, number, b"\x00\x00\x00\x08")
                    )

        with repeated(step):
            yield

    return _at_each(attacker, flood)


def endless_headers(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """Never comes to the end of a call's headers."""

    @contextlib.contextmanager
    def flood(node: NodeEntry) -> Iterator[None]:
        def step() -> None:
            with contextlib.closing(attacker.connect(node)) as connection:
                connection.socket.settimeout(0.5)
                connection.send(http2.headers(1, methods(node)[0], flags=0))
                for _ in range(1000):
                    connection.send(http2.frame(http2.CONTINUATION, 0, 1, b"\x00\x04more\x7f\xa1\x07" + bytes(1056)))

        with repeated(step):
            yield

    return _at_each(attacker, flood)


def operations_port(attacker: Attacker) -> contextlib.AbstractContextManager[None]:
    """All that can be done to the operations port: silence, endless headers, half a body, no reading, wrong methods."""
    begins = (
        b"",
        b"GET /metrics HTTP/1.1\r\nX: ",
        b"PUT /logspec HTTP/1.1\r\nContent-Length: 60000\r\n\r\n{",
        b"GET /metrics HTTP/1.1\r\n\r\n" * 500,
        b"BREW /metrics HTTP/1.1\r\n\r\n",
        b"PUT /logspec HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        os.urandom(2000),
    )

    def begin(node: NodeEntry, said: bytes) -> socket.socket:
        connection = http2.tcp(node.operations_address)
        connection.settimeout(0.2)
        with contextlib.suppress(OSError):
            connection.sendall(said)
        return connection

    @contextlib.contextmanager
    def at(node: NodeEntry) -> Iterator[None]:
        said = itertools.cycle(begins)
        with held(lambda: begin(node, next(said)), 50):
            yield

    return _at_each(attacker, at)


def _more_room(stream: int) -> bytes:
    """Lets the other side answer on."""
    much = (1_000_000).to_bytes(4, "big")
    return http2.frame(http2.WINDOW_UPDATE, 0, 0, much) + http2.frame(http2.WINDOW_UPDATE, 0, stream, much)


@contextlib.contextmanager
def _at_each(
    attacker: Attacker, attack: Callable[[NodeEntry], contextlib.AbstractContextManager[None]]
) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for node in attacker.targets:
            stack.enter_context(attack(node))
        yield


ATTACKS: dict[str, Attack] = {
    "connects and never shakes hands": silent_tcp,
    "begins to shake hands": half_handshake,
    "shakes hands and says nothing more": silent_tls,
    "opens as many streams as there may be and more": most_streams,
    "sends half of each message": half_messages,
    "sends a message byte by byte": trickle,
    "takes no answer": unread_answers,
    "goes on asking and takes no answer": unread_batches,
    "sends valid messages again and again": valid_flood,
    "sends garbage": garbage_flood,
    "sends more than is taken": oversize,
    "sends pings": frames(http2.frame(http2.PING, 0, 0, bytes(8))),
    "sends settings": frames(http2.frame(http2.SETTINGS, 0, 0)),
    "begins calls and gives them up at once": rapid_reset,
    "never comes to the end of its headers": endless_headers,
    "does all that to the operations port": operations_port,
}
