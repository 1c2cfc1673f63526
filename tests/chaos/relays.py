"""A way between one orderer and its brokers that can be cut, and nobody else's."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Iterator

import yaml

from deploy.kafka.cluster import Cluster
from deploy.manifest import Network, NodeEntry
from deploy.ports import HOST, choose_ports

_CHUNK = 65536


class Relays:
    """One relay for each broker. Brokers tell whoever comes through a relay to come through the relays again.

    Made before anything of the network starts. The orderer knows no ZooKeeper, which would show it another way.
    """

    def __init__(self, network: Network, orderer: NodeEntry) -> None:
        cluster = Cluster.load(network.path(network.ordering.cluster))
        ports = choose_ports([f"{kind} {broker.name}" for broker in cluster.brokers for kind in ("inside", "outside")])
        self._ways = {ports[f"outside {broker.name}"]: ports[f"inside {broker.name}"] for broker in cluster.brokers}
        for broker in cluster.brokers:
            inside, outside = (f"RELAYED://{HOST}:{ports[f'{kind} {broker.name}']}" for kind in ("inside", "outside"))
            with (cluster.home(broker) / "server.properties").open("a") as file:  # the last of equal keys counts
                file.write(f"listeners=PLAINTEXT://{broker.address},{inside}\n")
                file.write(f"advertised.listeners=PLAINTEXT://{broker.address},{outside}\n")
                file.write("listener.security.protocol.map=PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT\n")
                file.write("inter.broker.listener.name=PLAINTEXT\n")
        config = network.path(orderer.config)
        settings = yaml.safe_load(config.read_text())
        del settings["privysharing"]["zooKeeper"]
        settings["privysharing"]["kafka"] = {"brokers": [f"{HOST}:{port}" for port in self._ways]}
        config.write_text(yaml.safe_dump(settings))
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing comes through, and nobody is told so: connections just say nothing any more."""
        self._loop.call_soon_threadsafe(self._open.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        """End every connection."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._servers = [
            await asyncio.start_server(functools.partial(self._relay, inside), HOST, outside)
            for outside, inside in self._ways.items()
        ]

    async def _relay(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, ExceptionGroup), contextlib.closing(writer):
            await self._open.wait()
            far_reader, far_writer = await asyncio.open_connection(HOST, port)
            with contextlib.closing(far_writer):
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, far_writer))
                    pumps.create_task(self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
