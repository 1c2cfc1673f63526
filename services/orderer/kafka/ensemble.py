"""ZooKeeper, where there is one: who else is there, and who goes first. A help; orderers also work without it.

What it says decides nothing about blocks: brokers are found in it, live orderers are listed, and of the orderers of a
channel one is told to post TimeToCut first. All of it is tried again for ever, over lost sessions too.
"""

import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState, ZnodeStat
from kazoo.recipe.watchers import ChildrenWatch, DataWatch
from kazoo.retry import KazooRetry

from privysharing.protocol.orderers import LiveOrderer
from services.orderer.kafka.config import ZooKeeperConfig

BROKER_IDS = "brokers/ids"  # where Kafka's brokers register, below their root
LOCK_S = 5.0  # for another orderer to make a topic; the brokers refuse a second one anyway
RETRY_S_MAX = 5.0

_ENDPOINT = re.compile(r"(?P<listener>[\w.-]+)://(?P<address>([\w.-]+|\[[\w.:%]+\]):(?P<port>[0-9]{1,5}))", re.ASCII)
_PORTS = range(1, 2**16)

T = TypeVar("T")

_log = logging.getLogger(__name__)
if (_library := logging.getLogger("kazoo")).level == logging.NOTSET:  # else an operator wants to hear it
    _library.setLevel(logging.CRITICAL)  # it counts attempts; what matters is said here


class Ensemble:
    """This orderer's session. Its callbacks run on threads of the library; everything may be asked from any thread."""

    def __init__(self, config: ZooKeeperConfig, me: LiveOrderer, protocol: str) -> None:
        """`protocol`: how brokers are spoken to, as their own listeners name it."""
        self._config = config
        self._me = me
        self._protocol = protocol
        self._client = KazooClient(
            hosts=",".join(config.addresses),
            timeout=config.session_s,
            connection_retry=KazooRetry(max_tries=-1, max_delay=RETRY_S_MAX),
            command_retry=KazooRetry(max_tries=-1, max_delay=RETRY_S_MAX),
        )
        self._owners: dict[str, int] = {}  # of the entries that only one session can hold
        self._brokers: dict[str, tuple[str, ...]] = {}
        self._live: dict[str, LiveOrderer] = {}
        self._channels: list[str] = []
        self._watches: list[DataWatch | ChildrenWatch] = []
        self._begun = False
        self._lock = threading.Lock()  # of the channels and `_begun`; nobody waits for ZooKeeper while he has it
        self._client.add_listener(self._changed)

    def start(self) -> None:
        """Look for the ensemble from now on."""
        self._client.start_async()

    def stop(self) -> None:
        """Leave: what only this session held is free at once."""
        with contextlib.suppress(KazooException):
            self._client.stop()
            self._client.close()

    def brokers(self) -> tuple[str, ...]:
        """Where brokers registered that they serve, as host:port."""
        return tuple(address for addresses in dict(self._brokers).values() for address in addresses)

    def live(self) -> tuple[LiveOrderer, ...]:
        """Those that live, this one among them."""
        return tuple(sorted({self._me, *dict(self._live).values()}))

    def contend(self, channel_id: str) -> None:
        """Be ready to be the first to post TimeToCut on a channel."""
        with self._lock:
            self._channels.append(channel_id)
            begun = self._begun
        if begun:
            self._client.handler.spawn(self._hold, self._poster(channel_id), b"")

    def leads(self, channel_id: str) -> bool:
        """Whether this orderer is the one that posts TimeToCut first; each is while it knows nothing of the others."""
        if not self._client.connected:
            return True
        owner = self._owners.get(self._poster(channel_id))
        return owner is None or owner == self._session

    @contextlib.contextmanager
    def alone(self, topic: str) -> Iterator[None]:
        """Be the only orderer that makes this topic, if that can be had soon. Blocks."""
        lock = self._client.Lock(f"{self._config.root}/topics/{topic}")
        held = False
        try:
            held = self._client.connected and lock.acquire(timeout=LOCK_S)
        except (KazooException, KazooTimeoutError) as error:
            _log.info("a topic is made without asking ZooKeeper", extra={"topic": topic, "why": str(error)})
        try:
            yield
        finally:
            if held:
                with contextlib.suppress(KazooException, KazooTimeoutError):
                    lock.release()

    @property
    def _session(self) -> int | None:
        return self._client.client_id[0] if self._client.client_id else None

    def _changed(self, state: str) -> None:
        """On the library's connection thread, which must not wait."""
        _log.info("ZooKeeper session", extra={"state": state})
        if state == KazooState.CONNECTED:
            self._client.handler.spawn(self._begin)

    def _begin(self) -> None:
        """At the first connection; watches survive the loss of connections, and of sessions."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
            channels = tuple(self._channels)
        try:
            self._watch_and_hold(channels)
        except KazooException as error:
            self._begun = False  # the next connection may be better
            _log.warning("ZooKeeper cannot be used", extra={"why": repr(error)})

    def _watch_and_hold(self, channels: Sequence[str]) -> None:
        root, brokers = self._config.root, f"{self._config.brokers.rstrip('/')}/{BROKER_IDS}"
        for folder in (f"{root}/orderers", f"{root}/posters", f"{root}/topics", brokers):
            self._client.ensure_path(folder)
        me = self._me
        self._watches += [
            self._watch_children(brokers, self._brokers, lambda raw: _endpoints(raw, self._protocol)),
            self._watch_children(f"{root}/orderers", self._live, _orderer),
        ]
        self._hold(f"{root}/orderers/{me.host}:{me.port}", json.dumps(asdict(me)).encode())
        for channel_id in channels:
            self._hold(self._poster(channel_id), b"")

    def _hold(self, path: str, value: bytes) -> None:
        """Have an entry that lasts as long as its owner's session: now, or as soon as whoever has it is gone."""

        def changed(_value: bytes | None, stat: ZnodeStat | None) -> None:
            if stat is not None:
                self._owners[path] = stat.owner_session_id
                return
            self._owners.pop(path, None)
            with contextlib.suppress(NodeExistsError):  # another one was faster: this is called again
                self._client.retry(self._client.create, path, value, ephemeral=True, makepath=True)

        self._watches.append(DataWatch(self._client, path, changed))

    def _watch_children(self, folder: str, found: dict[str, T], parse: Callable[[bytes], T]) -> ChildrenWatch:
        """Keep what the entries of a folder say in `found`."""

        def changed(names: Sequence[str]) -> None:
            for name in set(found) - set(names):
                del found[name]
            for name in names:
                with contextlib.suppress(KazooException, ValueError):  # gone, or not for us
                    found[name] = parse(self._client.get(f"{folder}/{name}")[0])

        return ChildrenWatch(self._client, folder, changed)

    def _poster(self, channel_id: str) -> str:
        return f"{self._config.root}/posters/{channel_id}"


