"""What every policy can do, how it remembers what it decided, and the policy that nobody meets."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Protocol

from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.identity import Identity

DECISIONS_KEPT_MAX: Final = 1024  # per policy


class MalformedPolicy(ProtocolError):
    """A policy that cannot be evaluated."""


class Policy(Protocol):
    """Decides about identities whose signatures have been verified, in the order in which they came."""

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        """Whether these identities are enough."""


class RememberingPolicy(ABC):
    """A policy that decides once about the same identities, and mostly it is asked about the same ones.

    An `Identity` stands for its bytes under one configuration, and so does a policy: a new configuration makes new
    ones of both. Any thread may ask.
    """

    def __init__(self) -> None:
        self._decided: dict[tuple[Identity, ...], bool] = {}

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        """Whether these identities, in this order, are enough."""
        asked = tuple(identities)
        decided = self._decided.get(asked)
        if decided is None:
            if len(self._decided) >= DECISIONS_KEPT_MAX:
                self._decided.clear()
            decided = self._decided[asked] = self._decide(asked)
        return decided

    @abstractmethod
    def _decide(self, identities: Sequence[Identity]) -> bool: ...


class RejectPolicy:
    """What stands in for a policy that is not defined (policies.rejectPolicy)."""

    def evaluate(self, identities: Sequence[Identity]) -> bool:
        """Never."""
        return False
