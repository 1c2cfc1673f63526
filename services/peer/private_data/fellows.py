"""The other peers of a channel: found by its configuration, greeted until they answer, and asked.

A peer says who it is when it is greeted; what is asked afterwards is for that identity only. One that does not answer
is greeted again, after growing pauses, and asked nothing in between: so one that is silent holds up one request, not
all. One that was caught lying is not asked again for a long time.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import sha256
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.private_data import Answer, Ask, Hello
from privysharing.protocol.private_exchange import peers_of
from privysharing.rpc.errors import NodeError, NodeRefused, NodeUnavailable
from privysharing.rpc.outside import Outside
from privysharing.rpc.private_data import PrivateDataClient
from services.peer.block_feed.sources import PeerSource
from services.peer.private_data.membership import may_hold

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FellowsConfig:
    """How other peers are found and called."""

    bootstrap: tuple[str, ...] = ()  # core.yaml peer.gossip.bootstrap: peers of our own organisation
    address: str = ""  # core.yaml peer.address: our own, which may be closed to ourselves
    greeting_seconds: float = 3.0
    look_seconds: float = 5.0  # how often the channel's configuration is looked at
    pause_seconds_min: float = 0.1
    pause_seconds_max: float = 3.0
    refused_seconds_max: float = 60.0  # for one that answers, and wants nothing of us: it may not know the service
    pause_factor: float = 1.5
    renew_seconds: float = 0.5  # between two new connections to one of them
    distrust_seconds: float = 3600.0

    def pause(self, failures: int, chance: int, *, refused: bool = False) -> float:
        """Seconds until the next greeting, after so many in vain; `chance` (0 to 255) spreads them over a half."""
        longest = self.refused_seconds_max if refused else self.pause_seconds_max
        pause = min(longest, self.pause_seconds_min * self.pause_factor ** min(failures, 50))
        return pause * (0.75 + chance / 512)


class PeerCalls(Protocol):
    """Connections to other peers, which somebody else keeps."""

    def private_data(self, source: PeerSource, channel_id: str) -> PrivateDataClient:
        """The service of one of them, over a new connection: the last one for this channel is closed."""
        ...


class Fellow:
    """Another peer, at one address."""

    def __init__(self, source: PeerSource, client: PrivateDataClient) -> None:
        self.source = source
        self.client = client
        self.serialized = b""  # who it last said it is
        self.hash = b""
        self.up = False
        self.is_me = False
        self.refuses = False  # it answers, and wants nothing of us
        self.noted = False  # that it does not answer
        self.distrusted_until = 0.0
        self.lost = asyncio.Event()
        self.heard = asyncio.Event()  # it asked us, and so it is there
        self.renewed_at = -math.inf  # when it last got a new connection
        self.greeting: asyncio.Task[bool] | None = None

    @property
    def msp_id(self) -> str:
        """Its organisation."""
        return self.source.msp_id

    def lose(self) -> None:
        """It did not answer, or is somebody else by now."""
        self.up = False
        self.lost.set()


class Fellows:
    """See the module. On the event loop only."""

    def __init__(
        self,
        me: bytes,
        msp_id: str,
        config: Callable[[], ChannelConfig],
        calls: PeerCalls,
        outside: Outside,
        settings: FellowsConfig,
        on_return: Callable[[], None] = lambda: None,
    ) -> None:
        """`me` is our own identity; `on_return` is told of each peer that answers (again)."""
        self._me = me
        self._msp_id = msp_id
        self._config = config
        self._calls = calls
        self._outside = outside
        self._settings = settings
        self._on_return = on_return
        self._turn = 0
        self._known: dict[PeerSource, Fellow] = {}

    async def run(self) -> None:
        """Look for them and greet them, for ever."""
        keeping: dict[PeerSource, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                sources = dict.fromkeys(self._sources())
                for source in [source for source in keeping if source not in sources]:
                    keeping.pop(source).cancel()
                    del self._known[source]
                for source in sources:
                    if source not in keeping:
                        fellow = self._known[source] = self._new(source)
                        keeping[source] = group.create_task(self._keep_greeting(fellow))
                await asyncio.sleep(self._settings.look_seconds)

    def heard_from(self, who: Identity) -> None:
        """A peer greets us. If it did not answer us lately, it is back: greet it now, over a new connection.

        The old one may wait for seconds until it tries again.
        """
        for fellow in self._known.values():
            if fellow.noted and fellow.msp_id == who.msp_id and fellow.serialized in (b"", who.serialized):
                fellow.heard.set()

    def present(self, collection: CollectionConfig) -> Mapping[bytes, Fellow]:
        """Those that answer, are trusted, and may hold a collection's data, by their identities."""
        config, now = self._config(), self._outside.monotonic()
        return {
            fellow.serialized: fellow
            for fellow in self._known.values()
            if fellow.up and fellow.distrusted_until <= now and self._is_member(fellow, collection, config)
        }

    def members(self, collection: CollectionConfig) -> list[Fellow]:
        """The same, in the order in which they are to be asked; another one comes first each time."""
        fellows = list(self.present(collection).values())
        if fellows:
            self._turn = (self._turn + 1) % len(fellows)
        return fellows[self._turn :] + fellows[: self._turn]

    async def call_back(self, organisations: frozenset[str], timeout_s: float) -> None:
        """Greet those of these organisations that did not answer lately; they may be back."""
        silent = [
            fellow
            for fellow in self._known.values()
            if not fellow.up and not fellow.is_me and fellow.msp_id in organisations
        ]
        if silent:
            await asyncio.wait([self._greet(fellow) for fellow in silent], timeout=timeout_s)

    async def ask(self, fellow: Fellow, ask: Ask, timeout_s: float) -> Answer:
        """Its answer. Raises NodeError."""
        try:
            _, answer = await self._exchange(fellow, ask, timeout_s, fellow.hash)
        except NodeRefused as error:
            if error.code is grpc.StatusCode.FAILED_PRECONDITION:
                fellow.lose()  # another peer is there now, or it has started again
            raise
        except NodeUnavailable as error:
            self._note(fellow, error)
            fellow.lose()
            raise
        return answer

    async def _exchange(
        self, fellow: Fellow, ask: Ask, timeout_s: float, responder: bytes = b""
    ) -> tuple[Identity, Answer]:
        config = self._config()
        find = peers_of(config, self._outside.now_ns())
        return await fellow.client.exchange(config.channel_id, ask, find, timeout_s=timeout_s, responder=responder)

    def distrust(self, fellow: Fellow, why: str) -> None:
        """Ask it nothing more for a long time."""
        fellow.distrusted_until = self._outside.monotonic() + self._settings.distrust_seconds
        _log.warning(
            "a peer served wrong private data, and is asked no more",
            extra={"peer": fellow.source.address, "organisation": fellow.msp_id, "reason": why},
        )

    def _sources(self) -> Sequence[PeerSource]:
        """Anchor peers, and those of our own organisation that its operator named; not ourselves, if we know that."""
        found: list[PeerSource] = []
        for org in self._config().application_orgs.values():
            roots = b"\n".join((*org.msp.tls_root_certs, *org.msp.tls_intermediate_certs))
            addresses = [f"{peer.host}:{peer.port}" for peer in org.anchor_peers]
            if org.msp_id == self._msp_id:
                addresses += self._settings.bootstrap
            others = [address for address in addresses if address != self._settings.address]
            found += [PeerSource(address, org.msp_id, roots) for address in others]
        return found

    def _new(self, source: PeerSource) -> Fellow:
        return Fellow(source, self._calls.private_data(source, self._config().channel_id))

    def _renew(self, fellow: Fellow) -> None:
        """A new connection, unless it has had one just now."""
        fellow.heard.clear()
        now = self._outside.monotonic()
        if now - fellow.renewed_at >= self._settings.renew_seconds:
            fellow.renewed_at = now
            fellow.client = self._calls.private_data(fellow.source, self._config().channel_id)

    def _is_member(self, fellow: Fellow, collection: CollectionConfig, config: ChannelConfig) -> bool:
        try:
            return may_hold(config.msps.identity(fellow.serialized), collection, config)
        except InvalidIdentity:
            return False

    async def _keep_greeting(self, fellow: Fellow) -> None:
        failures = 0
        while not fellow.is_me:
            fellow.lost.clear()
            if await asyncio.shield(self._greet(fellow)):
                failures = 0
                await fellow.lost.wait()
            chance = self._outside.random_bytes(1)[0]
            try:
                async with asyncio.timeout(self._settings.pause(failures, chance, refused=fellow.refuses)):
                    await fellow.heard.wait()
                self._renew(fellow)
                failures = 0
            except TimeoutError:
                failures += 1

    def _greet(self, fellow: Fellow) -> "asyncio.Task[bool]":
        """Whether it is there; one greeting serves all who want to know."""
        if fellow.greeting is None or fellow.greeting.done():
            fellow.greeting = asyncio.create_task(self._say_hello(fellow))
        return fellow.greeting

    async def _say_hello(self, fellow: Fellow) -> bool:
        try:
            who, _ = await self._exchange(fellow, Hello(), self._settings.greeting_seconds)
        except NodeError as error:
            fellow.refuses = isinstance(error, NodeRefused)
            self._note(fellow, error)
            return False
        fellow.refuses = False
        return self._met(fellow, who)

    def _met(self, fellow: Fellow, who: Identity) -> bool:
        if who.msp_id != fellow.msp_id:
            _log.warning("a peer is not of the organisation that names it", extra={"peer": fellow.source.address})
            return False
        fellow.is_me = who.serialized == self._me
        fellow.serialized, fellow.hash = who.serialized, sha256(who.serialized)
        if not fellow.up and not fellow.is_me:
            fellow.up, fellow.noted = True, False
            self._on_return()
        return True

    def _note(self, fellow: Fellow, error: NodeError) -> None:
        """Once, until it answers again."""
        if not fellow.noted:
            fellow.noted = True
            _log.info("a peer does not answer", extra={"peer": fellow.source.address, "reason": error.reason})
