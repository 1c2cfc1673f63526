"""The in-process adapter of a contract's port: a `Stub` over a simulation."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, TypeVarTuple

from privysharing.chaincode.stub import KeyModification
from privysharing.protocol.transactions import ChaincodeEvent, Response
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.guard import Execution
from services.peer.chaincode_host.metrics import ShimRequests
from services.peer.chaincode_host.permissions import CollectionPermissions
from services.peer.chaincode_host.transaction import Transaction

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

EVENT_BYTES_MAX = 1024 * 1024

# Runs a chaincode of a channel on behalf of another: (transaction, caller, callee, arguments, channel id).
CallChaincode = Callable[[Transaction, str, str, Sequence[bytes], str], Response]


class InProcessStub:
    """One invocation of a contract in this process (privysharing.chaincode.stub.Stub)."""

    __slots__ = (
        "_call",
        "_chaincode",
        "_execution",
        "_permissions",
        "_requests",
        "_simulator",
        "_transaction",
        "args",
        "event",
    )

    def __init__(
        self,
        transaction: Transaction,
        chaincode: str,
        args: Sequence[bytes],
        *,
        execution: Execution,
        call: CallChaincode,
        requests: ShimRequests,
        is_init: bool = False,
    ) -> None:
        assert transaction.simulator is not None
        self.args: Sequence[bytes] = tuple(args)
        self.event: ChaincodeEvent | None = None
        self._transaction = transaction
        self._simulator = transaction.simulator
        self._chaincode = chaincode
        self._execution = execution
        self._call = call
        self._requests = requests
        self._permissions = CollectionPermissions(transaction, chaincode, is_init)

    @property
    def tx_id(self) -> str:
        return self._transaction.tx_id

    @property
    def channel_id(self) -> str:
        return self._transaction.channel_id

    @property
    def creator(self) -> bytes:
        return self._transaction.proposal.header.signature.creator

    @property
    def timestamp_ns(self) -> int:
        return self._transaction.proposal.header.channel.timestamp_ns or 0

    @property
    def transient(self) -> Mapping[str, bytes]:
        return self._transaction.proposal.transient

    @property
    def decorations(self) -> Mapping[str, bytes]:
        return self._transaction.decorations

    def get_state(self, key: str) -> bytes | None:
        return self._request("GET_STATE", self._simulator.get, self._chaincode, key)

    def put_state(self, key: str, value: bytes) -> None:
        if not key or not value:
            raise ValueError("a key and its value cannot be empty: an empty write is a delete")
        # Copied: a contract may go on changing what it handed over.
        self._request("PUT_STATE", self._simulator.put, self._chaincode, key, bytes(value))

    def del_state(self, key: str) -> None:
        self._request("DEL_STATE", self._simulator.delete, self._chaincode, key)

    def get_range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        results = self._request("GET_STATE_BY_RANGE", self._simulator.range, self._chaincode, start, end)
        for item in results:
            self._execution.check()
            yield item

    def get_history(self, key: str) -> Iterator[KeyModification]:
        channel = self._transaction.channel
        assert channel is not None
        history = self._request("GET_HISTORY_FOR_KEY", channel.ledger.history, self._chaincode, key)
        for entry in history:
            self._execution.check()
            yield KeyModification(entry.tx_id, entry.timestamp_ns or 0, entry.value, entry.is_delete)

    def get_private(self, collection: str, key: str) -> bytes | None:
        def get() -> bytes | None:
            self._permissions.check_read(collection)
            return self._simulator.get_private(self._chaincode, collection, key)

        return self._request("GET_STATE", get)

    def get_private_hash(self, collection: str, key: str) -> bytes | None:
        def get_hash() -> bytes | None:
            self._permissions.check_not_initializing()
            return self._simulator.get_private_hash(self._chaincode, collection, key)

        return self._request("GET_PRIVATE_DATA_HASH", get_hash)

    def put_private(self, collection: str, key: str, value: bytes) -> None:
        if not key or not value:
            raise ValueError("a key and its value cannot be empty: an empty write is a delete")
        copied = bytes(value)

        def put() -> None:
            self._permissions.check_write(collection)
            self._simulator.put_private(self._chaincode, collection, key, copied)

        self._request("PUT_STATE", put)

    def del_private(self, collection: str, key: str) -> None:
        def delete() -> None:
            self._permissions.check_write(collection)
            self._simulator.delete_private(self._chaincode, collection, key)

        self._request("DEL_STATE", delete)

    def purge_private(self, collection: str, key: str) -> None:
        def purge() -> None:
            self._permissions.check_purge()
            self._permissions.check_write(collection)
            self._simulator.purge_private(self._chaincode, collection, key)

        self._request("PURGE_PRIVATE_DATA", purge)

    def get_private_range(self, collection: str, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        def scan() -> Iterator[tuple[str, bytes]]:
            self._permissions.check_read(collection)
            return self._simulator.private_range(self._chaincode, collection, start, end)

        for item in self._request("GET_STATE_BY_RANGE", scan):
            self._execution.check()
            yield item

    def get_validation_parameter(self, key: str, collection: str = "") -> bytes | None:
        def get() -> bytes | None:
            if not collection:
                return self._simulator.validation_parameter(self._chaincode, key)
            self._permissions.check_read(collection)
            return self._simulator.private_validation_parameter(self._chaincode, collection, key)

        return self._request("GET_STATE_METADATA", get)

    def set_validation_parameter(self, key: str, policy: bytes, collection: str = "") -> None:
        copied = bytes(policy)

        def put() -> None:
            if not collection:
                self._simulator.put_validation_parameter(self._chaincode, key, copied)
                return
            self._permissions.check_write(collection)
            self._simulator.put_private_validation_parameter(self._chaincode, collection, key, copied)

        self._request("PUT_STATE_METADATA", put)

    def set_event(self, name: str, payload: bytes) -> None:
        if not name:
            raise ValueError("event name can not be empty string")
        if len(name) + len(payload) > EVENT_BYTES_MAX:
            raise ChaincodeError(f"event of {len(name) + len(payload)} bytes, at most {EVENT_BYTES_MAX} are allowed")
        header = self._transaction.proposal.header.channel
        self.event = ChaincodeEvent(self._chaincode, header.tx_id, name, bytes(payload))

    def invoke_chaincode(self, name: str, args: Sequence[bytes], channel_id: str = "") -> Response:
        """Call another chaincode. On this channel its writes become part of this transaction; on another one, none do.

        A callee that fails gives a response of status 500. Its event is lost.
        """
        channel_id = channel_id or self.channel_id
        return self._request("INVOKE_CHAINCODE", self._call, self._transaction, self._chaincode, name, args, channel_id)

    def _request(self, kind: str, work: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """One request of the shim: not served to a contract whose time is over, and counted as Fabric does."""
        self._execution.check()
        began = time.perf_counter()
        try:
            result = work(*arguments)
        except BaseException:
            self._requests.failed(kind, time.perf_counter() - began)
            raise
        self._requests.served(kind, time.perf_counter() - began)
        return result
