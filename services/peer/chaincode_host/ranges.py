"""Range queries as a simulation records them: what is recorded is what a Fabric peer would have fetched.

A Fabric peer hands its chaincode results in batches of 100 and looks one result further to know whether more follow;
the shim asks for the next batch when it hands out the last result of the one before. The read set holds what was
fetched, so a host without batches must fetch in the same steps, or its read sets differ (query_response_generator.go).
"""

from collections import deque
from collections.abc import Iterator

from privysharing.protocol.range_reads import RangeReads
from privysharing.protocol.rwsets import RangeQuery, Read, VersionedValue

# core/chaincode chaincode_support.go: MaxResultLimit
BATCH_RESULTS = 100
# sampleconfig core.yaml: ledger.state.totalQueryLimit
TOTAL_QUERY_LIMIT = 100_000


class RecordedRange:
    """Iterates over (key, value) of one range and remembers what was fetched for it."""

    def __init__(
        self, start: str, end: str, results: Iterator[tuple[str, VersionedValue]], limit: int = TOTAL_QUERY_LIMIT
    ) -> None:
        self._start = start
        self._requested_end = end
        self._results = results
        self._limit = limit
        self._reads = RangeReads()
        self._fetched = 0
        self._last_key = ""
        self._exhausted = False
        self._ended = False
        self._batch: deque[tuple[str, bytes]] = deque()
        self._ahead: tuple[str, bytes] | None = None
        self._fetch_batch()

    def __iter__(self) -> "RecordedRange":
        return self

    def __next__(self) -> tuple[str, bytes]:
        if not self._batch:
            raise StopIteration
        item = self._batch.popleft()
        if not self._batch and not self._ended:
            self._fetch_batch()
        return item

    def recorded(self) -> RangeQuery:
        """The range as the read set has it. Call it once, when the simulation is over."""
        reads, summary = self._reads.done()
        end = self._requested_end if self._exhausted else self._last_key
        return RangeQuery(self._start, end, self._exhausted, reads, summary)

    def _fetch_batch(self) -> None:
        if self._ahead is not None:
            self._batch.append(self._ahead)
            self._ahead = None
        while True:
            if self._fetched >= self._limit:
                self._ended = True
                return
            item = self._fetch()
            if item is None:
                self._ended = self._exhausted = True
                return
            if len(self._batch) == BATCH_RESULTS:
                self._ahead = item
                return
            self._batch.append(item)

    def _fetch(self) -> tuple[str, bytes] | None:
        found = next(self._results, None)
        if found is None:
            return None
        key, stored = found
        self._reads.add(Read(key, stored.version))
        self._fetched += 1
        self._last_key = key
        return key, stored.value
