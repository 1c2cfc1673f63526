"""_lifecycle: organisations approve a chaincode's definition and commit it (core/chaincode/lifecycle).

What an organisation approves goes into its implicit collection: the plain values stay with the peers of that
organisation, and everybody else compares hashes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec import lifecycle as codec
from privysharing.protocol.codec.policies import encode_application_policy
from privysharing.protocol.collections import implicit_collection
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import (
    DEFAULT_ENDORSEMENT_PLUGIN,
    DEFAULT_ENDORSEMENT_POLICY,
    DEFAULT_VALIDATION_PLUGIN,
    LIFECYCLE,
    ChaincodeDefinition,
    CommitReadiness,
)
from privysharing.protocol.lifecycle_state import (
    CHAINCODE_SOURCES,
    DEFINITION_TYPE,
    NAMESPACES,
    current_sequence,
    datatype,
    definition_structure,
    local_package_structure,
    metadata_key,
    mismatches,
    parameters_structure,
    private_name,
    read_approval,
    read_definition,
    read_package_id,
    store,
)
from privysharing.protocol.policies import ChannelPolicyReference
from privysharing.protocol.transactions import Response
from services.peer.access import AccessControl
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.simulator import TxSimulator
from services.peer.chaincode_host.transaction import Transaction
from services.peer.system_chaincodes.answers import error, success, text
from services.peer.system_chaincodes.definition_checks import LifecycleRefusal, check_definition

NOT_FOUND = 404
_ABOUT_PACKAGES = frozenset({"InstallChaincode", "QueryInstalledChaincode", "GetInstalledChaincodePackage"})


class NamespaceNotDefined(LifecycleRefusal):
    """The chaincode has no committed definition."""


class Lifecycle:
    """args: function, and its one encoded argument."""

    def __init__(self, access: AccessControl, msp_id: str) -> None:
        self._access = access
        self._msp_id = msp_id
        self._functions: Mapping[str, Callable[[_Call, bytes], bytes]] = {
            "ApproveChaincodeDefinitionForMyOrg": self._approve,
            "QueryApprovedChaincodeDefinition": self._query_approved,
            "CheckCommitReadiness": _check_commit_readiness,
            "CommitChaincodeDefinition": self._commit,
            "QueryChaincodeDefinition": _query,
            "QueryChaincodeDefinitions": _query_all,
        }

    def invoke(self, transaction: Transaction, args: Sequence[bytes]) -> Response:
        """Answer one call."""
        if not args:
            return error("lifecycle scc must be invoked with arguments")
        if len(args) != 2:
            return error(f"lifecycle scc operations require exactly two arguments but received {len(args)}")
        function = text(args[0])
        config = transaction.channel.config if transaction.channel is not None else None
        refusal = self._access.refusal(f"{LIFECYCLE}/{function}", transaction.creator, config, transaction.channel_id)
        if refusal is not None:
            return error(f"Failed to authorize invocation due to failed ACL check: {refusal}")
        if function == "QueryInstalledChaincodes":
            return success()  # an empty QueryInstalledChaincodesResult: contracts are Python packages here
        try:
            return success(self._dispatch(transaction, config, function, args[1]))
        except NamespaceNotDefined as why:
            return Response(NOT_FOUND, str(why))
        except (LifecycleRefusal, ChaincodeError, ProtocolError) as why:
            return error(f"failed to invoke backing implementation of '{function}': {why}")

    def _dispatch(
        self, transaction: Transaction, config: ChannelConfig | None, function: str, argument: bytes
    ) -> bytes:
        if function in _ABOUT_PACKAGES:
            raise LifecycleRefusal("contracts of this peer are installed as Python packages")
        answer = self._functions.get(function)
        if answer is None:
            raise LifecycleRefusal(f"{function} is not offered by this peer")
        if config is None or transaction.simulator is None:
            raise LifecycleRefusal(f"no application config for channel '{transaction.channel_id}'")
        return answer(_Call(config, transaction.simulator), argument)

    def _approve(self, call: "_Call", argument: bytes) -> bytes:
        name, definition, package_id = codec.parse_approve_args(argument)
        check_definition(call.config, call.simulator, name, definition)
        current = current_sequence(call.public.get, name)
        _check_approvable(definition.sequence, current)
        definition = _with_defaults(call.config, definition)
        approvals = _Private(call.simulator, self._msp_id)
        if definition.sequence == current:
            _check_same_as_committed(call, name, definition)
        if _approved_already(approvals, name, definition, package_id):
            raise LifecycleRefusal(
                f"attempted to redefine the current committed sequence ({current}) for namespace {name}"
                if definition.sequence == current
                else f"attempted to redefine uncommitted sequence ({definition.sequence}) for namespace {name} "
                "with unchanged content"
            )
        key = private_name(name, definition.sequence)
        store(approvals, NAMESPACES, key, parameters_structure(definition))
        # Kept even when empty: it says that this organisation's peers shall not run the chaincode.
        store(approvals, CHAINCODE_SOURCES, key, local_package_structure(package_id))
        return b""

    def _commit(self, call: "_Call", argument: bytes) -> bytes:
        name, definition = codec.parse_definition_args(argument)
        check_definition(call.config, call.simulator, name, definition)
        if self._msp_id not in call.msp_ids:
            raise LifecycleRefusal(
                "impossibly, this peer's org is processing requests for a channel it is not a member of"
            )
        definition, readiness = _readiness(call, name, definition)
        store(call.public, NAMESPACES, name, definition_structure(definition))
        if not readiness.approvals[self._msp_id]:
            raise LifecycleRefusal(f"chaincode definition not agreed to by this org ({self._msp_id})")
        return b""

    def _query_approved(self, call: "_Call", argument: bytes) -> bytes:
        name, sequence = codec.parse_query_approved_args(argument)
        approvals = _Private(call.simulator, self._msp_id)
        if sequence == 0:
            sequence = current_sequence(call.public.get, name)
            if datatype(approvals.get, NAMESPACES, private_name(name, sequence + 1)) is not None:
                sequence += 1
        approved = read_approval(approvals.get, name, sequence)
        if approved is None:
            raise LifecycleRefusal(
                f"could not fetch approved chaincode definition (name: '{name}', sequence: '{sequence}') on channel "
                f"'{call.config.channel_id}'"
            )
        package_id = read_package_id(approvals.get, name, sequence)
        if package_id is None:
            raise LifecycleRefusal(f"could not fetch chaincode-source metadata for {private_name(name, sequence)}")
        return codec.encode_query_approved_result(approved, package_id)


class _Call:
    """One invocation on a channel."""

    def __init__(self, config: ChannelConfig, simulator: TxSimulator) -> None:
        self.config = config
        self.simulator = simulator
        self.public = _Public(simulator)
        self.msp_ids = tuple(org.msp_id for org in config.application_orgs.values())


class _Public:
    """Public state of `_lifecycle`, as `lifecycle_state` reads and writes it."""

    def __init__(self, simulator: TxSimulator) -> None:
        self._simulator = simulator

    def get(self, key: str) -> bytes | None:
        return self._simulator.get(LIFECYCLE, key)

    def put(self, key: str, value: bytes) -> None:
        self._simulator.put(LIFECYCLE, key, value)

    def delete(self, key: str) -> None:
        self._simulator.delete(LIFECYCLE, key)


class _Private:
    """An organisation's implicit collection, as `lifecycle_state` reads and writes it."""

    def __init__(self, simulator: TxSimulator, msp_id: str) -> None:
        self._simulator = simulator
        self._collection = implicit_collection(msp_id)

    def get(self, key: str) -> bytes | None:
        return self._simulator.get_private(LIFECYCLE, self._collection, key)

    def get_hash(self, key: str) -> bytes | None:
        return self._simulator.get_private_hash(LIFECYCLE, self._collection, key)

    def put(self, key: str, value: bytes) -> None:
        self._simulator.put_private(LIFECYCLE, self._collection, key, value)

    def delete(self, key: str) -> None:
        self._simulator.put_private(LIFECYCLE, self._collection, key, b"")


