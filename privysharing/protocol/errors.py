"""The exceptions of the protocol room."""


class ProtocolError(Exception):
    """Something that the protocol's rules do not allow."""


class MalformedMessage(ProtocolError):
    """The bytes are not the message they claim to be."""
