"""What may be said about errors: to a log, and to a client in Fabric's words."""

import traceback

from privysharing.protocol.errors import MalformedMessage, ProtocolError

FRAMES_MAX = 8


def describe(error: BaseException) -> str:
    """An exception's type and where it came from, innermost first. Not what it says: that may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"


def go_text(error: ProtocolError) -> str:
    """How a Fabric peer puts it (protoutil unmarshalers.go)."""
    if isinstance(error, MalformedMessage) and error.message is not None:
        return f"error unmarshalling {error.message}: proto: cannot parse invalid wire-format data"
    return str(error)
