"""privysharing.v1.LiveOrderers."""

from collections.abc import Iterable

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.orderers import LiveOrderer
from privysharing.wire.privysharing.v1 import orderers_pb2


def parse_live_orderers(raw: bytes) -> tuple[LiveOrderer, ...]:
    """Read a list of live orderers."""
    found = decode(orderers_pb2.LiveOrderers, raw).orderers
    return tuple(LiveOrderer(each.host, each.port, each.msp_id) for each in found)


def encode_live_orderers(orderers: Iterable[LiveOrderer]) -> bytes:
    """A list of live orderers."""
    message = orderers_pb2.LiveOrderers()
    for each in orderers:
        message.orderers.add(host=each.host, port=each.port, msp_id=each.msp_id)
    return message.SerializeToString()
