"""Peers of two organisations in one process, with their real stores, committers and doors, over real connections."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc

from privysharing.protocol.blocks import Block
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.settings import AnchorPeer
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.codec.private_sets import encode_private_set
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.policies.signature import SignaturePolicy
from privysharing.protocol.private_data import Answer, Ask, PrivateSet
from privysharing.protocol.private_exchange import peers_of
from privysharing.protocol.rwsets import CollectionHashedRwSet, HashedWrite, NamespaceRwSet, PrivateRwSet, Write
from privysharing.rpc.outside import Outside
from privysharing.rpc.private_data import PrivateDataClient
from services.peer.access import AccessControl
from services.peer.committer import Committer, Workers, store_genesis
from services.peer.connections import Connections
from services.peer.ledger.memory import MemoryLedger
from services.peer.metrics import LedgerMetrics
from services.peer.notifier import CommitNotifier
from services.peer.private_data.exchange import ExchangeConfig, ExchangeTools, PrivateExchange
from services.peer.private_data.fellows import Fellow, FellowsConfig
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.pulling import PullConfig
from services.peer.private_data.pushing import PushConfig
from services.peer.private_data.reconciler import ReconcilerConfig
from services.peer.private_data.service import PrivateDataService, ServiceConfig
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Place, PrivateResults
from services.peer.rpc import PrivateDataRpc
from services.peer.verifier import Verifier
from services.runtime.config import Address
from services.runtime.grpcserver import grpc_server, listen
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.support.authorities import START
from tests.support.judging import CHANNEL, CONFIG, GENESIS, ORG1_CA, ORG2_CA, PEER1, PEER2, Tx
from tests.support.peer_chains import PeerChannel

HOST = "127.0.0.1"
NOW_NS = int(START.timestamp() * 1e9) + 86_400 * 10**9  # when everybody's certificate is good
PEER1B = ORG1_CA.issue("peer1b", "peer").signer("Org1MSP")
PEER2B = ORG2_CA.issue("peer2b", "peer").signer("Org2MSP")
QUICK = ExchangeConfig(
    fellows=FellowsConfig(greeting_seconds=1.0, look_seconds=0.05, pause_seconds_min=0.02, pause_seconds_max=0.1),
    push=PushConfig(ack_seconds=1.0),
    pull=PullConfig(seconds_max=1.0),
    reconciler=ReconcilerConfig(pause_seconds_min=0.02, pause_seconds_max=0.2, looked_at_max=2),
)


def now_ns() -> int:
    """A clock that runs, in the year of the certificates."""
    return NOW_NS + time.monotonic_ns()


def collection(name: str, policy: str, required: int = 0, maximum: int = 3) -> CollectionConfig:
    parsed = parse_policy(policy)
    assert isinstance(parsed, SignaturePolicy)
    return CollectionConfig(
        name=name,
        member_orgs_policy=encode_signature_policy(parsed),
        required_peer_count=required,
        maximum_peer_count=maximum,
    )


OURS = collection("ours", "OR('Org1MSP.member')")  # Org1's alone
SHARED = collection("shared", "OR('Org1MSP.member', 'Org2MSP.member')", required=1)


class Secret:
    """One transaction's private writes."""

    def __init__(self, of: CollectionConfig, key: str, value: bytes, *, also: str = "") -> None:
        """`also`: a second key that gets the same value."""
        self.of = of
        keys = [key, also] if also else [key]
        private = PrivateRwSet(tuple(Write(each, value) for each in keys), ())
        self.set = PrivateSet("cc", of.name, encode_private_set(private))
        hashed = CollectionHashedRwSet(
            of.name,
            writes=tuple(HashedWrite(sha256(each.encode()), sha256(value)) for each in keys),
            private_rwset_hash=hashlib.sha256(self.set.rwset).digest(),
        )
        self._tx = Tx(namespaces=(NamespaceRwSet("cc", collections=(hashed,)),))
        self.tx_id: TxId = self._tx.header.channel.tx_id
        self.envelope = self._tx.raw

    @property
    def results(self) -> PrivateResults:
        """What an endorser's simulation came to."""
        return PrivateResults(CHANNEL, self.tx_id, 1, (self.set,), {("cc", self.of.name): self.of})


