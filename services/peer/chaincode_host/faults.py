"""What may be said about errors: to a log, and to a client in Fabric's words."""

import re
import traceback

from privysharing.protocol.errors import ProtocolError

FRAMES_MAX = 8
_UNREADABLE = re.compile(r"not a (?:\w+\.)*(\w+)")


def describe(error: BaseException) -> str:
    """An exception's type and where it came from, innermost first. Not what it says: that may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__} at {where}"


def unreadable(error: ProtocolError) -> str | None:
    """The message that some bytes should have been and are not; None for any other error."""
    found = _UNREADABLE.fullmatch(str(error))
    return found[1] if found else None


def go_text(error: ProtocolError) -> str:
    """How a Fabric peer puts it (protoutil unmarshalers.go)."""
    message = unreadable(error)
    if message is None:
        return str(error)
    return f"error unmarshalling {message}: proto: cannot parse invalid wire-format data"
