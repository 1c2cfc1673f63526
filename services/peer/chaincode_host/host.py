"""Runs chaincode: the peer's own, and contracts in this process (core/chaincode ChaincodeSupport).

One host for a peer. Its callers bring the simulation and the thread; texts and their order are Fabric's.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from privysharing.protocol.envelopes import TxId
from privysharing.protocol.system_chaincodes import SYSTEM_CHAINCODES
from privysharing.protocol.transactions import ChaincodeEvent, ChaincodeInput, Response
from services.peer.access import CHAINCODE_TO_CHAINCODE, AccessControl
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import ChaincodeInfo, Definitions
from services.peer.chaincode_host.errors import ChaincodeError, ContractFailed, ExecutionStopped, InvocationRefused
from services.peer.chaincode_host.faults import describe
from services.peer.chaincode_host.guard import Execution, Guard
from services.peer.chaincode_host.metrics import ChaincodeMetrics
from services.peer.chaincode_host.ports import Channel, Channels
from services.peer.chaincode_host.simulator import SimulationLimits, TxSimulator
from services.peer.chaincode_host.stub import InProcessStub
from services.peer.chaincode_host.transaction import Transaction
from services.peer.private_data.collections import Collections
from services.runtime.disk import StorageError

_log = logging.getLogger(__name__)

# core/chaincode chaincode_support.go: which version of a chaincode was initialised, kept in its own namespace
INITIALIZED_KEY = "\x00\U0010ffffinitialized"
# A response larger than a block may be could never be committed: configtx.yaml AbsoluteMaxBytes
RESPONSE_BYTES_MAX = 10 * 1024 * 1024
STATUS_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaincodeConfig:
    """core.yaml, section chaincode."""

    execute_timeout_s: float = 30.0  # executetimeout
    memory_growth_max: int = 512 * 1024 * 1024  # bytes by which a contract may make the process grow while it runs
    limits: SimulationLimits = field(default_factory=SimulationLimits)

    def __post_init__(self) -> None:
        if self.execute_timeout_s <= 0 or self.memory_growth_max < 1:
            raise ValueError("chaincode time-out and memory growth must be positive")


class SystemChaincode(Protocol):
    """A chaincode that is part of the peer."""

    def invoke(self, transaction: Transaction, args: Sequence[bytes]) -> Response:
        """Answer one call. Refusals are responses of status 500."""
        ...


class ChaincodeHost:
    """See the room's docstring."""

    def __init__(
        self,
        *,
        contracts: Contracts,
        system: Mapping[str, SystemChaincode],
        definitions: Definitions,
        channels: Channels,
        access: AccessControl,
        guard: Guard,
        metrics: ChaincodeMetrics,
        limits: SimulationLimits,
    ) -> None:
        self._contracts = contracts
        self._system = system
        self._definitions = definitions
        self._channels = channels
        self._access = access
        self._guard = guard
        self._metrics = metrics
        self._limits = limits

    def runs(self, name: str) -> bool:
        """Whether this peer runs a chaincode of that name, on whatever channel."""
        return name in SYSTEM_CHAINCODES or name in self._contracts

    def info(self, transaction: Transaction, name: str) -> ChaincodeInfo:
        """A chaincode that this peer runs on the channel. Raises ChaincodeError (ChaincodeEndorsementInfo)."""
        info = self._definitions.find(transaction.channel_id, name, transaction.simulator)
        if not self.runs(name):
            raise ChaincodeError(f"chaincode definition for '{name}' exists, but chaincode is not installed")
        return info

    def execute(
        self, transaction: Transaction, info: ChaincodeInfo, call: ChaincodeInput
    ) -> tuple[Response, ChaincodeEvent | None]:
        """A chaincode's response to a proposal, and its event. Raises ChaincodeError (ChaincodeSupport.Execute)."""
        try:
            return self._invoke(transaction, info, call)
        except InvocationRefused as error:
            raise InvocationRefused(f"failed to execute transaction {transaction.tx_id}: {error}") from error

    def _invoke(
        self, transaction: Transaction, info: ChaincodeInfo, call: ChaincodeInput
    ) -> tuple[Response, ChaincodeEvent | None]:
        _check_initialization(transaction, info, call)
        if (transaction.channel_id, info.name) in transaction.callers:
            raise InvocationRefused(f"error sending: txid: {transaction.tx_id}({transaction.channel_id}) exists")
        if info.name in SYSTEM_CHAINCODES:
            return self._system[info.name].invoke(transaction, call.args), None
        return self._run(transaction, info, call)

    def _run(
        self, transaction: Transaction, info: ChaincodeInfo, call: ChaincodeInput
    ) -> tuple[Response, ChaincodeEvent | None]:
        chaincode_id = f"{info.name}:{info.version}"
        contract = self._contracts.launch(info.name, chaincode_id, self._metrics)
        running: Execution | None = None

        def work(execution: Execution) -> tuple[Response, ChaincodeEvent | None]:
            nonlocal running
            running = execution
            stub = InProcessStub(
                transaction,
                info.name,
                call.args,
                execution=execution,
                call=self._call,
                requests=self._metrics.requests(transaction.channel_id, chaincode_id),
                is_init=call.is_init,
            )
            return contract.invoke(stub), stub.event

        try:
            response, event = self._guard.run(work)
        except ExecutionStopped:
            if transaction.callers:
                raise  # the outermost chaincode's time is over
            self._metrics.execute_timeouts.of(chaincode_id).inc()
            raise InvocationRefused(f"error sending: {self._guard.reason(running)}") from None
        except ChaincodeError as error:
            raise ContractFailed(f"transaction returned with failure: {error}") from error
        except StorageError:
            raise  # the peer's own failure
        except BaseException as error:  # SystemExit too: a contract ends nothing but its own call
            _log.error("chaincode %s failed in transaction %s: %s", chaincode_id, transaction.tx_id, describe(error))
            raise ContractFailed(f"transaction returned with failure: chaincode {info.name} failed") from None
        return _checked(response, info.name), event

    def _call(
        self, transaction: Transaction, caller: str, name: str, args: Sequence[bytes], channel_id: str
    ) -> Response:
        """A chaincode calls another (Handler.HandleInvokeChaincode); what fails is the callee's failure alone."""
        inner = replace(transaction, callers=(*transaction.callers, (transaction.channel_id, caller)))
        try:
            return self._call_on(inner, name, args, channel_id)
        except ChaincodeError as error:
            # In the payload, not in the message: what Fabric's shims make of an ERROR message.
            why = f"INVOKE_CHAINCODE failed: transaction ID: {transaction.tx_id}: {error}"
            return Response(STATUS_ERROR, payload=why.encode())

    def _call_on(self, transaction: Transaction, name: str, args: Sequence[bytes], channel_id: str) -> Response:
        channel = transaction.channel if channel_id == transaction.channel_id else self._channels.get(channel_id)
        if name not in SYSTEM_CHAINCODES:
            config = channel.config if channel is not None else None
            refusal = self._access.refusal(CHAINCODE_TO_CHAINCODE, transaction.creator, config, channel_id)
            if refusal is not None:
                raise ChaincodeError(refusal)
        if channel is None:
            raise ChaincodeError(f"failed to find ledger for channel: {channel_id}")
        if channel_id == transaction.channel_id:
            return self._call_here(transaction, name, args)
        # Another channel is read, in a simulation of its own whose results nobody keeps.
        simulator = simulate(channel, self._limits, transaction.tx_id)
        elsewhere = replace(transaction, channel=channel, channel_id=channel_id, simulator=simulator)
        return self._call_here(elsewhere, name, args)

    def _call_here(self, transaction: Transaction, name: str, args: Sequence[bytes]) -> Response:
        try:
            info = self.info(transaction, name)
        except ChaincodeError as error:
            raise ChaincodeError(
                f"execute failed: invalid invocation: [channel {transaction.channel_id}] failed to get chaincode "
                f"container info for {name}: {error}"
            ) from error
        try:
            response, _ = self._invoke(transaction, info, ChaincodeInput(tuple(args)))
        except InvocationRefused as error:
            raise ChaincodeError(f"execute failed: {error}") from error
        except ContractFailed as error:
            return Response(STATUS_ERROR, payload=str(error).encode())
        return response