def _check_approvable(requested: int, current: int) -> None:
    if requested == current == 0:
        raise LifecycleRefusal("requested sequence is 0, but first definable sequence number is 1")
    if requested < current:
        raise LifecycleRefusal(f"currently defined sequence {current} is larger than requested sequence {requested}")
    if requested > current + 1:
        raise LifecycleRefusal(
            f"requested sequence {requested} is larger than the next available sequence number {current + 1}"
        )


def _check_same_as_committed(call: _Call, name: str, definition: ChaincodeDefinition) -> None:
    """An organisation may approve late, but only what is committed."""
    committed = read_definition(call.public.get, name)
    if committed is None:
        raise LifecycleRefusal(f"missing metadata for currently committed sequence number ({definition.sequence})")
    difference = _difference(committed, definition)
    if difference is not None:
        raise LifecycleRefusal(
            f"attempted to redefine the current committed sequence ({definition.sequence}) for namespace {name} with "
            f"different parameters: {difference}"
        )


def _difference(expected: ChaincodeDefinition, passed: ChaincodeDefinition) -> str | None:
    """The first difference, in Fabric's words (ChaincodeParameters.Equal)."""
    compared = (
        ("Version", f"'{expected.version}'", f"'{passed.version}'"),
        ("EndorsementPlugin", f"'{expected.endorsement_plugin}'", f"'{passed.endorsement_plugin}'"),
        ("InitRequired", f"'{str(expected.init_required).lower()}'", f"'{str(passed.init_required).lower()}'"),
        ("ValidationPlugin", f"'{expected.validation_plugin}'", f"'{passed.validation_plugin}'"),
        ("ValidationParameter", f"'{expected.validation_parameter.hex()}'", f"'{passed.validation_parameter.hex()}'"),
    )
    for field, wanted, found in compared:
        if wanted != found:
            return f"expected {field} {wanted} does not match passed {field} {found}"
    return "Collections do not match" if expected.collections != passed.collections else None


