"""Blocks over a real connection: what the service sends is what the client yields."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import pytest

from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codes import Status
from privysharing.protocol.deliver import NEWEST, OLDEST, SeekInfo, SeekPosition
from privysharing.rpc.channels import ClientTls, open_channel
from privysharing.rpc.deliver import PEER_BLOCKS, DeliverClient, DeliverRefused
from privysharing.rpc.errors import NodeError, NodeUnavailable
from services.peer.rpc import DeliverRpc
from services.runtime.config import Address
from services.runtime.grpcserver import ServerTls, grpc_server, listen
from services.runtime.metrics import Registry
from tests.support.deliveries import Room
from tests.support.ordering import CHANNEL, CITY
from tests.support.tls import TLS_CA, loopback_pair

ALL = SeekInfo(OLDEST, NEWEST)
FOREVER = SeekInfo(NEWEST, SeekPosition.at(2**64 - 1))
CA = TLS_CA
SERVER, CLIENT = loopback_pair("server"), loopback_pair("client")
ANY_TIME_NS = 1000 * 365 * 24 * 3600 * 10**9  # the room's clock stands where its people's certificates are valid


@asynccontextmanager
async def served(room: Room) -> AsyncIterator[int]:
    """A peer's Deliver service behind mutual TLS; the port."""
    server = grpc_server(Registry())
    server.add_generic_rpc_handlers((DeliverRpc(room.deliveries, binds_to_certificate=True).handler(),))
    port = listen(server, Address("127.0.0.1", 0), ServerTls(SERVER.pem, SERVER.key_pem, CA.pem))
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@asynccontextmanager
async def client(port: int, *, certificate_hash: bytes | None = None) -> AsyncIterator[DeliverClient]:
    tls = ClientTls(CA.pem, CLIENT.pem, CLIENT.key_pem)
    channel = open_channel(f"127.0.0.1:{port}", tls)
    try:
        claimed = tls.certificate_hash if certificate_hash is None else certificate_hash
        yield DeliverClient("peer0", channel, CITY.peer, claimed)
    finally:
        await channel.close()


async def test_blocks_arrive_as_they_are_stored() -> None:
    room = Room(window_ns=ANY_TIME_NS)
    async with served(room) as port, client(port) as deliver:
        found = [raw async for raw in deliver.blocks(CHANNEL, ALL, method=PEER_BLOCKS)]
    assert found == [room.ledger.block_bytes(number) for number in range(3)]


async def test_filtered_blocks_arrive_parsed() -> None:
    async with served(Room(window_ns=ANY_TIME_NS)) as port, client(port) as deliver:
        assert [block.number async for block in deliver.filtered_blocks(CHANNEL, ALL)] == [0, 1, 2]


async def test_a_refusal_bears_its_status() -> None:
    async with served(Room(window_ns=ANY_TIME_NS)) as port, client(port) as deliver:
        with pytest.raises(DeliverRefused, match="peer0: delivery ended with NOT_FOUND") as caught:
            await anext(deliver.blocks("nowhere", ALL, method=PEER_BLOCKS))
        assert caught.value.status is Status.NOT_FOUND


async def test_a_request_bound_to_another_connection_is_refused() -> None:
    async with served(Room(window_ns=ANY_TIME_NS)) as port, client(port, certificate_hash=b"\x00" * 32) as deliver:
        with pytest.raises(DeliverRefused, match="BAD_REQUEST"):
            await anext(deliver.blocks(CHANNEL, ALL, method=PEER_BLOCKS))


async def test_a_node_that_is_not_there_is_unavailable() -> None:
    async with client(1) as deliver:
        with pytest.raises(NodeUnavailable, match="peer0"):
            await anext(deliver.blocks(CHANNEL, ALL, method=PEER_BLOCKS))


async def test_a_client_without_a_certificate_gets_no_connection() -> None:
    async with served(Room(window_ns=ANY_TIME_NS)) as port:
        channel = open_channel(f"127.0.0.1:{port}", ClientTls(CA.pem))
        with pytest.raises(NodeUnavailable):
            await anext(DeliverClient("peer0", channel, CITY.peer).blocks(CHANNEL, ALL, method=PEER_BLOCKS))
        await channel.close()


async def test_who_hangs_up_leaves_no_stream_behind() -> None:
    room = Room(window_ns=ANY_TIME_NS)
    async with served(room) as port, client(port) as deliver:
        async with aclosing(deliver.blocks(CHANNEL, FOREVER, method=PEER_BLOCKS)) as blocks:
            assert parse_block(await anext(blocks)).header.number == 2
        await room.closed_streams(1)


async def test_a_stream_that_breaks_off_is_an_error_and_no_end() -> None:
    async def breaks_off(requests: AsyncIterator[bytes], context: object) -> AsyncIterator[bytes]:
        async for _ in requests:
            return
            yield b""

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Deliver": grpc.stream_stream_rpc_method_handler(breaks_off)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("protos.Deliver", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = open_channel(f"127.0.0.1:{port}", None)
    with pytest.raises(NodeError, match="hung up in the middle"):
        await anext(DeliverClient("peer0", channel, CITY.peer).blocks(CHANNEL, ALL, method=PEER_BLOCKS))
    await channel.close()
    await server.stop(None)


def test_the_certificate_hash_is_of_the_leaf_whatever_stands_around_it() -> None:
    alone = ClientTls(CA.pem, CLIENT.pem, CLIENT.key_pem).certificate_hash
    chained = ClientTls(CA.pem, b"comment\n" + CLIENT.pem + CA.pem, CLIENT.key_pem).certificate_hash
    assert alone == chained
    assert ClientTls(CA.pem).certificate_hash == b""