def simulate(channel: Channel, limits: SimulationLimits, tx_id: TxId) -> TxSimulator:
    """A simulation on the newest state of a channel."""
    view = channel.ledger.view
    return TxSimulator(view, Collections(view, channel.config), channel.private_values, limits, tx_id)


def _check_initialization(transaction: Transaction, info: ChaincodeInfo, call: ChaincodeInput) -> None:
    """A definition may want its chaincode to be initialised exactly once for its version (CheckInvocation)."""
    needs_initialization = False
    if info.init_required:
        assert transaction.simulator is not None
        needs_initialization = transaction.simulator.get(info.name, INITIALIZED_KEY) != info.version.encode()
    if call.is_init:
        if not info.init_required:
            raise InvocationRefused(
                f"invalid invocation: chaincode '{info.name}' does not require initialization but called as init"
            )
        if not needs_initialization:
            raise InvocationRefused(
                f"invalid invocation: chaincode '{info.name}' is already initialized but called as init"
            )
        assert transaction.simulator is not None
        transaction.simulator.put(info.name, INITIALIZED_KEY, info.version.encode())
    elif needs_initialization:
        raise InvocationRefused(
            f"invalid invocation: chaincode '{info.name}' has not been initialized for this version, must call as init "
            "first"
        )


def _checked(response: object, chaincode: str) -> Response:
    if not isinstance(response, Response):
        raise ContractFailed(f"transaction returned with failure: chaincode {chaincode} gave no response")
    size = len(response.payload) + len(response.message)
    if size > RESPONSE_BYTES_MAX:
        raise ContractFailed(
            f"transaction returned with failure: response of {size} bytes, at most {RESPONSE_BYTES_MAX} are allowed"
        )
    return response
