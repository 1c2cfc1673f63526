"""How the reads of a range are recorded: up to 50 as they are, more as hashes of a tree.

An endorser records with this what its contract was shown, and a committer repeats the range with it and compares
(rwsetutil/query_results_helper.go).
"""

import hashlib
from collections.abc import Sequence

from privysharing.protocol.codec.rwsets import encode_query_reads
from privysharing.protocol.rwsets import MerkleSummary, Read

# kvledger/txmgmt/txmgr query_executor.go: maxDegreeQueryReadsHashing
DEGREE_MAX = 50


class RangeReads:
    """Feed the results of a range in order; `done` gives what stands for them."""

    def __init__(self, degree_max: int = DEGREE_MAX) -> None:
        self._degree_max = degree_max
        self._pending: list[Read] = []
        self._levels: list[list[bytes]] = [[]]  # hashes by level; Fabric's level 1 is at index 0

    def add(self, read: Read) -> None:
        """The next result. A leaf takes one more read than a node may have children, as in Fabric."""
        self._pending.append(read)
        if len(self._pending) > self._degree_max:
            self._close_leaf()

    def done(self) -> tuple[tuple[Read, ...] | None, MerkleSummary | None]:
        """Either all the reads or their summary; neither when nothing was added. Call it once."""
        if len(self._levels) == 1 and not self._levels[0]:
            return (tuple(self._pending) or None), None
        if self._pending:
            self._close_leaf()
        self._lift_lower_levels()
        return None, MerkleSummary(self._degree_max, len(self._levels), tuple(self._levels[-1]))

    def _close_leaf(self) -> None:
        leaf = hashlib.sha256(encode_query_reads(self._pending)).digest()
        self._pending = []
        level = 0
        self._levels[0].append(leaf)
        while len(self._levels[level]) > self._degree_max:
            combined = _combine(self._levels[level])
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(combined)

    def _lift_lower_levels(self) -> None:
        for level, above in zip(self._levels, self._levels[1:], strict=False):
            if level:
                above.append(level[0] if len(level) == 1 else _combine(level))
        if len(self._levels[-1]) > self._degree_max:
            self._levels.append([_combine(self._levels[-1])])


def _combine(hashes: Sequence[bytes]) -> bytes:
    return hashlib.sha256(b"".join(hashes)).digest()
