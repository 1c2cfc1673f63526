"""Keeps private sets, and pushes them to those who may hold them, while their endorsement waits.

First they are durable here: so whoever is pushed to knows that, and need not push them back. Then one peer of each
member organisation gets them, then more, up to the collection's maximum. An acknowledgement means that the set is
durable there. Where one fails another is tried, while there are too few and there is time. Once as many have it as
must, the others have a moment to say so. Transactions that write to the same collections go together if they can.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import member_msp_ids
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.dissemination import TooFewPeers
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.private_data import PushedTransaction
from services.peer.private_data.dissemination import NotSpread
from services.peer.private_data.fellows import Fellow, Fellows
from services.peer.private_data.keeping import Keeping
from services.peer.private_data.lines import LineLimits, PushLine, Sending, ToldEach, in_messages
from services.peer.private_data.membership import may_hold, one_of_each_first
from services.peer.private_data.metrics import REASON_LOGGED_MAX, ExchangeMetrics
from services.peer.private_data.types import PrivateResults
from services.runtime.handover import Handover, Told

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


@dataclass(frozen=True, slots=True)
class _Handed:
    """What is to be spread, and whom to tell."""

    results: PrivateResults
    told: Told = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, of what may be large."""
        return self.results.size


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
        self._limits = LineLimits(settings.waiting_max, settings.waiting_bytes_max, settings.ack_seconds / 10)
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._handed: Handover[_Handed] = Handover(self._begin)
        self._begun: set[asyncio.Task[None]] = set()
        self._lines: dict[Fellow, PushLine] = {}

    def spread(self, results: PrivateResults, told: Told, more: bool = False) -> None:
        """See `Dissemination.spread`."""
        try:
            self._handed.post(_Handed(results, told), more=more)
        except RuntimeError:  # its event loop has gone
            told(NotSpread("this peer has stopped"), False)

    def _begin(self, handed: Sequence[_Handed]) -> None:
        until = self._loop.time() + self._settings.ack_seconds
        for collections, alike in groupby(handed, lambda each: each.results.collections):
            refusal = self._refusal(collections)
            for some in in_messages(alike):
                if refusal is not None:
                    _tell(some, refusal)
                    continue
                begun = self._loop.create_task(self._spread(some, collections, until))
                self._begun.add(begun)
                begun.add_done_callback(self._begun.discard)

    async def _spread(
        self, some: Sequence[_Handed], collections: Mapping[Name, CollectionConfig], until: float
    ) -> None:
        """Keep them; then push those that others do not hold yet.

        While too few are there nothing is kept: whoever is refused tries again, under another id each time.
        """
        shortage = await self._shortage(collections, until)
        if shortage is not None:
            _tell(some, shortage)
            return
        transactions = [PushedTransaction(each.results.tx_id, each.results.height, each.results.sets) for each in some]
        by_holders: dict[frozenset[bytes], list[_Handed]] = {}
        for each, kept in zip(some, await self._keeping.keep(transactions, self._msp_id), strict=True):
            if kept.fault is not None:
                each.told(kept.fault, False)
            else:
                by_holders.setdefault(frozenset(kept.holders), []).append(each)
        for holders, alike in by_holders.items():
            _Spread(self, alike, collections, until).begin(holders)

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

    async def _shortage(self, collections: Mapping[Name, CollectionConfig], until: float) -> NotSpread | None:
        """Why nothing can come of it, though those that did not answer were greeted once more."""
        short = [each for each in collections.values() if len(self.present(each)) < each.required_peer_count]
        if not short:
            return None
        await self.call_back(short, until)
        return _shortage(collections, {name: len(self.present(each)) for name, each in collections.items()})

    def present(self, collection: CollectionConfig) -> AbstractSet[bytes]:
        """Identities of those that may be pushed to."""
        return self._fellows.present(collection).keys()

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

    def send(self, fellow: Fellow, transactions: Sequence[PushedTransaction], until: float, told: ToldEach) -> None:
        """Push to one of them."""
        line = self._lines.get(fellow)
        if line is None:
            took = self._metrics.send.of(self._config().channel_id).observe
            line = self._lines[fellow] = PushLine(fellow, self._fellows, self._limits, took)

        def count_and_tell(failures: Sequence[str | None]) -> None:
            self._count(fellow, failures)
            told(failures)

        line.put(Sending(transactions, until, count_and_tell))

    def _count(self, fellow: Fellow, failures: Sequence[str | None]) -> None:
        """And log one reason of each message's: a peer that lies fills no disk with them."""
        channel_id = self._config().channel_id
        reasons = [failure for failure in failures if failure]
        self._metrics.pushed.of(channel_id, "acknowledged").inc(len(failures) - len(reasons))
        if reasons:
            self._metrics.pushed.of(channel_id, "failed").inc(len(reasons))
            _log.warning(
                "a push of private data failed",
                extra={
                    "channel": channel_id,
                    "peer": fellow.source.address,
                    "reason": reasons[0][:REASON_LOGGED_MAX],
                    "transactions": len(reasons),
                },
            )


