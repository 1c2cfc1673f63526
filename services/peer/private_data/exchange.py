"""One channel's exchange of private data with other peers, put together."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.msp.identity import Identity
from privysharing.rpc.outside import Outside
from services.peer.ledger.types import LedgerPort
from services.peer.notifier import CommitNotifier
from services.peer.private_data.fellows import Fellows, FellowsConfig, PeerCalls
from services.peer.private_data.keeping import Keeping
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.pulling import PullConfig, Puller, Pulling
from services.peer.private_data.pushing import PushConfig, Pushing
from services.peer.private_data.reconciler import Reconciler, ReconcilerConfig
from services.peer.private_data.types import PrivateData, TransientStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfig:
    """core.yaml, peer.gossip."""

    fellows: FellowsConfig = field(default_factory=FellowsConfig)
    push: PushConfig = field(default_factory=PushConfig)
    pull: PullConfig = field(default_factory=PullConfig)
    reconciler: ReconcilerConfig = field(default_factory=ReconcilerConfig)
    erase_expired_seconds: float = 600.0  # eraseExpiredInterval, which is ours: each writes files anew


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeTools:
    """What the exchanges of all channels share."""

    me: bytes  # our own msp.SerializedIdentity
    msp_id: str
    calls: PeerCalls
    outside: Outside
    writer: Executor  # to the transient stores
    metrics: ExchangeMetrics
    settings: ExchangeConfig


class PrivateExchange:
    """See the module. Made on the event loop."""

    def __init__(
        self,
        ledger: LedgerPort,
        config: Callable[[], ChannelConfig],
        notifier: CommitNotifier,
        transient: TransientStore,
        private: PrivateData,
        tools: ExchangeTools,
    ) -> None:
        settings, metrics = tools.settings, tools.metrics
        self.ledger = ledger
        self.transient = transient
        self.private = private
        self.keeping = Keeping(transient, tools.writer, lambda: private.last_purge)
        self._config = config
        self._fellows = Fellows(
            tools.me,
            tools.msp_id,
            config,
            tools.calls,
            tools.outside,
            settings.fellows,
            lambda: self._reconciler.wake(),
        )
        puller = Puller(self._fellows, ledger.channel_id, metrics)
        for org in config().application_orgs.values():
            metrics.wrong.of(ledger.channel_id, org.msp_id)  # from now on there is a 0 that it grows from
        self._reconciler = Reconciler(
            ledger, private, config, notifier, self._fellows, puller, tools.outside, settings.reconciler, metrics
        )
        self.dissemination = Pushing(
            tools.me, tools.msp_id, config, self._fellows, self.keeping, settings.push, metrics
        )
        self.resolver = Pulling(
            ledger, config, self._fellows, puller, settings.pull, metrics, self._reconciler.incomplete
        )

    @property
    def config(self) -> ChannelConfig:
        """The configuration in force."""
        return self._config()

    def heard_from(self, who: Identity) -> None:
        """A peer of the channel greets us."""
        self._fellows.heard_from(who)

    async def run(self) -> None:
        """Keep in touch with the others, and get what is missing. Raises ChannelStopped, StorageError."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fellows.run())
            group.create_task(self._reconciler.run())
