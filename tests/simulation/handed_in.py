"""What honest clients have handed in, to endorsers and to orderers, and what they were told of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from privysharing.sdk import Call, Channel, Endorsed
from privysharing.sdk.errors import OrderingRefused, Unavailable
from privysharing.sdk.profile import Node


@dataclass(slots=True)
class HandedIn:
    """Filled by the channels of clients that are listened to. `lies`: whether an orderer's word is worth nothing."""

    lies: Callable[[str], bool]
    acknowledged: dict[bytes, str] = field(default_factory=dict)  # envelopes, and by which orderer
    denied: list[bytes] = field(default_factory=list)  # that nobody took, as their clients were told
    transients: dict[str, Mapping[str, bytes]] = field(default_factory=dict)  # of transactions: no block has them
    _offered: set[bytes] = field(default_factory=set)

    def listen_to_proposals(self, channel: Channel) -> None:
        """Remember what endorsers are told beside a transaction."""
        endorse = channel.endorse

        async def noted(call: Call, endorsers: Sequence[Node] = (), *, believing: bool = True) -> Endorsed:
            endorsed = await endorse(call, endorsers, believing=believing)
            self.transients[endorsed.tx_id] = call.transient or {}
            return endorsed

        channel.endorse = noted  # type: ignore[method-assign]

    def listen_to_orders(self, channel: Channel, took: Callable[[str, bytes], None]) -> None:
        """Remember every envelope to which an orderer said SUCCESS; `took` is told at once."""
        order = channel.order

        async def noted(envelope: bytes, avoiding: str = "") -> str:
            again = envelope in self._offered
            self._offered.add(envelope)
            try:
                orderer = await order(envelope, avoiding)
            except (OrderingRefused, Unavailable):
                if not again:
                    self.denied.append(envelope)
                raise
            took(orderer, envelope)
            if envelope not in self.acknowledged or self.lies(self.acknowledged[envelope]):
                self.acknowledged[envelope] = orderer
            return orderer

        channel.order = noted  # type: ignore[method-assign]
