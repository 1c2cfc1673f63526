"""How a contract says no."""

from privysharing.chaincode.canonical import JsonValue, dumps
from privysharing.protocol.transactions import Response


class ContractError(Exception):
    """A refusal. Its response has a status of 400 or more, so no peer endorses it and nothing changes.

    `code` is stable and for programs, `message` for people. `needed` and `found` say what was required and what was
    there instead; leave them empty where they would tell a stranger more than that he is refused. `retry` says whether
    the same call can succeed later without its arguments changing.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        needed: str = "",
        found: str = "",
        retry: bool = False,
        status: int = 400,
    ) -> None:
        if status < 400:
            raise ValueError(f"a refusal needs a status of 400 or more, not {status}")
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.needed = needed
        self.found = found
        self.retry = retry
        self.status = status

    def __str__(self) -> str:
        return f"{self.code}: {self.message} (needed: {self.needed or '-'}; found: {self.found or '-'})"

    def to_response(self) -> Response:
        """Status and canonical JSON `{code, found, message, needed, retry}` in the response's message."""
        fields: dict[str, JsonValue] = {
            "code": self.code,
            "message": self.message,
            "needed": self.needed,
            "found": self.found,
            "retry": self.retry,
        }
        return Response(status=self.status, message=dumps(fields).decode())
