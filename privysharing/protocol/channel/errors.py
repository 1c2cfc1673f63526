"""Why a configuration, or a change of one, is not accepted."""

from privysharing.protocol.errors import ProtocolError


class InvalidConfig(ProtocolError):
    """The configuration contradicts itself or holds what no configuration may hold."""


class UnsupportedCapability(InvalidConfig):
    """The channel requires behaviour that this software does not have: processing its blocks would fork the peer."""


class ConfigUpdateRefused(ProtocolError):
    """The update does not apply to the configuration in force, or lacks the signatures that its policies ask for."""


class UnknownResource(ProtocolError):
    """No access rule, default or configured, names this resource."""
