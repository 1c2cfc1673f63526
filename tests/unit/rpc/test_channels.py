"""Connections to nodes that are slow to answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from privysharing.protocol.transactions import ProposalResponse, Response
from privysharing.rpc.channels import open_channel
from privysharing.rpc.endorser import EndorserClient
from tests.support.nodes import endorsing, serving

FINE = ProposalResponse(Response(200, "fine"), b"signed")


@asynccontextmanager
async def slow_relay(port: int, delay_s: float) -> AsyncIterator[int]:
    """A port that passes everything on to another one, but answers only after a while."""

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, there[1], 0), copy(there[0], writer, delay_s), return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_node_may_take_its_time_to_shake_hands() -> None:
    async with serving(endorsing(lambda: FINE)) as port, slow_relay(port, 1.0) as slow:
        channel = open_channel(f"127.0.0.1:{slow}", None)
        assert await EndorserClient("peer", channel).process_proposal(b"", 10) == FINE
        await channel.close()
