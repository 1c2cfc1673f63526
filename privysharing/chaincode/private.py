"""Private data as a contract sees it: values that only the members of a collection hold, and that stay secret here."""

from collections.abc import Iterator

from privysharing.chaincode import endorsers
from privysharing.chaincode.secret import Secret
from privysharing.chaincode.stub import Stub


class PrivateCollection:
    """One collection of the contract's definition, for one invocation.

    Everybody on the channel sees the hashes of keys and values, so neither may be guessable: a value holds a salt, or
    its hash gives it away. Values are `Secret`, and go in as `Secret` only.
    """

    __slots__ = ("_name", "_stub", "_writable")

    def __init__(self, stub: Stub, name: str, *, writable: bool) -> None:
        if not name:
            raise ValueError("a collection has a name")
        self._stub = stub
        self._name = name
        self._writable = writable

    def get(self, key: str) -> Secret | None:
        """Committed value of a key; its hash is recorded as read. A fault where the peer does not hold it."""
        value = self._stub.get_private(self._name, key)
        return None if value is None else Secret(value)

    def hash(self, key: str) -> bytes | None:
        """SHA-256 of a key's committed value, which every peer of the channel has."""
        return self._stub.get_private_hash(self._name, key)

    def put(self, key: str, value: Secret) -> None:
        self._require_writable()
        if not key or not len(value):
            raise ValueError("a key and its value cannot be empty: an empty write is a delete")
        self._stub.put_private(self._name, key, value.disclose())

    def delete(self, key: str) -> None:
        """Take a value out of the state. Its members keep what it was with the block that wrote it."""
        self._require_writable()
        self._stub.del_private(self._name, key)

    def purge(self, key: str) -> None:
        """Take a value out of the state, and every version of it off the disks of all members."""
        self._require_writable()
        self._stub.purge_private(self._name, key)

    def range(self, start: str = "", end: str = "") -> Iterator[tuple[str, Secret]]:
        """Keys with start <= key < end. For queries: nothing protects a transaction against phantoms here."""
        if self._writable:
            raise RuntimeError("a transaction cannot range over private keys")
        return ((key, Secret(value)) for key, value in self._stub.get_private_range(self._name, start, end))

    def endorsers(self, key: str) -> tuple[str, ...]:
        """The organisations that the key's own policy names; none where it has no policy of its own."""
        return endorsers.parse(self._stub.get_validation_parameter(key, self._name))

    def set_endorsers(self, key: str, *msp_ids: str) -> None:
        """As `Context.set_endorsers`, for a private key."""
        self._require_writable()
        self._stub.set_validation_parameter(key, endorsers.encode(msp_ids), self._name)

    def _require_writable(self) -> None:
        if not self._writable:
            raise RuntimeError("a query cannot write")
