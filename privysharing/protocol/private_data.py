"""What peers tell each other about private data (proto/privysharing/v1/private_data.proto)."""

from dataclasses import field
from typing import Final

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.values import value

WANTED_MAX: Final = 256  # sets, or keys, that one request asks for; also transactions that it brings, and sets of each
PARTS_MAX: Final = 1024  # of anything in one answer: two bytes are a part, and a liar may send millions


@value
class PrivateSet:
    """One collection's private writes of one transaction, as endorsed."""

    namespace: str
    collection: str
    rwset: bytes = field(repr=False)  # marshalled kvrwset.KVRWSet, writes only (+ metadata writes, the key only)


@value
class Hello:
    """Asks who is there: the answer is signed by whoever that is."""


@value
class PushedTransaction:
    """The private sets of one endorsed transaction, to be kept until it is committed."""

    tx_id: TxId
    height: int  # of the endorser's ledger when it was simulated
    sets: tuple[PrivateSet, ...] = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, of what may be large."""
        return sum(len(each.rwset) for each in self.sets)


@value
class Push:
    """Private sets for a member's peer to keep until their transactions are committed."""

    transactions: tuple[PushedTransaction, ...]


@value
class WantedSet:
    """A set of a committed transaction, by its place."""

    tx_id: TxId
    block_num: int
    tx_num: int
    rwset_hash: bytes  # SHA-256 over the set, as the transaction has it


@value
class Pull:
    """Asks for sets of one collection, as many as the peer has of them."""

    namespace: str
    collection: str
    wanted: tuple[WantedSet, ...]


@value
class PurgedAsk:
    """Asks for signed statements that the values of these keys are gone."""

    namespace: str
    collection: str
    key_hashes: tuple[bytes, ...]


@value
class MissingAsk:
    """Asks which private sets a peer should hold and lacks: how many, and the newest `limit` of them by name."""

    limit: int


Ask = Hello | Push | Pull | PurgedAsk | MissingAsk


@value
class HelloAnswer:
    """Says nothing but who signed it."""


@value
class PushAnswer:
    """A text for each transaction of the push: empty when its sets are durable, else why they were refused."""

    refusals: tuple[str, ...]


@value
class FoundSet:
    """One of the sets that were wanted."""

    wanted: int  # its index among them
    rwset: bytes = field(repr=False)
    trimmed: bool = False  # keys were purged from it: its hash is another one


@value
class PullAnswer:
    """Those of the wanted sets that the peer has, as far as they fit into an answer."""

    found: tuple[FoundSet, ...]


@value
class PurgeStatement:
    """A peer's word that it holds no byte of a key's values up to the transaction that purged them."""

    channel_id: str
    namespace: str
    collection: str
    key_hash: bytes
    block_num: int  # the place of the purge
    tx_num: int
    peer: bytes  # msp.SerializedIdentity
    time_ns: int


@value
class SignedPurgeStatement:
    """A privysharing.v1.PurgeStatement, and the signature of the peer that it names."""

    statement: bytes
    signature: bytes


@value
class PurgedAnswer:
    """A statement for each key of which every byte is gone."""

    statements: tuple[SignedPurgeStatement, ...]


@value
class MissingCount:
    """How many sets of a collection a peer lacks."""

    namespace: str
    collection: str
    count: int


@value
class MissingSet:
    """A set that a peer lacks."""

    namespace: str
    collection: str
    block_num: int
    tx_num: int
    tx_id: TxId


@value
class MissingAnswer:
    """What a peer lacks; of the sets, the newest."""

    counts: tuple[MissingCount, ...]
    sets: tuple[MissingSet, ...]


Answer = HelloAnswer | PushAnswer | PullAnswer | PurgedAnswer | MissingAnswer


@value
class Request:
    """privysharing.v1.Request: a question, and what binds it to who asks, whom, over which connection, and when."""

    channel_id: str
    requester: bytes  # msp.SerializedIdentity
    tls_cert_hash: bytes  # of the requester's client certificate on this connection; empty without TLS
    responder: bytes  # SHA-256 over the responder's identity; empty in a Hello
    nonce: bytes
    timestamp_ns: int | None
    ask: Ask


@value
class Response:
    """privysharing.v1.Response."""

    request_hash: bytes  # SHA-256 over the request's bytes
    responder: bytes  # msp.SerializedIdentity
    answer: Answer
