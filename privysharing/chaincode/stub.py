"""The port between a contract and the peer that runs it.

Two adapters implement `Stub`: the peer's in-process chaincode host, and chaincode-as-a-service. `memory.MemoryStub`
is the reference twin. The semantics are those of Fabric's shim: reads see the committed state of one snapshot and never
this transaction's own writes; an empty value would be a delete to every committer, so `put_state` refuses it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

# ChaincodeInput.decorations: the endorsing peer's own clock, nanoseconds since the epoch as ASCII decimal digits.
# For refusals only: endorsers differ in it, so nothing that is written may depend on it.
PEER_TIME_DECORATION = "privysharing.peer_time_ns"


@dataclass(frozen=True, slots=True)
class KeyModification:
    """queryresult.KeyModification: what one committed transaction did to a key. A delete has an empty value."""

    tx_id: str
    timestamp_ns: int
    value: bytes
    is_delete: bool = False


class Stub(Protocol):
    """One invocation of a contract: its input, and the ledger that it reads and writes.

    Raises nothing of its own for a missing key. What an adapter raises for a fault (a closed snapshot, a limit) ends
    the invocation; a contract does not catch it.
    """

    @property
    def args(self) -> Sequence[bytes]:
        """ChaincodeInput.args: the function's name, then its arguments."""
        ...

    @property
    def tx_id(self) -> str: ...

    @property
    def channel_id(self) -> str: ...

    @property
    def creator(self) -> bytes:
        """msp.SerializedIdentity of the proposal's signer, already validated by the peer."""
        ...

    @property
    def timestamp_ns(self) -> int:
        """The proposal's timestamp: the client's word, the same for every endorser."""
        ...

    @property
    def transient(self) -> Mapping[str, bytes]: ...

    @property
    def decorations(self) -> Mapping[str, bytes]: ...

    def get_state(self, key: str) -> bytes | None: ...

    def put_state(self, key: str, value: bytes) -> None: ...

    def del_state(self, key: str) -> None: ...

    def get_range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Keys with start <= key < end in byte order of their UTF-8. Lazy: what is not consumed is not read."""
        ...

    def get_history(self, key: str) -> Iterator[KeyModification]:
        """Committed modifications of a key, newest first. Not part of the read set: for queries only."""
        ...

    def get_private(self, collection: str, key: str) -> bytes | None:
        """A private value, None when there is none. An adapter refuses one that exists and that its peer does not have.

        All calls about a collection refuse one that is not defined, and a caller that may not read or write there.
        """
        ...

    def get_private_hash(self, collection: str, key: str) -> bytes | None:
        """SHA-256 of a private value: every peer of the channel has it."""
        ...

    def put_private(self, collection: str, key: str, value: bytes) -> None:
        """Write a private value: transactions and blocks hold its hash. An empty one is refused, as by `put_state`."""
        ...

    def del_private(self, collection: str, key: str) -> None:
        """Delete a private value. Members keep what it was in their history."""
        ...

    def purge_private(self, collection: str, key: str) -> None:
        """Delete a private value and all that members keep of the key's history."""
        ...

    def get_private_range(self, collection: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Private values with start <= key < end, by key. For queries only: a transaction that writes is refused."""
        ...

    def get_validation_parameter(self, key: str, collection: str = "") -> bytes | None:
        """The key's own endorsement policy (common.SignaturePolicyEnvelope), of a collection's key if one is named."""
        ...

    def set_validation_parameter(self, key: str, policy: bytes, collection: str = "") -> None:
        """Let a key be endorsed by this policy from now on; an empty one leaves it to the collection or chaincode."""
        ...

    def set_event(self, name: str, payload: bytes) -> None:
        """The transaction's one event; a later call replaces it."""
        ...
