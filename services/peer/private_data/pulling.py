"""Finds private sets that a block needs and this peer has not got: asks its fellows, once."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.crypto import sha256
from privysharing.protocol.private_data import WANTED_MAX, PrivateSet, Pull, PullAnswer, WantedSet
from privysharing.protocol.values import value
from privysharing.rpc.errors import NodeError
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.collections import Collections
from services.peer.private_data.fellows import Fellow, Fellows
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.types import Missing, Place

FELLOWS_ASKED: Final = 3  # of those that may have a set, for one block

Name = tuple[str, str]  # of a collection: namespace first

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullConfig:
    """core.yaml, peer.gossip.pvtData."""

    seconds_max: float = 1.0  # pullRetryThreshold: how long a commit waits for fellows; Fabric waits a minute

    def __post_init__(self) -> None:
        if self.seconds_max < 0:
            raise ValueError("peer.gossip.pvtData.pullRetryThreshold must not be negative")


@value
class Pulled:
    """What a fellow had: whole sets, whose hashes are right, and those that it says a purge took keys from."""

    whole: Mapping[Place, PrivateSet] = field(repr=False)
    trimmed: Mapping[Place, PrivateSet] = field(repr=False)


class Puller:
    """Asks one fellow for sets of one collection, and looks at what comes."""

    def __init__(self, fellows: Fellows, channel_id: str, metrics: ExchangeMetrics) -> None:
        self._fellows = fellows
        self._channel_id = channel_id
        self._metrics = metrics

    async def pull(self, fellow: Fellow, name: Name, missing: Sequence[Missing], timeout_s: float) -> Pulled:
        """What it has of at most WANTED_MAX sets. Raises NodeError. A liar has nothing, and is noted as one."""
        wanted = tuple(
            WantedSet(each.tx_id, each.place.block_num, each.place.tx_num, each.rwset_hash) for each in missing
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self._fellows.ask(fellow, Pull(*name, wanted), timeout_s)
        self._metrics.pull.of(self._channel_id).observe(loop.time() - began)
        whole: dict[Place, PrivateSet] = {}
        trimmed: dict[Place, PrivateSet] = {}
        for found in answer.found if isinstance(answer, PullAnswer) else ():
            if found.wanted >= len(missing):
                return self.accuse(fellow, "it answered what nobody asked")
            want = missing[found.wanted]
            if found.trimmed:
                trimmed[want.place] = PrivateSet(*name, found.rwset)
            elif sha256(found.rwset) == want.rwset_hash:
                whole[want.place] = PrivateSet(*name, found.rwset)
            else:
                return self.accuse(fellow, f"not the set of transaction {want.tx_id}")
        return Pulled(whole, trimmed)

    def accuse(self, fellow: Fellow, why: str) -> Pulled:
        """It served what the channel did not agree on: nothing of its answer counts."""
        self._metrics.wrong.of(self._channel_id, fellow.msp_id).inc()
        self._fellows.distrust(fellow, why)
        return Pulled({}, {})


class Pulling:
    """See `types.Resolver`."""

    def __init__(
        self,
        ledger: LedgerPort,
        config: Callable[[], ChannelConfig],
        fellows: Fellows,
        puller: Puller,
        settings: PullConfig,
        metrics: ExchangeMetrics,
        incomplete: Callable[[int], None],
    ) -> None:
        """`incomplete` is told the number of each block for which something was not found."""
        self._ledger = ledger
        self._config = config
        self._fellows = fellows
        self._puller = puller
        self._settings = settings
        self._metrics = metrics
        self._incomplete = incomplete

    async def find(self, block_num: int, needed: Sequence[Missing]) -> Mapping[Place, PrivateSet]:
        """See `Resolver.find`."""
        if not needed:
            return {}
        loop = asyncio.get_running_loop()
        began = loop.time()
        found: dict[Place, PrivateSet] = {}
        try:
            async with asyncio.timeout(self._settings.seconds_max):
                for name, sets in by_collection(needed).items():
                    await self._pull(name, sets, found)
        except TimeoutError:
            _log.info("fellows are slow; committing without", extra={"channel": self._ledger.channel_id})
        if len(found) < len(needed):
            self._incomplete(block_num)
        self._metrics.fetch.of(self._ledger.channel_id).observe(loop.time() - began)
        return found

    async def _pull(self, name: Name, missing: Sequence[Missing], found: dict[Place, PrivateSet]) -> None:
        collection = Collections(self._ledger.view, self._config()).find(*name)
        if collection is None:
            return
        for fellow in self._fellows.members(collection)[:FELLOWS_ASKED]:
            missing = [each for each in missing if each.place not in found][:WANTED_MAX]
            if not missing:
                return
            try:
                # Half of the time: whoever lets it pass is not asked again, and another one may be.
                pulled = await self._puller.pull(fellow, name, missing, self._settings.seconds_max / 2)
            except NodeError as error:
                _log.info("cannot pull private data", extra={"peer": fellow.source.address, "reason": error.reason})
            else:
                found.update(pulled.whole)


def by_collection(missing: Iterable[Missing]) -> dict[Name, list[Missing]]:
    """Sets, each with those of the same collection."""
    grouped: dict[Name, list[Missing]] = {}
    for each in missing:
        grouped.setdefault((each.place.namespace, each.place.collection), []).append(each)
    return grouped
