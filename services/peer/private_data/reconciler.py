"""Gets what a commit went without, in the background: newest first, from whoever has it."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.private_data import PrivateSet
from privysharing.rpc.errors import NodeError
from privysharing.rpc.outside import Outside
from services.peer.ledger.types import LedgerPort
from services.peer.notifier import ChannelStopped, CommitNotifier
from services.peer.private_data.collections import Collections
from services.peer.private_data.fellows import Fellow, Fellows
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.pulling import Name, Puller, by_collection
from services.peer.private_data.types import Missing, Place, PrivateData

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerConfig:
    """core.yaml, peer.gossip.pvtData. How pauses grow is ours."""

    batch: int = 64  # reconcileBatchSize; Fabric asks for 10
    pause_seconds_min: float = 0.5
    pause_seconds_max: float = 60.0  # reconcileSleepInterval
    answer_seconds: float = 5.0
    looked_at_max: int = 10_000  # missing sets in a round; the next one goes on with older ones

    def __post_init__(self) -> None:
        if not 0 < self.pause_seconds_min <= self.pause_seconds_max or self.batch < 1:
            raise ValueError("peer.gossip.pvtData: reconcileBatchSize and reconcileSleepInterval must be positive")


class Reconciler:
    """Of one channel. Runs when it is woken, and after pauses that grow while nothing is found.

    Also when nothing was missing: a definition by which this peer becomes a member wakes nobody.
    """

    def __init__(
        self,
        ledger: LedgerPort,
        private: PrivateData,
        config: Callable[[], ChannelConfig],
        notifier: CommitNotifier,
        fellows: Fellows,
        puller: Puller,
        outside: Outside,
        settings: ReconcilerConfig,
        metrics: ExchangeMetrics,
    ) -> None:
        self._ledger = ledger
        self._private = private
        self._config = config
        self._notifier = notifier
        self._fellows = fellows
        self._puller = puller
        self._outside = outside
        self._settings = settings
        self._metrics = metrics
        self._awake = asyncio.Event()
        self._awake.set()
        self._newest = 0  # block that was committed without something
        self._before: Place | None = None  # where the last round ended, if there was more

    def wake(self) -> None:
        """A fellow is back: what nobody had may be had."""
        self._awake.set()

    def incomplete(self, block_num: int) -> None:
        """This block is about to be committed without something."""
        self._newest = max(self._newest, block_num)
        self._awake.set()

    async def run(self) -> None:
        """Reconcile for ever. Raises ChannelStopped, StorageError."""
        failures = 0
        while True:
            self._awake.clear()
            await self._notifier.above(self._newest)
            found = await self._reconcile()
            failures = 0 if found else failures + 1
            try:
                async with asyncio.timeout(self._pause(failures)):
                    await self._awake.wait()
                    failures = 0
            except TimeoutError:
                pass

    def _pause(self, failures: int) -> float:
        longest, shortest = self._settings.pause_seconds_max, self._settings.pause_seconds_min
        pause = min(longest, shortest * 2 ** min(failures, 30))
        return float(pause * (0.75 + self._outside.random_bytes(1)[0] / 512))

    async def _reconcile(self) -> int:
        """One round through what is missing; how much was found."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        looked_at_max = self._settings.looked_at_max
        missing = await asyncio.to_thread(self._private.missing, looked_at_max, self._before)
        self._before = missing[-1].place if len(missing) == looked_at_max else None
        found = 0
        for name, sets in by_collection(missing).items():
            for start in range(0, len(sets), self._settings.batch):
                found += await self._reconcile_batch(name, sets[start : start + self._settings.batch])
        left = await asyncio.to_thread(self._count)
        if missing:
            self._metrics.reconciliation.of(self._ledger.channel_id).observe(loop.time() - began)
            _log.info(
                "looked for missing private data",
                extra={"channel": self._ledger.channel_id, "found": found, "left": left},
            )
        return found

    def _count(self) -> int:
        left = sum(self._private.missing_count().values())
        self._metrics.missing.of(self._ledger.channel_id).set(left)
        return left

    async def _reconcile_batch(self, name: Name, missing: Sequence[Missing]) -> int:
        """Ask one fellow after the other for what is still missing of these sets; how many were found."""
        collection = Collections(self._ledger.view, self._config()).find(*name)
        if collection is None:
            return 0
        lacking = {each.place: each for each in missing}
        for fellow in self._fellows.members(collection):
            if not lacking:
                break
            try:
                pulled = await self._puller.pull(fellow, name, list(lacking.values()), self._settings.answer_seconds)
            except NodeError as error:
                _log.info("cannot reconcile", extra={"peer": fellow.source.address, "reason": error.reason})
                continue
            for place in await self._store(fellow, {**pulled.whole, **pulled.trimmed}):
                del lacking[place]
        return len(missing) - len(lacking)

    async def _store(self, fellow: Fellow, found: Mapping[Place, PrivateSet]) -> Sequence[Place]:
        """What is stored of this by now; whoever served wrong data is asked no more.

        What a purge has taken more from than is gone here is right, and yet not enough: another fellow may have it.
        """
        if not found:
            return ()
        wrong = await asyncio.to_thread(self._private.reconciled, found)
        if wrong:
            self._puller.accuse(fellow, f"not the keys and values of block {wrong[0].block_num}")
        return await asyncio.to_thread(lambda: [place for place in found if self._private.get_set(place) is not None])


__all__ = ["ChannelStopped", "Reconciler", "ReconcilerConfig"]
