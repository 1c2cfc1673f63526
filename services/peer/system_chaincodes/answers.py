"""The two answers that a system chaincode gives (shim.Success and shim.Error)."""

from privysharing.protocol.transactions import Response

OK = 200
ERROR = 500


def success(payload: bytes = b"") -> Response:
    """A result."""
    return Response(OK, payload=payload)


def error(message: str) -> Response:
    """A refusal."""
    return Response(ERROR, message)


def text(raw: bytes) -> str:
    """An argument in a message: whatever it is, the message is valid UTF-8."""
    return raw.decode(errors="replace")
