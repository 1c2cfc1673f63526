"""Pushes private sets to those who may hold them, while their endorsement waits.

One peer of each member organisation first, then more, up to the collection's maximum. An acknowledgement means that the
set is durable there. Where one fails another is tried, while there are too few and there is time. Once as many have it
as must, the others have a moment to say so.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import member_msp_ids
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.dissemination import TooFewPeers
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.dissemination import NotSpread
from services.peer.private_data.fellows import Fellow, Fellows
from services.peer.private_data.keeping import Keeping
from services.peer.private_data.lines import LineLimits, PushLine, Sending
from services.peer.private_data.membership import may_hold, one_of_each_first
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.types import PrivateResults
from services.runtime.handover import Handover

Name = tuple[str, str]  # of a collection: namespace first

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushConfig:
    """core.yaml, peer.gossip.pvtData."""

    ack_seconds: float = 3.0  # pushAckTimeout: from the beginning of a push to the last acknowledgement that is needed
    grace_seconds: float = 0.25  # ours: for those that are not
    waiting_max: int = 2500  # ours: transactions that wait to be pushed to one peer
    waiting_bytes_max: int = 32 * 1024 * 1024  # ours: of their sets

    def __post_init__(self) -> None:
        if min(self.ack_seconds, self.grace_seconds) <= 0 or min(self.waiting_max, self.waiting_bytes_max) < 1:
            raise ValueError("peer.gossip.pvtData: pushAckTimeout and what may wait must be positive")


class Pushing:
    """See `dissemination.Dissemination`. Made on the event loop; any thread may call `spread`."""

    def __init__(
        self,
        me: bytes,
        msp_id: str,
        config: Callable[[], ChannelConfig],
        fellows: Fellows,
        keeping: Keeping,
        settings: PushConfig,
        metrics: ExchangeMetrics,
    ) -> None:
        """`me` is our own identity."""
        self._me = me
        self._msp_id = msp_id
        self._config = config
        self._fellows = fellows
        self._keeping = keeping
        self._settings = settings
        self._limits = LineLimits(settings.waiting_max, settings.waiting_bytes_max)
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._handed: Handover[tuple[PrivateResults, Future[None]]] = Handover(self._begin)
        self._lines: dict[Fellow, PushLine] = {}

    def spread(self, results: PrivateResults, more: bool = False) -> "Future[None]":
        """See `Dissemination.spread`."""
        done: Future[None] = Future()
        try:
            self._handed.post((results, done), more=more)
        except RuntimeError:  # its event loop has gone
            done.set_exception(NotSpread("this peer has stopped"))
        return done

    def _begin(self, handed: Sequence[tuple[PrivateResults, "Future[None]"]]) -> None:
        until = self._loop.time() + self._settings.ack_seconds
        for results, done in handed:
            refusal = self._refusal(results.collections)
            if refusal is None:
                _Spread(self, results, done, until).begin()
            else:
                done.set_exception(refusal)

    def _refusal(self, collections: Mapping[Name, CollectionConfig]) -> NotSpread | None:
        """Whoever may not hold a set does not make one either: nobody would take it from us."""
        config = self._config()
        try:
            me = config.msps.identity(self._me)
        except InvalidIdentity as error:
            return NotSpread(f"this peer is not of channel {config.channel_id}: {error}")
        for (namespace, name), collection in collections.items():
            if not may_hold(me, collection, config):
                return NotSpread(
                    f"this peer, of {me.msp_id}, is not a member of collection {name} of chaincode {namespace}, and "
                    "endorses no private data of it"
                )
        return None

    def keep(self, transaction: PushedTransaction) -> "asyncio.Future[None]":
        """In our own transient store."""
        return self._keeping.keep(transaction, self._msp_id)

    def members(self, collection: CollectionConfig) -> list[Fellow]:
        """Who may be pushed to, in the order in which they are to be."""
        return one_of_each_first(self._fellows.members(collection))

    @property
    def grace_seconds(self) -> float:
        """How long to wait for acknowledgements that are not needed."""
        return self._settings.grace_seconds

    async def call_back(self, collections: Iterable[CollectionConfig], until: float) -> None:
        """See who of the members is back."""
        organisations = frozenset[str]().union(*map(member_msp_ids, collections))
        await self._fellows.call_back(organisations, max(0.0, until - self._loop.time()))

    def send(self, fellow: Fellow, sending: Sending) -> None:
        """Push to one of them."""
        line = self._lines.get(fellow)
        if line is None:
            took = self._metrics.send.of(self._config().channel_id).observe
            line = self._lines[fellow] = PushLine(fellow, self._fellows, self._limits, took)
        line.put(sending)

    def count(self, fellow: Fellow, failure: str | None) -> None:
        """Tell what became of a push."""
        channel_id = self._config().channel_id
        self._metrics.pushed.of(channel_id, "failed" if failure else "acknowledged").inc()
        if failure:
            _log.warning(
                "a push of private data failed",
                extra={"channel": channel_id, "peer": fellow.source.address, "reason": failure},
            )


class _Spread:
    """One transaction's sets, on their way: settled when nothing is to be waited for any more."""

    def __init__(self, pushing: Pushing, results: PrivateResults, done: "Future[None]", until: float) -> None:
        self._pushing = pushing
        self._results = results
        self._done = done
        self._until = until
        self._open = 0  # what is to be waited for
        self._fault: BaseException | None = None
        self._reached: Counter[Name] = Counter()
        self._under_way: Counter[Name] = Counter()
        self._tried: dict[Name, set[Fellow]] = {name: set() for name in results.collections}
        self._called_back: asyncio.Task[None] | None = None
        self._is_kept = False
        self._grace: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Push, and keep."""
        results = self._results
        self._open += 1
        kept = self._pushing.keep(PushedTransaction(results.tx_id, results.height, results.sets))
        kept.add_done_callback(self._kept)
        self._push({name: collection.maximum_peer_count for name, collection in results.collections.items()})

    def _push(self, counts: Mapping[Name, int]) -> None:
        """Send the set of each collection to so many peers more."""
        names_of: dict[Fellow, list[Name]] = {}
        for name, count in counts.items():
            tried = self._tried[name]
            members = self._pushing.members(self._results.collections[name])
            chosen = [fellow for fellow in members if fellow not in tried][:count]
            tried.update(chosen)
            self._under_way[name] += len(chosen)
            for fellow in chosen:
                names_of.setdefault(fellow, []).append(name)
        for fellow, names in names_of.items():
            self._open += 1
            told = partial(self._told, fellow, names)
            self._pushing.send(fellow, Sending(self._part(names), self._until, told))
        self._call_back_if_short()

    def _part(self, names: Sequence[Name]) -> PushedTransaction:
        """What one peer is to have of it."""
        results = self._results
        sets = tuple(each for each in results.sets if (each.namespace, each.collection) in names)
        return PushedTransaction(results.tx_id, results.height, sets)

    def _told(self, fellow: Fellow, names: Sequence[Name], failure: str | None) -> None:
        self._pushing.count(fellow, failure)
        self._under_way.subtract(names)
        if failure is None:
            self._reached.update(names)
        else:
            self._push({name: short for name in names if (short := self._short_of(name)) > 0})
        self._step()

    def _kept(self, kept: "asyncio.Future[None]") -> None:
        self._is_kept = True
        self._fault = kept.exception()
        self._step()

    def _short_of(self, name: Name) -> int:
        """How many peers more are needed than have a collection's set, or may be about to."""
        return self._results.collections[name].required_peer_count - self._reached[name] - self._under_way[name]

    def _call_back_if_short(self) -> None:
        """Too few answer: those that did not may be back. Asked once."""
        if self._called_back is None and any(self._short_of(name) > 0 for name in self._results.collections):
            self._open += 1
            self._called_back = asyncio.create_task(self._push_to_who_is_back())

    async def _push_to_who_is_back(self) -> None:
        collections = self._results.collections
        short = [name for name in collections if self._short_of(name) > 0]
        await self._pushing.call_back([collections[name] for name in short], self._until)
        self._push({name: max(0, self._short_of(name)) for name in short})
        self._step()

    def _step(self) -> None:
        """One thing less to wait for."""
        self._open -= 1
        if not self._open:
            self._settle()
        elif self._grace is None and self._is_kept and self._shortage() is None:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(self._pushing.grace_seconds, self._settle)

    def _settle(self) -> None:
        """Once; what comes later was not needed."""
        if self._grace is not None:
            self._grace.cancel()
        if self._done.done():
            return
        fault = self._fault or self._shortage()
        if fault is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(fault)

    def _shortage(self) -> NotSpread | None:
        for (namespace, name), collection in self._results.collections.items():
            reached = self._reached[namespace, name]
            if reached < collection.required_peer_count:
                return NotSpread(str(TooFewPeers(namespace, name, collection.required_peer_count, reached)))
        return None
