"""Whether a peer keeps up with the blocks that come, as far as its own pipeline shows."""

from typing import Final

# 600 calls in flight leave some 20 blocks behind a hiccup; a peer that was away lacks thousands.
BEHIND_BLOCKS: Final = 100


class Backlog:
    """Counts blocks: one more for each that finds the pipeline full, else one less."""

    def __init__(self) -> None:
        self._blocks = 0

    def is_behind(self, *, pipeline_full: bool) -> bool:
        """Whether the block that comes now is one of many. It takes as many with room to spare to be over."""
        self._blocks = min(self._blocks + 1, 2 * BEHIND_BLOCKS) if pipeline_full else max(self._blocks - 1, 0)
        return self._blocks > BEHIND_BLOCKS
