"""Which orderers live: asked of any of them."""

import grpc

from privysharing.protocol.codec.orderers import parse_live_orderers
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.orderers import LiveOrderer
from privysharing.rpc.errors import NodeError, node_error

METHOD = "/privysharing.v1.OrdererDirectory/Live"


async def live_orderers(node: str, channel: grpc.aio.Channel, timeout_s: float = 5.0) -> tuple[LiveOrderer, ...]:
    """Those that `node` knows of, itself among them. Raises NodeError."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    try:
        return parse_live_orderers(await call(b"", timeout=timeout_s))
    except grpc.aio.AioRpcError as error:
        raise node_error(node, error) from None
    except MalformedMessage as error:
        raise NodeError(node, str(error)) from None
