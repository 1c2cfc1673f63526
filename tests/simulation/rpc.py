"""gRPC without sockets: what our nodes and clients use of grpc.aio, over simulated wires.

Servicers, interceptors and clients are the real ones; messages pass as the bytes they are. Flow control, deadlines,
cancellation and broken connections behave as grpc.aio's.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc.aio import AbortError, AioRpcError, Metadata

from tests.simulation.loop import Life, current_life
from tests.simulation.network import CONNECT_S_MAX, Connection, Network

FLOW_WINDOW_BYTES = 64 * 1024  # what may be under way on one stream before its sender waits


@dataclass(frozen=True)
class Status:
    """How a call ended."""

    code: grpc.StatusCode
    details: str = ""

    def error(self) -> AioRpcError:
        return AioRpcError(self.code, Metadata(), Metadata(), self.details)


OK = Status(grpc.StatusCode.OK)
BROKEN = Status(grpc.StatusCode.UNAVAILABLE, "Socket closed")
REFUSED = Status(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses")
LATE = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
UNKNOWN_METHOD = Status(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
CANCELLED = Status(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")


class Switchboard:
    """Who listens where."""

    def __init__(self, network: Network, ports: Mapping[str, int]) -> None:
        """`ports`: where each process listens, by its name."""
        self.network = network
        self.names = {port: name for name, port in ports.items()}
        self.servers: dict[str, Server] = {}  # by address

    def open_channel(self, address: str, *_: Any, **__: Any) -> "Channel":
        """See `privysharing.rpc.channels.open_channel`; nothing is encrypted."""
        life = current_life()
        assert life is not None, "only processes connect"
        return Channel(self, life, address)

    def make_server(self, interceptors: Sequence[grpc.aio.ServerInterceptor] = (), **_: Any) -> "Server":
        """See `grpc.aio.server`."""
        life = current_life()
        assert life is not None, "only processes serve"
        return Server(self, life, interceptors)


class _Pipe:
    """One direction of a stream, as its two ends see it."""

    def __init__(self) -> None:
        self._arrived: deque[bytes] = deque()
        self._ended = False
        self._changed = asyncio.Event()
        self._unread = 0  # bytes sent and not yet taken
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """For the sender: return when it may send more."""
        await self._room.wait()

    def sent(self, message: bytes) -> None:
        """Count what was sent."""
        self._unread += len(message)
        if self._unread >= FLOW_WINDOW_BYTES:
            self._room.clear()

    def arrive(self, message: bytes) -> None:
        """A message reaches the receiver."""
        self._arrived.append(message)
        self._changed.set()

    def end(self) -> None:
        """Nothing more will arrive, and nobody waits for room."""
        self._ended = True
        self._changed.set()
        self._room.set()

    async def take(self) -> bytes | None:
        """The next message; None behind the last."""
        while not self._arrived:
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self._arrived.popleft()
        self._unread -= len(message)
        if self._unread < FLOW_WINDOW_BYTES:
            self._room.set()
        return message


class Channel:
    """See `grpc.aio.Channel`."""

    def __init__(self, switchboard: Switchboard, life: Life, address: str) -> None:
        self._switchboard = switchboard
        self._life = life
        self._address = address
        self._connection: tuple[Connection, Server] | None = None
        self._connecting: asyncio.Task[tuple[Connection, Server] | None] | None = None
        self._calls: set[_ClientCall] = set()

    def unary_unary(self, method: str) -> Callable[..., Any]:
        """A method that takes one message and gives one."""

        async def call(request: bytes, timeout: float | None = None) -> bytes:
            started = self._start(method, timeout)
            try:
                await started.write(request)
                await started.done_writing()
                answer = await started.read()
            finally:
                started.cancel()
            if answer is grpc.aio.EOF:
                raise AssertionError(f"{method} ended well, without an answer")
            assert isinstance(answer, bytes)
            return answer

        return call

    def stream_stream(self, method: str) -> Callable[..., "_ClientCall"]:
        """A method that takes many messages and gives many."""
        return lambda: self._start(method, None)

    async def close(self, grace: float | None = None) -> None:
        """End every call; those that end by themselves within `grace` seconds are let."""
        if grace and self._calls:
            ends = [self._life.start(call.end()) for call in sorted(self._calls, key=lambda call: call.number)]
            await asyncio.wait(ends, timeout=grace)
        for call in sorted(self._calls, key=lambda call: call.number):
            call.cancel()
        if self._connection is not None:
            self._connection[0].reset()

    async def connect(self) -> tuple[Connection, "Server"] | None:
        """The connection, made if need be; None when nobody answers."""
        if self._connection is not None and not self._connection[0].broken:
            return self._connection
        if self._connecting is None or self._connecting.done():
            self._connecting = self._life.start(self._shake_hands())
        return await asyncio.shield(self._connecting)

    async def _shake_hands(self) -> tuple[Connection, "Server"] | None:
        network, server = self._switchboard.network, self._switchboard.servers.get(self._address)
        there = self._switchboard.names[int(self._address.rpartition(":")[2])]
        healed = network.healed(self._life.name, there)
        if network.dark(there) or healed is not None:
            await asyncio.sleep(CONNECT_S_MAX)
            return None
        await asyncio.sleep(network.arrival(self._life, self._life) - network.loop.now)
        server = self._switchboard.servers.get(self._address)
        if server is None or server.life.over:
            return None
        self._connection = network.connect(self._life, server.life), server
        return self._connection

    def _start(self, method: str, timeout: float | None) -> "_ClientCall":
        call = _ClientCall(self, self._life, method, timeout)
        self._calls.add(call)
        call.task.add_done_callback(lambda _: self._calls.discard(call))
        return call


class _ClientCall:
    """The client's end of a call."""

    made = 0

    def __init__(self, channel: Channel, life: Life, method: str, timeout: float | None) -> None:
        _ClientCall.made += 1
        self.number = _ClientCall.made
        self._life = life
        self._out, self._in = _Pipe(), _Pipe()
        self._status: Status | None = None
        self._locally = False  # whether it was we who cancelled
        self._connected: asyncio.Event = asyncio.Event()
        self._connection: Connection | None = None
        self._server_call: _ServerCall | None = None
        self._end_known = asyncio.Event()
        self.task = life.start(self._run(channel, method))
        self._timer = asyncio.get_running_loop().call_later(timeout, self._late) if timeout is not None else None

    def __hash__(self) -> int:
        return self.number

    def done(self) -> bool:
        """Whether the call is over."""
        return self._status is not None

    def cancel(self) -> bool:
        """Hang up."""
        if self._status is not None:
            return False
        self._locally = True
        self._finish(CANCELLED)
        return True

    async def write(self, message: bytes) -> None:
        """Send a message once there is room for it."""
        if self.done():
            raise asyncio.InvalidStateError("RPC already finished.")
        await self._connected.wait()
        await self._out.room()
        self._raise_if_over()
        self._out.sent(message)
        assert self._connection is not None
        assert self._server_call is not None
        self._connection.send(self._life, lambda: self._served(lambda call: call.incoming.arrive(message)))

    async def done_writing(self) -> None:
        """Send nothing more."""
        if self._connection is not None and not self.done():
            self._connection.send(self._life, lambda: self._served(lambda call: call.incoming.end()))

    async def read(self) -> Any:
        """The next message, EOF after the last; raises what ended the call otherwise."""
        if self._locally:
            raise asyncio.CancelledError
        message = await self._in.take()
        if message is not None and not self._locally:
            return message
        await self._end_known.wait()
        self._raise_if_over()
        return grpc.aio.EOF

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def end(self) -> None:
        """Return when the call has ended."""
        await self._end_known.wait()

    async def code(self) -> grpc.StatusCode:
        """How the call ended, when it has."""
        await self.end()
        assert self._status is not None
        return self._status.code

    # What follows happens on arrivals from the server.

    def arrive(self, message: bytes) -> None:
        """An answer."""
        if not self.done():
            self._in.arrive(message)

    def ended(self, status: Status) -> None:
        """The server's last word."""
        if not self.done():
            self._finish(status)

    def _raise_if_over(self) -> None:
        if self._locally:
            raise asyncio.CancelledError
        if self._status is not None and self._status is not OK:
            raise self._status.error()

    def _late(self) -> None:
        if not self.done():
            self._finish(LATE)

    def _broken(self) -> None:
        if not self.done():
            self._finish(BROKEN)

    def _finish(self, status: Status) -> None:
        self._status = status
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._connection.forget(self._broken)
            if status is CANCELLED or status is LATE:
                self._connection.send(self._life, lambda: self._served(_ServerCall.hung_up))
        self._in.end()
        self._out.end()
        self._end_known.set()
        self._connected.set()

    def _served(self, act: Callable[["_ServerCall"], None]) -> None:
        if self._server_call is not None:
            act(self._server_call)

    async def _run(self, channel: Channel, method: str) -> None:
        found = await channel.connect()
        if self.done():
            return
        if found is None:
            self._finish(REFUSED)
            return
        self._connection, server = found
        if self._connection.broken:
            self._finish(BROKEN)
            return
        self._connection.on_break(self._life, self._broken)
        self._server_call = _ServerCall(self, self._connection, self._out, server)
        self._connection.send(self._life, lambda: server.take(self._server_call, method))
        self._connected.set()