def _endpoints(raw: bytes, protocol: str) -> tuple[str, ...]:
    """Where a broker listens for clients that speak this protocol (kafka.zk BrokerIdZNode). Raises ValueError."""
    entry = _entry(raw)
    protocols, endpoints = entry.get("listener_security_protocol_map", {}), entry.get("endpoints")
    if not isinstance(protocols, dict) or not isinstance(endpoints, list):
        raise ValueError("a broker has listeners and endpoints")
    found = (_ENDPOINT.fullmatch(str(endpoint)) for endpoint in endpoints)
    return tuple(
        each["address"]
        for each in found
        if each is not None
        and protocols.get(each["listener"], each["listener"]) == protocol
        and int(each["port"]) in _PORTS
    )


def _orderer(raw: bytes) -> LiveOrderer:
    """Raises ValueError."""
    entry = _entry(raw)
    host, port, msp_id = (entry.get(name) for name in ("host", "port", "msp_id"))
    if not (isinstance(host, str) and host.isprintable() and isinstance(msp_id, str) and msp_id.isprintable()):
        raise ValueError("an orderer has a host, and an organisation")
    if not isinstance(port, int) or port not in _PORTS:
        raise ValueError("an orderer has a port")
    return LiveOrderer(host, port, msp_id)


def _entry(raw: bytes) -> dict[str, Any]:
    """What an entry says, whoever wrote it. Raises ValueError."""
    try:
        entry = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nobody writes that") from error
    if not isinstance(entry, dict):
        raise ValueError("an entry is an object")
    return entry