class _Spread:
    """Transactions that write to the same collections, on their way: settled when nothing is to be waited for any more.

    They go together as long as they fare alike.
    """

    def __init__(
        self, pushing: Pushing, some: Sequence[_Handed], collections: Mapping[Name, CollectionConfig], until: float
    ) -> None:
        self._pushing = pushing
        self._some = some
        self._collections = collections
        self._until = until
        self._open = 0  # what is to be waited for
        self._reached: Counter[Name] = Counter()
        self._under_way: Counter[Name] = Counter()
        self._tried: dict[Name, set[bytes]] = {name: set() for name in collections}  # one peer may have two addresses
        self._called_back: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._settled = False
        self._apart: list[_Spread] = []  # each by itself, since they did not fare alike

    def begin(self, holders: AbstractSet[bytes]) -> None:
        """Push to others than these, who have it all."""
        self._open += 1
        counts: dict[Name, int] = {}
        for name, collection in self._collections.items():
            holding = holders & self._pushing.present(collection)
            self._tried[name] |= holding
            self._reached[name] = len(holding)
            counts[name] = max(0, collection.maximum_peer_count - len(holding))
        self._push(counts)
        self._step()

    def _push(self, counts: Mapping[Name, int]) -> None:
        """Send the set of each collection to so many peers more."""
        names_of: dict[Fellow, list[Name]] = {}
        for name, count in counts.items():
            tried = self._tried[name]
            members = self._pushing.members(self._collections[name])
            chosen = [fellow for fellow in members if fellow.serialized not in tried][:count]
            tried.update([fellow.serialized for fellow in chosen])
            self._under_way[name] += len(chosen)
            for fellow in chosen:
                names_of.setdefault(fellow, []).append(name)
        for fellow, names in names_of.items():
            self._open += 1
            parts = [_part(each.results, names) for each in self._some]
            self._pushing.send(fellow, parts, self._until, partial(self._told, names))
        self._call_back_if_short()

    def _told(self, names: Sequence[Name], failures: Sequence[str | None]) -> None:
        if self._settled:
            return
        if not self._apart and any(failures) and not all(failures):
            self._go_apart()
        if self._apart:
            for each, failure in zip(self._apart, failures, strict=True):
                each._told(names, [failure])
            return
        self._under_way.subtract(names)
        if failures[0] is None:
            self._reached.update(names)
        else:
            self._push({name: short for name in names if (short := self._short_of(name)) > 0})
        self._step()

    def _go_apart(self) -> None:
        """What is under way is under way for each of them."""
        if self._grace is not None:
            self._grace.cancel()
        for one in self._some:
            alone = _Spread(self._pushing, [one], self._collections, self._until)
            alone._open, alone._called_back = self._open, self._called_back
            alone._reached, alone._under_way = self._reached.copy(), self._under_way.copy()
            alone._tried = {name: set(tried) for name, tried in self._tried.items()}
            self._apart.append(alone)

    def _short_of(self, name: Name) -> int:
        """How many peers more are needed than have a collection's set, or may be about to."""
        return self._collections[name].required_peer_count - self._reached[name] - self._under_way[name]

    def _call_back_if_short(self) -> None:
        """Too few answer: those that did not may be back. Asked once."""
        if self._called_back is None and any(self._short_of(name) > 0 for name in self._collections):
            self._open += 1
            self._called_back = asyncio.create_task(self._push_to_who_is_back())

    async def _push_to_who_is_back(self) -> None:
        short = [name for name in self._collections if self._short_of(name) > 0]
        await self._pushing.call_back([self._collections[name] for name in short], self._until)
        for each in self._apart or [self]:
            each._push({name: max(0, each._short_of(name)) for name in short})
            each._step()

    def _step(self) -> None:
        """One thing less to wait for."""
        self._open -= 1
        if not self._open:
            self._settle()
        elif self._grace is None and self._shortage() is None:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(self._pushing.grace_seconds, self._settle)

    def _settle(self) -> None:
        """Once; what comes later was not needed."""
        if self._grace is not None:
            self._grace.cancel()
        if not self._settled:
            self._settled = True
            _tell(self._some, self._shortage())

    def _shortage(self) -> NotSpread | None:
        return _shortage(self._collections, self._reached)


def _shortage(collections: Mapping[Name, CollectionConfig], reached: Mapping[Name, int]) -> NotSpread | None:
    for name, collection in collections.items():
        if reached[name] < collection.required_peer_count:
            return NotSpread(str(TooFewPeers(*name, collection.required_peer_count, reached[name])))
    return None


def _part(results: PrivateResults, names: Sequence[Name]) -> PushedTransaction:
    """What one peer is to have of it."""
    sets = tuple([each for each in results.sets if (each.namespace, each.collection) in names])
    return PushedTransaction(results.tx_id, results.height, sets)


def _tell(some: Sequence[_Handed], fault: NotSpread | None) -> None:
    """All of them, in one go."""
    for number, each in enumerate(some, start=1):
        each.told(fault, number < len(some))
