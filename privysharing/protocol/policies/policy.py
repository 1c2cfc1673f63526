"""What every policy can do, and the policy that nobody meets."""

from collections.abc import Sequence
from typing import Protocol

from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.identity import Identity


class MalformedPolicy(ProtocolError):
    """A policy that cannot be evaluated."""


class Policy(Protocol):
    """Decides about identities whose signatures have been verified, in the order in which they came."""

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        """Whether these identities are enough."""


class RejectPolicy:
    """What stands in for a policy that is not defined (policies.rejectPolicy)."""

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        """Never."""
        return False
