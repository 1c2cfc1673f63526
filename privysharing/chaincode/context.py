"""What a contract function gets: its caller, its time, its keys and its secrets."""

from collections.abc import Iterator, Mapping

from privysharing.chaincode import endorsers, keys
from privysharing.chaincode.canonical import JsonValue, dumps
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.identity import ClientIdentity, client_identity
from privysharing.chaincode.private import PrivateCollection
from privysharing.chaincode.secret import Secret
from privysharing.chaincode.stub import PEER_TIME_DECORATION, KeyModification, Stub

# What Fabric's shims send for an empty start: composite keys, which begin with U+0000, stay out of a simple range.
_FIRST_SIMPLE_KEY = "\x01"


class Context:
    """One invocation, seen by a contract. Synchronous; lives as long as the invocation.

    Reads see the state before this transaction: a function does not read back what it has written. In a query
    (`writable` False) every write is a programming error and raises RuntimeError.
    """

    __slots__ = ("_stub", "_writable")

    def __init__(self, stub: Stub, *, writable: bool = True) -> None:
        self._stub = stub
        self._writable = writable

    @property
    def channel_id(self) -> str:
        return self._stub.channel_id

    @property
    def tx_id(self) -> str:
        return self._stub.tx_id

    @property
    def timestamp_ns(self) -> int:
        """The proposal's timestamp: the client's word, the same for every endorser."""
        return self._stub.timestamp_ns

    @property
    def peer_time_ns(self) -> int | None:
        """This peer's own clock where the peer provides it. For refusals only: endorsers differ in it."""
        decoration = self._stub.decorations.get(PEER_TIME_DECORATION)
        return None if decoration is None else int(decoration)

    @property
    def creator(self) -> ClientIdentity:
        try:
            return client_identity(self._stub.creator)
        except ValueError as error:  # a CA may put anything into a certificate
            raise ContractError(
                "BAD_CERTIFICATE",
                "the attributes in the caller's certificate cannot be read",
                needed='JSON such as {"attrs": {"role": "auditor"}}',
                found=str(error),
                status=403,
            ) from error

    @property
    def transient(self) -> Mapping[str, Secret]:
        return {name: Secret(value) for name, value in self._stub.transient.items()}

    def get(self, key: str) -> bytes | None:
        """Committed value of a key, recorded in the read set."""
        return self._stub.get_state(key)

    def put(self, key: str, value: bytes) -> None:
        self._require_writable()
        if not key or not value:
            raise ValueError("a key and its value cannot be empty: an empty write is a delete")
        self._stub.put_state(key, value)

    def delete(self, key: str) -> None:
        self._require_writable()
        self._stub.del_state(key)

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Simple keys with start <= key < end. What is consumed is protected against phantoms, so: rarely in a
        transaction."""
        return self._stub.get_range(start or _FIRST_SIMPLE_KEY, end)

    def composite_key(self, object_type: str, *attributes: str) -> str:
        return keys.composite_key(object_type, *attributes)

    def split(self, key: str) -> tuple[str, tuple[str, ...]]:
        return keys.split(key)

    def by_partial_key(self, object_type: str, *attributes: str, after: str = "") -> Iterator[tuple[str, bytes]]:
        """Entries whose composite key begins so, in key order; with `after`, only those behind that key.

        Raises ValueError when `after` is not a key of this very range: a bookmark opens no other door.
        """
        start, end = keys.partial_range(object_type, *attributes)
        if after:
            if not start < after < end:
                raise ValueError("the bookmark is not of this list")
            start = after + "\x00"
        return self._stub.get_range(start, end)

    def history(self, key: str) -> Iterator[KeyModification]:
        """Committed modifications of a key, newest first. Not protected by the read set: for queries."""
        return self._stub.get_history(key)

    def private(self, collection: str) -> PrivateCollection:
        """A private collection of the contract's definition."""
        return PrivateCollection(self._stub, collection, writable=self._writable)

    def endorsers(self, key: str) -> tuple[str, ...]:
        """The organisations that the key's own policy names; none where it has no policy of its own."""
        return endorsers.parse(self._stub.get_validation_parameter(key))

    def set_endorsers(self, key: str, *msp_ids: str) -> None:
        """From here on a peer of each of these organisations must endorse a change of the key, and nobody else.

        With no organisation, the key has no policy of its own any more.
        """
        self._require_writable()
        self._stub.set_validation_parameter(key, endorsers.encode(msp_ids))

    def emit(self, name: str, payload: JsonValue) -> None:
        """The transaction's one event. Every member of the channel may see it: names and ids, never values."""
        self._require_writable()
        self._stub.set_event(name, dumps(payload))

    def _require_writable(self) -> None:
        if not self._writable:
            raise RuntimeError("a query cannot write")
