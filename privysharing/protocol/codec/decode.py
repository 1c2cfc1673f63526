"""The one way in which bytes become a generated message."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from privysharing.protocol.errors import MalformedMessage

M = TypeVar("M", bound=Message)


def decode(kind: type[M], raw: bytes) -> M:
    """Read `raw` as a message of type `kind`; raise MalformedMessage, which names the type, when it is none."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise MalformedMessage(f"not a {kind.DESCRIPTOR.full_name}", message=kind.DESCRIPTOR.name) from None
