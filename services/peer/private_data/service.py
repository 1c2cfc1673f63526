"""Answers what other peers ask about private data, and what clients ask about purges.

Every request is checked in the same order: its form, the channel, the connection, whom it is for, its time, who signed
it, whether it came before, its organisation's quota; then whether it may have what it asks for. What fails is refused
with a reason, counted, and changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Protocol

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.private_data import (
    WANTED_MAX,
    Answer,
    Ask,
    FoundSet,
    Hello,
    HelloAnswer,
    MissingAnswer,
    MissingAsk,
    MissingCount,
    MissingSet,
    Pull,
    PullAnswer,
    PurgedAsk,
    Push,
    PushAnswer,
    PushedTransaction,
    WantedSet,
)
from privysharing.protocol.private_exchange import (
    OpenedRequest,
    Reason,
    RequestRefused,
    check_request,
    is_peer,
    open_request,
    seal_response,
)
from privysharing.rpc.outside import Outside
from services.peer.access import PROPOSE, AccessControl
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.collections import Collections
from services.peer.private_data.keeping import Keeping
from services.peer.private_data.membership import may_hold
from services.peer.private_data.metrics import REASON_LOGGED_MAX, ExchangeMetrics
from services.peer.private_data.nonces import Nonces
from services.peer.private_data.sets import is_bare
from services.peer.private_data.statements import state_purges
from services.peer.private_data.transient import TransientStoreFull
from services.peer.private_data.types import Place, PrivateData, TransientStore
from services.runtime.callers import Caller
from services.runtime.shares import Shares

MISSING_SETS: Final = "privysharing/MissingPrivateData"  # for the peer's own admins
TX_NUM_MAX: Final = 2**32 - 1
_TX_ID_LENGTH: Final = 64
_LABELS: Final[Mapping[type[Ask], str]] = {
    Hello: "hello",
    Push: "push",
    Pull: "pull",
    PurgedAsk: "purged",
    MissingAsk: "missing",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """core.yaml, privysharing.limits: what all peers together may ask at a time (see `runtime.shares`)."""

    calls_max: int = 256
    bytes_max: int = 128 * 1024 * 1024
    set_bytes_max: int = 12 * 1024 * 1024  # of one private set; what a contract may write is less
    sets_max: int = 64  # of one transaction
    answer_bytes_max: int = 8 * 1024 * 1024  # of the sets in one answer, unless there is but one

    def __post_init__(self) -> None:
        if min(self.calls_max, self.bytes_max, self.set_bytes_max, self.sets_max, self.answer_bytes_max) < 1:
            raise ValueError("every limit of the private data service must be at least 1")


class Exchanged(Protocol):
    """What the service needs of a channel."""

    @property
    def config(self) -> ChannelConfig: ...

    @property
    def ledger(self) -> LedgerPort: ...

    @property
    def transient(self) -> TransientStore: ...

    @property
    def private(self) -> PrivateData: ...

    @property
    def keeping(self) -> Keeping: ...

    def heard_from(self, who: Identity) -> None:
        """A peer of the channel greets us."""
        ...


class PrivateDataService:
    """See the module. On the event loop only."""

    def __init__(
        self,
        channel: Callable[[str], Exchanged | None],
        signer: SigningIdentity,
        access: AccessControl,
        outside: Outside,
        settings: ServiceConfig,
        metrics: ExchangeMetrics,
    ) -> None:
        self._channel = channel
        self._signer = signer
        self._me = sha256(signer.serialized)
        self._access = access
        self._outside = outside
        self._settings = settings
        self._metrics = metrics
        self._since_ns = outside.now_ns()
        self._nonces = Nonces(outside.monotonic)
        self._calls = Shares(settings.calls_max)
        self._bytes = Shares(settings.bytes_max)

    async def answer(self, signed: bytes, tls_cert_hash: bytes | None) -> bytes:
        """A SignedResponse to a SignedRequest. `tls_cert_hash`: see `check_request`. Raises RequestRefused."""
        label = "unknown"
        try:
            if len(signed) > self._bytes.caller_max:  # before it is read: nobody knows yet who asks
                raise RequestRefused(Reason.QUOTA, f"a request of more than {self._bytes.caller_max} bytes")
            opened = open_request(signed)
            label = _LABELS[type(opened.request.ask)]
            channel = self._channel(opened.request.channel_id)
            if channel is None:
                raise RequestRefused(Reason.UNKNOWN_CHANNEL, "this peer has not joined the channel")
            who = self._identify(opened, channel.config, tls_cert_hash)
            answer = await self._within_quota(opened, who, channel, len(signed))
        except RequestRefused as refused:
            self._metrics.refused.of(label, refused.reason.value).inc()
            reason = f"{refused.reason.value}: {refused}"[:REASON_LOGGED_MAX]
            _log.warning("refused a request", extra={"ask": label, "reason": reason})
            raise
        self._metrics.served.of(opened.request.channel_id, label).inc()
        return seal_response(answer, opened.hash, self._signer)

    def _identify(self, opened: OpenedRequest, config: ChannelConfig, tls_cert_hash: bytes | None) -> Identity:
        """Who asks, once everything about the request itself is good, and for the first time."""
        who = check_request(
            opened,
            config,
            responder=self._me,
            tls_cert_hash=tls_cert_hash,
            now_ns=self._outside.now_ns(),
            since_ns=self._since_ns,
        )
        self._nonces.take(_group(who, config), who.serialized, opened.request.nonce)
        return who

    async def _within_quota(self, opened: OpenedRequest, who: Identity, channel: Exchanged, size: int) -> Answer:
        caller = Caller(_group(who, channel.config).encode(), sha256(who.serialized))
        refusal = self._calls.refusal(caller) or self._bytes.refusal(caller, size)
        if refusal is not None:
            raise RequestRefused(Reason.QUOTA, f"too much at a time: {refusal}")
        self._calls.take(caller)
        self._bytes.take(caller, size)
        try:
            return await self._answer(opened.request.ask, who, channel)
        finally:
            self._calls.give_back(caller)
            self._bytes.give_back(caller, size)

    async def _answer(self, ask: Ask, who: Identity, channel: Exchanged) -> Answer:
        match ask:
            case Hello():
                if is_peer(who, channel.config):
                    channel.heard_from(who)
                else:
                    self._require(PROPOSE, who, channel)
                return HelloAnswer()
            case Push(transactions):
                return await self._keep(transactions, who, channel)
            case Pull():
                return await self._find(ask, who, channel)
            case PurgedAsk(key_hashes=key_hashes):
                self._require(PROPOSE, who, channel)
                _check_count(len(key_hashes))
                return await asyncio.to_thread(
                    state_purges, ask, channel.config.channel_id, channel.private, self._signer, self._outside.now_ns
                )
            case MissingAsk(limit):
                self._require(MISSING_SETS, who, channel)
                return await asyncio.to_thread(_missing, channel.private, min(limit, WANTED_MAX))

    def _require(self, resource: str, who: Identity, channel: Exchanged) -> None:
        refusal = self._access.refusal(resource, who, channel.config)
        if refusal is not None:
            raise RequestRefused(Reason.NOT_A_MEMBER, refusal)

    def _member(self, namespace: str, name: str, who: Identity, channel: Exchanged) -> CollectionConfig:
        """A collection that both who asks and this peer may hold, by the definition that is committed here."""
        collection = Collections(channel.ledger.view, channel.config).find(namespace, name)
        if collection is None:
            raise RequestRefused(Reason.NOT_A_MEMBER, f"chaincode {namespace} has no collection {name}")
        if not may_hold(who, collection, channel.config):
            raise RequestRefused(
                Reason.NOT_A_MEMBER, f"a peer of {who.msp_id} is not a member of collection {name} of {namespace}"
            )
        if not may_hold(channel.config.msps.identity(self._signer.serialized), collection, channel.config):
            raise RequestRefused(
                Reason.NOT_A_MEMBER, f"this peer is not a member of collection {name} of {namespace} itself"
            )
        return collection

    async def _keep(self, transactions: tuple[PushedTransaction, ...], who: Identity, channel: Exchanged) -> PushAnswer:
        """Keep what was pushed, transaction by transaction: one that is refused spoils no other."""
        if not transactions:
            raise RequestRefused(Reason.MALFORMED, "a push of nothing")
        stranger = cache(partial(self._stranger, who, channel))
        refusals = [self._refusal(transaction, stranger, channel.keeping) for transaction in transactions]
        if refusals[0] is not None and all(refusals):
            raise refusals[0]
        height = channel.ledger.height
        good = {
            # By its height it is forgotten one day; nobody makes that day a later one.
            place: PushedTransaction(each.tx_id, min(each.height, height), each.sets)
            for place, (each, refusal) in enumerate(zip(transactions, refusals, strict=True))
            if refusal is None
        }
        kept = await channel.keeping.keep(tuple(good.values()), who.msp_id, who.serialized)
        for place, each in zip(good, kept, strict=True):
            if isinstance(each.fault, TransientStoreFull):
                refusals[place] = RequestRefused(Reason.QUOTA, str(each.fault))
            elif each.fault is not None:
                raise each.fault
        for refusal in refusals:
            if refusal is not None:
                self._metrics.refused.of("push", refusal.reason.value).inc()
        return PushAnswer(tuple("" if refusal is None else str(refusal) for refusal in refusals))

    def _stranger(self, who: Identity, channel: Exchanged, namespace: str, name: str) -> RequestRefused | None:
        """Why not, for a collection that it or this peer may not hold."""
        try:
            self._member(namespace, name, who, channel)
        except RequestRefused as refused:
            return refused
        return None

    def _refusal(
        self, transaction: PushedTransaction, stranger: Callable[[str, str], RequestRefused | None], keeping: Keeping
    ) -> RequestRefused | None:
        settings = self._settings
        if len(transaction.tx_id) != _TX_ID_LENGTH or not transaction.sets:
            return RequestRefused(Reason.MALFORMED, "a push names a transaction and holds its sets")
        if len(transaction.sets) > settings.sets_max:
            return RequestRefused(Reason.TOO_LARGE, f"more than {settings.sets_max} sets of one transaction")
        if max(len(each.rwset) for each in transaction.sets) > settings.set_bytes_max:
            return RequestRefused(Reason.TOO_LARGE, f"a private set of more than {settings.set_bytes_max} bytes")
        for each in transaction.sets:
            if (refusal := stranger(each.namespace, each.collection)) is not None:
                return refusal
        if keeping.knows(transaction) or all(is_bare(each.rwset) for each in transaction.sets):
            return None
        return RequestRefused(Reason.MALFORMED, "a set holds what it writes, and nothing else")

    async def _find(self, pull: Pull, who: Identity, channel: Exchanged) -> PullAnswer:
        _check_count(len(pull.wanted))
        self._member(pull.namespace, pull.collection, who, channel)
        return await asyncio.to_thread(self._found, pull, channel)

    def _found(self, pull: Pull, channel: Exchanged) -> PullAnswer:
        """As many as an answer takes: the others may be asked for again."""
        found: list[FoundSet] = []
        room = self._settings.answer_bytes_max
        for number, want in enumerate(pull.wanted):
            stored = _stored(pull, want, channel)
            if stored is None:
                continue
            rwset, trimmed = stored
            if found and len(rwset) > room:
                break
            room -= len(rwset)
            found.append(FoundSet(number, rwset, trimmed))
        return PullAnswer(tuple(found))


def _group(who: Identity, config: ChannelConfig) -> str:
    """Who shares a quota: an organisation's peers, or everybody else of it; these use up nothing of those."""
    return who.msp_id if is_peer(who, config) else f"clients of {who.msp_id}"


