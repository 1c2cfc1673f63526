"""Proxies that write down what nodes and clients say to each other, and change nothing.

A proxy stands where a node is thought to be, has its TLS key, and so ends the connections that were meant for it. It
goes on to the node with the certificate, and the key, that its caller has shown: requests that are bound to a
connection's certificate stay valid. All of that is possible only because a test network's keys are all in one folder.
"""

import asyncio
import contextlib
import functools
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from deploy.manifest import Network, NodeEntry
from deploy.ports import HOST, choose_ports

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Credential:
    """A TLS certificate and its key, as files; `label` is a node's name, or a person's, or an organisation's."""

    label: str
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was said on one connection, out of TLS."""

    caller: str
    node: str
    asked: bytearray = field(default_factory=bytearray, repr=False)
    answered: bytearray = field(default_factory=bytearray, repr=False)


def behind_proxies(network: Network) -> Network:
    """The same network with its nodes listening elsewhere, and nobody told: to be done before they start."""
    ports = choose_ports(node.name for node in network.nodes)
    for node in network.nodes:
        config = network.path(node.config)
        settings = yaml.safe_load(config.read_text())
        if node.role == "orderer":
            settings["General"]["ListenPort"] = ports[node.name]
        else:
            settings["peer"]["listenAddress"] = f"{HOST}:{ports[node.name]}"
        config.write_text(yaml.safe_dump(settings))
    moved = replace(network, nodes=tuple(replace(node, address=f"{HOST}:{ports[node.name]}") for node in network.nodes))
    moved.save()
    return moved


class Proxies:
    """One proxy for each node, in a thread of its own until `close`."""

    def __init__(self, thought: Network, real: Network) -> None:
        """`thought` has the addresses that everybody knows, `real` those where nodes listen."""
        self.recorded: list[Recorded] = []
        self._credentials = {_der(each): each for each in _credentials(real)}
        self._roots = b"".join(real.path(org.tls_ca).read_bytes() for org in real.organisations).decode()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        pairs = [(node, real.node(node.name)) for node in thought.nodes]
        asyncio.run_coroutine_threadsafe(self._listen(real, pairs), self._loop).result()

    def close(self) -> None:
        """End every connection; what was recorded stays."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, network: Network, pairs: Sequence[tuple[NodeEntry, NodeEntry]]) -> None:
        self._servers = []
        for thought, real in pairs:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self._roots)
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(network.path(real.tls) / "server.crt", network.path(real.tls) / "server.key")
            context.set_alpn_protocols(["h2"])
            port = int(thought.address.rpartition(":")[2])
            handler = functools.partial(self._pass_on, real)
            self._servers.append(await asyncio.start_server(handler, HOST, port, ssl=context))

    async def _pass_on(self, node: NodeEntry, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, ExceptionGroup), contextlib.closing(writer):
            caller = self._credentials[writer.get_extra_info("ssl_object").getpeercert(binary_form=True)]
            recorded = Recorded(caller.label, node.name)
            self.recorded.append(recorded)
            try:
                far_reader, far_writer = await asyncio.open_connection(
                    HOST, int(node.address.rpartition(":")[2]), ssl=self._shown(caller), server_hostname=node.name
                )
            except OSError:
                writer.transport.abort()  # a farewell by the rules of TLS would keep the caller waiting
                raise
            with contextlib.closing(far_writer):
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(_pump(reader, far_writer, recorded.asked))
                    pumps.create_task(_pump(far_reader, writer, recorded.answered))

    def _shown(self, caller: Credential) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self._roots)
        context.load_cert_chain(caller.certificate, caller.key)
        context.set_alpn_protocols(["h2"])
        return context

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Ended(ConnectionError):
    """One side has hung up; TLS has no half-closed connections."""


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recorded: bytearray) -> None:
    while data := await reader.read(_CHUNK):
        recorded += data
        writer.write(data)
        await writer.drain()
    raise _Ended


def _credentials(network: Network) -> Iterator[Credential]:
    """Everybody's who may connect to a node."""
    for node in network.nodes:
        tls = network.path(node.tls)
        yield Credential(node.name, tls / "server.crt", tls / "server.key")
    for org in network.organisations:
        for user in org.users:
            tls = network.path(user.tls)
            yield Credential(f"{user.name}@{org.name}", tls / "client.crt", tls / "client.key")
        tls = network.path(org.folder) / "application" / "tls"
        yield Credential(f"application of {org.name}", tls / "client.crt", tls / "client.key")


def _der(credential: Credential) -> bytes:
    return ssl.PEM_cert_to_DER_cert(credential.certificate.read_text())
