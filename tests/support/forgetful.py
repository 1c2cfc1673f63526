"""A SOCKS5 proxy that now and then loses what was answered: what was asked has happened all the same."""

import asyncio
from contextlib import ExitStack, suppress

_GREETING = b"\x05\x00"  # no authentication
_CONNECTED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


class ForgetfulProxy:
    """Each mark that goes by on its way out costs the connection the next answer, and itself; once."""

    def __init__(self, *marks: bytes) -> None:
        self._marks = set(marks)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.lost = 0

    async def start(self) -> str:
        """Serve; the URL to use."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=16 * 1024 * 1024)
        port = self._server.sockets[0].getsockname()[1]
        return f"socks5://127.0.0.1:{port}"

    async def stop(self) -> None:
        """Serve nobody any more."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with suppress(OSError, asyncio.IncompleteReadError), ExitStack() as open_ones:
            open_ones.callback(writer.close)
            await reader.readexactly((await reader.readexactly(2))[1])
            writer.write(_GREETING)
            far_reader, far_writer = await asyncio.open_connection(*await _wanted(reader))
            open_ones.callback(far_writer.close)
            writer.write(_CONNECTED)
            await self._relay(reader, writer, far_reader, far_writer)

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        losing = asyncio.Event()

        async def out() -> None:
            seen = b""
            while data := await reader.read(65536):
                seen = seen[-200:] + data
                for mark in [mark for mark in self._marks if mark in seen]:
                    self._marks.discard(mark)
                    losing.set()
                far_writer.write(data)

        async def back() -> None:
            while data := await far_reader.read(65536):
                if losing.is_set():
                    self.lost += 1
                    return
                writer.write(data)

        tasks = [asyncio.create_task(out()), asyncio.create_task(back())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _wanted(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Where a client wants to be connected to (RFC 1928, section 4)."""
    kind = (await reader.readexactly(4))[3]
    if kind == 1:
        host = ".".join(str(byte) for byte in await reader.readexactly(4))
    else:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    return host, int.from_bytes(await reader.readexactly(2), "big")
