"""Whoever has said something has it on his platters already: looked for there, in the moment in which he is heard.

The judges find out in the end what a crash has taken. This finds out what one would have.
"""

from dataclasses import dataclass, field
from typing import Final

from services.orderer.channels import LOGS_FOLDER
from services.peer.layout import LEDGERS
from tests.simulation.computers import Disk
from tests.simulation.nodes import DATA
from tests.simulation.town import CHANNEL

LOG: Final = DATA / LOGS_FOLDER / CHANNEL
BLOCKS: Final = DATA / LEDGERS / CHANNEL / "blocks"


@dataclass(slots=True)
class Promises:
    """What nodes have said."""

    faults: list[str] = field(default_factory=list)
    _heights: dict[str, int] = field(default_factory=dict)  # that peers have told of

    def acknowledged(self, orderer: str, disk: Disk, envelope: bytes) -> None:
        """An orderer that keeps a log of its own has taken an envelope."""
        if envelope not in disk.platters(LOG):
            self.faults.append(f"{orderer} acknowledges an envelope of {len(envelope)} bytes that is not durable")

    def committed(self, peer: str, disk: Disk, tx_id: str) -> None:
        """A peer has told the fate of a transaction."""
        if tx_id.encode() not in disk.platters(BLOCKS):
            self.faults.append(f"{peer} tells of transaction {tx_id}, which is not durable")

    def grew(self, peer: str, height: int) -> None:
        """A peer has told of so many blocks."""
        self._heights[peer] = max(height, self._heights.get(peer, 0))

    def forget(self, peer: str) -> None:
        """A peer has lost its disk: what it has told, others are to be asked."""
        self._heights.pop(peer, None)

    def awoke(self, peer: str, height: int) -> None:
        """A peer begins again, with so many."""
        if height < self._heights.get(peer, 0):
            self.faults.append(f"{peer} has told of {self._heights[peer]} blocks and begins again with {height}")