def _stored(pull: Pull, want: WantedSet, channel: Exchanged) -> tuple[bytes, bool] | None:
    """A set that is committed here, or kept until it is."""
    if want.block_num < channel.ledger.height and want.tx_num <= TX_NUM_MAX:
        committed = channel.private.get_set(Place(want.block_num, want.tx_num, pull.namespace, pull.collection))
        if committed is not None:
            return committed[0].rwset, committed[1]
    for kept in channel.transient.sets_of(want.tx_id):
        name = kept.namespace, kept.collection
        if name == (pull.namespace, pull.collection) and sha256(kept.rwset) == want.rwset_hash:
            return kept.rwset, False
    return None


def _missing(private: PrivateData, limit: int) -> MissingAnswer:
    counts = (MissingCount(*name, count) for name, count in sorted(private.missing_count().items()))
    sets = (
        MissingSet(each.place.namespace, each.place.collection, each.place.block_num, each.place.tx_num, each.tx_id)
        for each in private.missing(limit)
    )
    return MissingAnswer(tuple(counts), tuple(sets))


def _check_count(count: int) -> None:
    if not 1 <= count <= WANTED_MAX:
        raise RequestRefused(Reason.TOO_LARGE, f"a request asks for 1 to {WANTED_MAX} at a time, not for {count}")