class Purge:
    """One transaction that purges a key."""

    def __init__(self, of: CollectionConfig, key: str) -> None:
        rwset = encode_private_set(PrivateRwSet((Write(key, b"", is_delete=True),), ()))
        hashed = CollectionHashedRwSet(
            of.name,
            writes=(HashedWrite(sha256(key.encode()), b"", is_delete=True, is_purge=True),),
            private_rwset_hash=hashlib.sha256(rwset).digest(),
        )
        self.envelope = Tx(namespaces=(NamespaceRwSet("cc", collections=(hashed,)),)).raw


class Peer:
    """One of them. Made on the event loop."""

    def __init__(
        self,
        signer: SigningIdentity,
        *,
        before: "Peer | None" = None,
        service: ServiceConfig | None = None,
        store: type[PrivateStore] = PrivateStore,
        door: type[PrivateDataService] = PrivateDataService,
    ) -> None:
        """`before`: what it was until it was stopped; it is at the same address with what it stored."""
        self.signer = signer
        self.registry = Registry()
        self.outside = Outside(now_ns=now_ns)
        if before is None:
            disk = MemoryDisk()
            self.ledger = MemoryLedger(CHANNEL)
            store_genesis(self.ledger, GENESIS)
            self.store = store.open(self.ledger, Path("/private"), disk, MemoryDatabases(disk), CONFIG, signer.msp_id)
        else:
            self.ledger, self.store = before.ledger, before.store
        self.config: ChannelConfig = CONFIG
        self.notifier = CommitNotifier(self.ledger.height)
        self._threads = ThreadPoolExecutor(1)
        self.connections = Connections(signer, tls=False, certificate=b"", key=b"", outside=self.outside)
        self.metrics = ExchangeMetrics.register(self.registry)
        self.exchange = PrivateExchange(
            self.ledger,
            lambda: self.config,
            self.notifier,
            self.store.transient,
            self.store,
            ExchangeTools(
                me=signer.serialized,
                msp_id=signer.msp_id,
                calls=self.connections,
                outside=self.outside,
                writer=self._threads,
                metrics=self.metrics,
                settings=QUICK,
            ),
        )
        self.committer = Committer(
            self.ledger,
            CONFIG,
            self.notifier,
            Workers(self._threads, self._threads, Verifier(wanted=False)),
            LedgerMetrics.register(self.registry),
            lambda _: None,
            self.store,
            self.exchange.resolver,
        )
        self.service = door(
            {CHANNEL: self.exchange}.get,
            signer,
            AccessControl(CONFIG.msps.msp(signer.msp_id)),
            self.outside,
            service or ServiceConfig(),
            self.metrics,
        )
        self.server = grpc_server(self.registry)
        rpc = PrivateDataRpc(self.service, binds_to_certificate=False, on_fault=lambda _: None)
        self.server.add_generic_rpc_handlers((rpc.handler(),))
        self.port: int = listen(self.server, Address(HOST, before.port if before else 0), None)
        self._running: asyncio.Task[None] | None = None

    async def start(self, others: "Sequence[Peer]") -> None:
        """Serve, and look for these."""
        self.meet(others)
        await self.server.start()
        self._running = asyncio.create_task(self.exchange.run())

    def meet(self, others: "Sequence[Peer]") -> None:
        """These are the channel's other peers."""
        orgs = {
            name: replace(
                org,
                anchor_peers=tuple(
                    AnchorPeer(HOST, peer.port) for peer in (*others, self) if peer.signer.msp_id == org.msp_id
                ),
            )
            for name, org in CONFIG.application_orgs.items()
        }
        self.config = replace(CONFIG, application_orgs=orgs)

    async def stop(self) -> None:
        """Be gone."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.server.stop(None)
        await self.connections.close()

    async def commit(self, *blocks: Block) -> None:
        for block in blocks:
            await self.committer.commit(block)

    async def spread(self, secret: Secret) -> None:
        """As an endorsement does. Raises NotSpread."""
        await self.begin_to_spread(secret)

    def begin_to_spread(self, secret: Secret, *, more: bool = False) -> "asyncio.Future[None]":
        """`more`: whether others follow soon."""
        return self.begin(secret.results, more=more)

    def begin(self, results: PrivateResults, *, more: bool = False) -> "asyncio.Future[None]":
        """Spread what an endorser's simulation came to."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told(fault: Exception | None, _more: bool) -> None:
            if fault is None:
                done.set_result(None)
            else:
                done.set_exception(fault)

        self.exchange.dissemination.spread(results, told, more)
        return done

    def keep(self, secret: Secret) -> None:
        """As if it had been endorsed here, and pushed to nobody."""
        self.store.transient.keep(secret.tx_id, 1, [secret.set])

    def fellows(self, of: CollectionConfig) -> Sequence[Fellow]:
        """The other members that it would ask."""
        return self.exchange._fellows.members(of)

    def missing(self) -> float:
        """What its metric says."""
        return float(self.metrics.missing.of(CHANNEL)._value.get())

    def liars(self) -> float:
        """How often an organisation's peers served it wrong data."""
        return float(self.metrics.wrong.of(CHANNEL, "Org1MSP")._value.get())

    def served(self, ask: str) -> float:
        """How many such requests it answered."""
        return float(self.metrics.served.of(CHANNEL, ask)._value.get())

    def kept(self, secret: Secret) -> bool:
        """Whether it waits here for its commit."""
        return secret.set in self.store.transient.sets_of(secret.tx_id)

    def holds(self, secret: Secret) -> bool:
        """Whether it is committed here, value and all."""
        place = self.ledger.transaction(secret.tx_id)
        if place is None:
            return False
        found = self.store.get_set(Place(place.block_num, place.tx_num, "cc", secret.of.name))
        return found is not None and found[0] == secret.set

    def refused(self, ask: str, reason: str) -> float:
        """How many requests were refused so."""
        return float(self.metrics.refused.of(ask, reason)._value.get())


