"""Whether a peer is far behind, as far as its own pipeline shows."""

from typing import Final

# 600 calls in flight leave some 20 blocks behind a hiccup; a peer that was away lacks thousands.
FAR_BLOCKS: Final = 100


class Backlog:
    """Blocks that came faster than they were stored: one more for each that finds the pipeline full, else one less."""

    def __init__(self) -> None:
        self._blocks = 0

    def is_far(self, *, pipeline_full: bool) -> bool:
        """Whether the block that comes now is one of many. It takes as many with room to spare to be over."""
        self._blocks = min(self._blocks + 1, 2 * FAR_BLOCKS) if pipeline_full else max(self._blocks - 1, 0)
        return self._blocks > FAR_BLOCKS