class _ServerCall:
    """The server's end of a call, and the context that a servicer is given."""

    def __init__(self, client: _ClientCall, connection: Connection, incoming: _Pipe, server: "Server") -> None:
        self.incoming = incoming
        self._client = client
        self._connection = connection
        self._server = server
        self._task: asyncio.Task[None] | None = None
        self._status: Status | None = None
        self._code: grpc.StatusCode | None = None

    def hung_up(self) -> None:
        """The client wants nothing more, or cannot be reached."""
        self.incoming.end()
        if self._task is not None:
            self._task.cancel()

    def begin(self, work: Any) -> "asyncio.Task[None]":
        """Serve it."""
        self._connection.on_break(self._server.life, self.hung_up)
        self._task = self._server.life.start(work)
        self._task.add_done_callback(lambda _: self._connection.forget(self.hung_up))
        return self._task

    async def messages(self) -> AsyncIterator[bytes]:
        """What the client sends."""
        while (message := await self.incoming.take()) is not None:
            yield message

    async def send(self, message: bytes) -> None:
        """Send an answer once there is room for it."""
        await self._client._in.room()
        self._client._in.sent(message)
        self._connection.send(self._server.life, lambda: self._client.arrive(message))

    def finish(self, status: Status) -> None:
        """The last word."""
        if self._status is None:
            self._status = status
            self._connection.send(self._server.life, lambda: self._client.ended(status))

    # The part of grpc.aio.ServicerContext that is used.

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: object = ()) -> None:
        del trailing_metadata
        self._code = code
        self.finish(Status(code, details))
        raise AbortError("Locally aborted.")

    def code(self) -> grpc.StatusCode | None:
        return self._code

    def auth_context(self) -> dict[str, Sequence[bytes]]:
        return {}

    def peer(self) -> str:
        return f"process:{self._client._life.name}"

    def invocation_metadata(self) -> tuple[()]:
        return ()