class Town:
    """Some of them, and who orders their blocks."""

    def __init__(self, *peers: Peer) -> None:
        self.peers = peers
        self.orderer = PeerChannel()
        self.blocks: list[Block] = []

    def order(self, *envelopes: bytes) -> Block:
        """The next block."""
        self.orderer.add(*envelopes)
        self.blocks.append(parse_block(self.orderer.ordered[-1]))
        return self.blocks[-1]

    async def commit(self, *envelopes: bytes) -> Block:
        """The next block, on all of them."""
        block = self.order(*envelopes)
        for peer in self.peers:
            await peer.commit(block)
        return block


@asynccontextmanager
async def town(*peers: Peer, collections: Sequence[CollectionConfig] = (OURS, SHARED)) -> AsyncIterator[Town]:
    """Peers that know each other and a chaincode with collections."""
    made = Town(*peers)
    for peer in peers:
        await peer.start([other for other in peers if other is not peer])
    await made.commit(made.orderer.define("cc", "OR('Org1MSP.peer', 'Org2MSP.peer')", *collections))
    try:
        await until(lambda: all(len(peer.fellows(SHARED)) == len(peers) - 1 for peer in peers))
        yield made
    finally:
        for peer in peers:
            await peer.stop()


async def until(true: Callable[[], object], seconds_max: float = 10.0) -> None:
    """Return once it is so."""
    for _ in range(int(seconds_max / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


@asynccontextmanager
async def calling(peer: Peer, signer: SigningIdentity) -> AsyncIterator[PrivateDataClient]:
    """The peer's door, as somebody uses it."""
    channel = grpc.aio.insecure_channel(f"{HOST}:{peer.port}")
    try:
        yield PrivateDataClient("peer", channel, signer, outside=Outside(now_ns=now_ns))
    finally:
        await channel.close()


async def ask(peer: Peer, signer: SigningIdentity, question: Ask) -> Answer:
    """The peer's answer. Raises NodeRefused."""
    async with calling(peer, signer) as client:
        find = peers_of(CONFIG, now_ns())
        _, answer = await client.exchange(
            CHANNEL, question, find, timeout_s=5, responder=sha256(peer.signer.serialized)
        )
        return answer


__all__ = ["PEER1", "PEER1B", "PEER2", "PEER2B", "Peer", "Secret", "Town", "ask", "calling", "town", "until"]
