"""What running chaincode needs of the rest of the peer."""

from collections.abc import Sequence
from typing import Protocol

from privysharing.chaincode.stub import Stub
from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.transactions import Response
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.dissemination import Dissemination
from services.peer.private_data.types import PrivateValues


class JoinRefused(Exception):
    """A peer cannot join a channel; the text says why, for its operator."""


class Channel(Protocol):
    """A channel that this peer has joined."""

    @property
    def config(self) -> ChannelConfig:
        """The configuration in force now."""
        ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def private_values(self) -> PrivateValues:
        """What this peer holds of the channel's private data."""
        ...

    @property
    def dissemination(self) -> Dissemination:
        """Where private writes go before they are endorsed."""
        ...

    @property
    def stopped(self) -> str | None:
        """Why the channel commits nothing any more, and nothing may be endorsed on it; None while all is well."""
        ...


class Channels(Protocol):
    """The channels of this peer. Any thread asks."""

    def get(self, channel_id: str) -> Channel | None:
        """A channel, None when this peer has not joined it."""
        ...

    def ids(self) -> Sequence[str]:
        """The channels joined."""
        ...

    def join(self, genesis: Block) -> None:
        """Join the channel of a configuration block; done when this returns. Raises JoinRefused."""
        ...


class Contract(Protocol):
    """A contract as the host runs it (privysharing.chaincode.contract.Contract)."""

    def invoke(self, stub: Stub) -> Response:
        """Answer one call."""
        ...
