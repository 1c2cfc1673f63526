"""The exceptions of the protocol room."""


class ProtocolError(Exception):
    """Something that the protocol's rules do not allow."""


class MalformedMessage(ProtocolError):
    """The bytes are not the message they claim to be. `message` names it when they cannot be read as any."""

    def __init__(self, text: str, *, message: str | None = None) -> None:
        super().__init__(text)
        self.message = message
