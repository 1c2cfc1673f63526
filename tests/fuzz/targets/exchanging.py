"""Questions about private data at a peer's door: only members are served, and a refusal changes nothing."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.private_data import encode_request, encode_signed_request, parse_signed_request
from privysharing.protocol.codec.private_sets import encode_private_set
from privysharing.protocol.collections import implicit_collection
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.private_data import (
    Ask,
    Hello,
    MissingAsk,
    PrivateSet,
    Pull,
    PullAnswer,
    PurgedAsk,
    Push,
    PushedTransaction,
    Request,
    WantedSet,
)
from privysharing.protocol.private_exchange import (
    REQUEST_CONTEXT,
    RequestRefused,
    open_request,
    open_response,
    peers_of,
)
from privysharing.protocol.rwsets import PrivateRwSet, Write
from privysharing.rpc.outside import Outside
from services.peer.access import AccessControl
from services.peer.committer import store_genesis
from services.peer.ledger.memory import MemoryLedger
from services.peer.private_data.keeping import Keeping
from services.peer.private_data.metrics import ExchangeMetrics
from services.peer.private_data.service import PrivateDataService, ServiceConfig
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.transient import StoredTransient
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from services.runtime.metrics import Registry
from tests.fuzz.material import ADMINS, CHANNEL, CLIENT, GENESIS, NOW_NS, ORG1, PEERS, STRANGER, cold_config
from tests.fuzz.messages import TRANSIENT_CANARY
from tests.fuzz.mutate import Hand, Mutator, spoilt
from tests.fuzz.oracle import check_told, require
from tests.fuzz.targets.loops import Loop

MEMBER = ORG1.signer("peer1", "peer")  # of the organisation of the peer that is asked
OTHERS = (PEERS[1], CLIENT, ADMINS[0], ADMINS[1], STRANGER)
COLLECTION = implicit_collection(MEMBER.msp_id)
KEPT = TxId("a" * 64)  # a transaction whose set the peer has
SECRET = encode_private_set(PrivateRwSet((Write("key", TRANSIENT_CANARY),), ()))


@dataclass(frozen=True)
class _Channel:
    """A channel of one block, and what waits there."""

    config: ChannelConfig
    ledger: MemoryLedger
    private: PrivateStore
    keeping: Keeping

    def heard_from(self, who: Identity) -> None:
        """Nobody is looked for here."""

    @property
    def transient(self) -> StoredTransient:
        return self.private.transient


class Exchanging:
    """Requests of members and others, with time and chance standing still."""

    name = "exchange"

    def __init__(self) -> None:
        self._loop = Loop()
        self._writer = ThreadPoolExecutor(1)
        self._config = cold_config()
        self._metrics = ExchangeMetrics.register(Registry())
        self._ledger = MemoryLedger(CHANNEL)
        store_genesis(self._ledger, GENESIS)

    def close(self) -> None:
        """Let go of its threads."""
        self._loop.close()
        self._writer.shutdown()

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        who, nonce = chance.choice((MEMBER, MEMBER, *OTHERS)), chance.randbytes(24)
        return spoilt(chance, mutator, lambda hand: _request(hand, chance, nonce, who))

    def feed(self, raw: bytes) -> str:
        return self._loop.run(self._outcome(raw))

    async def _outcome(self, raw: bytes) -> str:
        channel = self._channel()
        before = dict(channel.transient._waiting)
        try:
            answered = await self._service(channel).answer(raw, None)
        except RequestRefused as refused:
            check_told(str(refused))
            require(channel.transient._waiting == before, "a request that was refused has changed something")
            return refused.reason
        request = open_request(raw).request
        _, answer = open_response(
            answered, sha256(parse_signed_request(raw)[0]), peers_of(self._config, NOW_NS), responder=b""
        )
        if isinstance(request.ask, Push | Pull):
            require(request.requester == MEMBER.serialized, "somebody who is no member is served")
        if not isinstance(answer, PullAnswer):
            check_told(answered)
        return type(answer).__name__

    def _channel(self) -> _Channel:
        disk = MemoryDisk()
        store = PrivateStore.open(
            self._ledger, Path("/private"), disk, MemoryDatabases(disk), self._config, MEMBER.msp_id
        )
        store.transient.keep(KEPT, 1, [PrivateSet(LIFECYCLE, COLLECTION, SECRET)])
        keeping = Keeping(store.transient, self._writer, lambda: store.last_purge)
        return _Channel(self._config, self._ledger, store, keeping)

    def _service(self, channel: _Channel) -> PrivateDataService:
        """A fresh one: what was asked before is not remembered."""
        return PrivateDataService(
            {CHANNEL: channel}.get,
            PEERS[0],
            AccessControl(self._config.msps.msp(MEMBER.msp_id)),
            Outside(now_ns=lambda: NOW_NS, monotonic=lambda: 0.0),
            ServiceConfig(),
            self._metrics,
        )


def _request(hand: Hand, chance: random.Random, nonce: bytes, who: SigningIdentity) -> bytes:
    request = Request(CHANNEL, who.serialized, b"", sha256(PEERS[0].serialized), nonce, NOW_NS, _ask(hand, chance))
    raw = hand(encode_request(request))
    return encode_signed_request(raw, hand(who.sign(REQUEST_CONTEXT + raw)))


def _ask(hand: Hand, chance: random.Random) -> Ask:
    private = PrivateSet(LIFECYCLE, COLLECTION, hand(SECRET))
    wanted = WantedSet(KEPT, chance.choice((0, 1, 2**63)), chance.choice((0, 2**63)), hand(sha256(SECRET)))
    asks: tuple[Ask, ...] = (
        Hello(),
        Push((PushedTransaction(TxId("b" * 64), 1, (private,)),)),
        Push(
            (PushedTransaction(TxId("b" * 64), 2**64 - 1, (private,)), PushedTransaction(KEPT, 1, (private, private)))
        ),
        Pull(LIFECYCLE, COLLECTION, (wanted,) * chance.choice((1, 3, 257))),
        PurgedAsk(LIFECYCLE, COLLECTION, (sha256(b"key"), hand(b"k" * 32))),
        MissingAsk(chance.choice((0, 10, 2**32 - 1))),
    )
    return chance.choice(asks)