def _approved_already(approvals: _Private, name: str, definition: ChaincodeDefinition, package_id: str) -> bool:
    """An approval that changes nothing would be a transaction without writes (isAttemptToRedefine)."""
    approved = read_approval(approvals.get, name, definition.sequence)
    if approved is None or _difference(approved, definition) is not None:
        return False
    return read_package_id(approvals.get, name, definition.sequence) == package_id


def _with_defaults(config: ChannelConfig, definition: ChaincodeDefinition) -> ChaincodeDefinition:
    parameter = definition.validation_parameter
    if not parameter:
        if not config.has_policy(DEFAULT_ENDORSEMENT_POLICY):
            raise LifecycleRefusal(
                f"could not set defaults for chaincode definition in channel {config.channel_id}: policy "
                f"'{DEFAULT_ENDORSEMENT_POLICY}' must be defined for channel '{config.channel_id}' before chaincode "
                "operations can be attempted"
            )
        parameter = encode_application_policy(ChannelPolicyReference(DEFAULT_ENDORSEMENT_POLICY))
    return replace(
        definition,
        endorsement_plugin=definition.endorsement_plugin or DEFAULT_ENDORSEMENT_PLUGIN,
        validation_plugin=definition.validation_plugin or DEFAULT_VALIDATION_PLUGIN,
        validation_parameter=parameter,
    )


def _readiness(call: _Call, name: str, definition: ChaincodeDefinition) -> tuple[ChaincodeDefinition, CommitReadiness]:
    """The definition with its defaults, and who approves it."""
    current = current_sequence(call.public.get, name)
    if definition.sequence != current + 1:
        raise LifecycleRefusal(
            f"requested sequence is {definition.sequence}, but new definition must be sequence {current + 1}"
        )
    definition = _with_defaults(call.config, definition)
    return definition, _approvals(call, name, definition)


def _approvals(call: _Call, name: str, definition: ChaincodeDefinition) -> CommitReadiness:
    key, structure = private_name(name, definition.sequence), parameters_structure(definition)
    differing = {
        msp_id: mismatches(_Private(call.simulator, msp_id).get_hash, NAMESPACES, key, structure)
        for msp_id in call.msp_ids
    }
    return CommitReadiness(
        {msp_id: not found for msp_id, found in differing.items()},
        {msp_id: found for msp_id, found in differing.items() if found},
    )


def _check_commit_readiness(call: _Call, argument: bytes) -> bytes:
    name, definition = codec.parse_definition_args(argument)
    _, readiness = _readiness(call, name, definition)
    return codec.encode_commit_readiness(readiness)


def _committed(call: _Call, name: str) -> ChaincodeDefinition:
    definition = read_definition(call.public.get, name)
    if definition is None:
        raise NamespaceNotDefined(f"namespace {name} is not defined")
    return definition


def _query(call: _Call, argument: bytes) -> bytes:
    name = codec.parse_query_args(argument)
    definition = _committed(call, name)
    return codec.encode_query_result(definition, _approvals(call, name, definition).approvals)


def _query_all(call: _Call, _argument: bytes) -> bytes:
    prefix = metadata_key(NAMESPACES, "")
    found = [
        (key.removeprefix(prefix), codec.parse_state_metadata(value)[0])
        for key, value in call.simulator.range(LIFECYCLE, prefix, prefix + "\x7f")
    ]
    names = [name for name, kind in found if kind == DEFINITION_TYPE]
    return codec.encode_query_all_result([(name, _committed(call, name)) for name in names])