@dataclass(frozen=True)
class _Details:
    """See grpc.HandlerCallDetails."""

    method: str
    invocation_metadata: tuple[()] = ()


class Server:
    """See `grpc.aio.Server`."""

    def __init__(
        self, switchboard: Switchboard, life: Life, interceptors: Sequence[grpc.aio.ServerInterceptor]
    ) -> None:
        self.life = life
        self._switchboard = switchboard
        self._interceptors = tuple(interceptors)
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._addresses: list[str] = []
        self._calls: dict[asyncio.Task[None], _ServerCall] = {}
        self._stopping = False

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """See grpc.aio.Server."""
        self._handlers += handlers

    def add_insecure_port(self, address: str) -> int:
        """See grpc.aio.Server."""
        self._addresses.append(address)
        return int(address.rpartition(":")[2])

    async def start(self) -> None:
        """Listen."""
        for address in self._addresses:
            self._switchboard.servers[address] = self

    async def stop(self, grace: float | None) -> None:
        """Take no more calls, let those that run finish for a while, then end them."""
        self._stopping = True
        for address in self._addresses:
            if self._switchboard.servers.get(address) is self:
                del self._switchboard.servers[address]
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=grace or 0)
        for task, call in list(self._calls.items()):
            call.finish(BROKEN)
            task.cancel()

    def take(self, call: "_ServerCall | None", method: str) -> None:
        """A call arrives."""
        assert call is not None
        if self._stopping:
            call.finish(BROKEN)
            return
        task = call.begin(self._serve(call, method))
        self._calls[task] = call
        task.add_done_callback(lambda done: self._calls.pop(done, None))

    async def _serve(self, call: _ServerCall, method: str) -> None:
        try:
            handler = await self._intercepted(0, _Details("/" + method.lstrip("/")))
            if handler is None:
                call.finish(UNKNOWN_METHOD)
            elif handler.unary_unary is not None:
                request = await call.incoming.take()
                if request is not None:
                    await call.send(await handler.unary_unary(request, call))
            else:
                async for answer in handler.stream_stream(call.messages(), call):
                    await call.send(answer)
            call.finish(OK)
        except AbortError:
            pass  # its status is on its way
        except asyncio.CancelledError:
            call.finish(CANCELLED)
            raise
        except Exception as error:
            call.finish(Status(grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}"))

    async def _intercepted(self, place: int, details: _Details) -> Any:
        if place < len(self._interceptors):
            interceptor: Any = self._interceptors[place]
            return await interceptor.intercept_service(lambda d: self._intercepted(place + 1, d), details)
        for each in self._handlers:
            handler: Any = each.service(details)  # type: ignore[arg-type]
            if handler is not None:
                return handler
        return None
