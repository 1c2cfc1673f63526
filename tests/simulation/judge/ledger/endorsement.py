"""Whether the right endorsers signed what a transaction writes (statebased v20.go, lifecycle ValidatorCommitter)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tests.simulation.judge.ledger.channel import ChannelConfig
from tests.simulation.judge.ledger.codes import Code
from tests.simulation.judge.ledger.members import Member
from tests.simulation.judge.ledger.messages import (
    Unreadable,
    collections,
    definitions,
    lifecycle_state,
    peer_policy,
    policies,
    principals,
    read,
)
from tests.simulation.judge.ledger.state import Place, State, metadata_entry
from tests.simulation.judge.ledger.transactions import Namespace, Transaction

LIFECYCLE = "_lifecycle"
_LIFECYCLE_POLICY = "/Channel/Application/LifecycleEndorsement"
IMPLICIT_COLLECTION = "_implicit_org_"


class Halted(Exception):
    """Peers give no verdict on this block; the text says why."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a chaincode's committed definition says about endorsement: a marshalled ApplicationPolicy for each part."""

    policy: bytes
    collections: dict[str, bytes] = field(default_factory=dict)  # empty: as the chaincode


class Endorsements:
    """Judges a block's transactions one after the other, on the state and the configuration before the block.

    A key whose metadata an earlier one changed is endorsed by nobody later on: its policy may be another now. That
    holds for each namespace as soon as its policy was met there, whatever becomes of the transaction.
    """

    def __init__(self, config: ChannelConfig, state: State) -> None:
        self._config = config
        self._state = state
        self._changed: set[Place] = set()
        self._definitions: dict[str, Definition | None] = {}

    def judge(self, transaction: Transaction) -> Code:
        """By the policies of the chaincode that was called and of each that is written (the last loop of Dispatch).

        Fabric asks them in no order; where several say no, for different reasons, its peers may differ, and ours take
        the called one first, then the others as they stand.
        """
        called = transaction.action.chaincode_id.name
        members = self._config.signers(transaction.endorsements)
        written = [namespace for namespace in transaction.namespaces if namespace.is_written]
        parts = {called: Namespace(called, _NOTHING, [])} | {each.name: each for each in transaction.namespaces}
        for name in dict.fromkeys([called, *(each.name for each in written)]):
            if name not in self._definitions:
                self._definitions[name] = self._definition(name)
            definition = self._definitions[name]
            if definition is None:
                return Code.INVALID_CHAINCODE
            if not self._is_endorsed(parts[name], definition, members):
                return Code.ENDORSEMENT_POLICY_FAILURE
            self._changed.update(_metadata_places(parts[name]))
        return Code.VALID

    def _is_endorsed(self, namespace: Namespace, definition: Definition, members: Sequence[Member]) -> bool:
        """Each key by its own policy, or its collection's, or the chaincode's; that one at least, if none was asked."""
        places = list(_written_places(namespace))
        if any(place in self._changed for place in places):
            return False
        asked: set[bytes] = set()
        for place in places:
            own = self._key_policy(place)
            if own is None and place[1]:
                own = self._collection_policy(place[1], definition)
            asked.add(definition.policy if own is None else own)
        return all(self._satisfies(policy, members) for policy in asked or {definition.policy})

    def _key_policy(self, place: Place) -> bytes | None:
        found = self._state.get(place)
        own = metadata_entry(found.metadata, "VALIDATION_PARAMETER") if found else b""
        if not own:
            return None
        try:
            envelope = read(policies.SignaturePolicyEnvelope, own)
        except Unreadable:
            return b""
        return bytes(peer_policy.ApplicationPolicy(signature_policy=envelope).SerializeToString())

    def _collection_policy(self, collection: str, definition: Definition) -> bytes | None:
        """None: the chaincode's; empty: nobody can write there (CollectionValidationInfo)."""
        if collection.startswith(IMPLICIT_COLLECTION):
            return self._org_policy(collection.removeprefix(IMPLICIT_COLLECTION))
        return definition.collections[collection] or None if collection in definition.collections else b""

    def _org_policy(self, msp_id: str) -> bytes:
        name = self._config.application_orgs.get(msp_id)
        if name is None:
            return b""
        path = f"/Channel/Application/{name}/Endorsement"
        return _reference(path) if self._config.has_policy(path) else _by_members(1, [msp_id])

    def _satisfies(self, policy: bytes, members: Sequence[Member]) -> bool:
        """ApplicationPolicyEvaluator Evaluate."""
        try:
            parsed = _application_policy(policy)
        except Unreadable:
            return False
        kind = parsed.WhichOneof("Type")
        if kind == "signature_policy":
            return self._config.satisfies_signature_policy(parsed.signature_policy, members)
        return kind is not None and self._config.satisfies(parsed.channel_config_policy_reference, members)

    def _definition(self, name: str) -> Definition | None:
        """What the channel defines of a chaincode (ValidationInfo)."""
        if name == LIFECYCLE:
            if self._config.has_policy(_LIFECYCLE_POLICY):
                return Definition(_reference(_LIFECYCLE_POLICY))
            msp_ids = list(self._config.application_orgs)
            return Definition(_by_members(len(msp_ids) // 2 + 1, msp_ids))
        try:
            return self._committed_definition(name)
        except Unreadable as error:
            raise Halted(f"definition of {name}: {error}") from error

    def _committed_definition(self, name: str) -> Definition | None:
        """As `_lifecycle` stores it (lifecycle/serializer.go). Raises Unreadable."""
        stored = _stored(self._state, f"metadata/{name}")
        if not stored:
            return None
        metadata = read(lifecycle_state.StateMetadata, stored)
        if metadata.datatype != "ChaincodeDefinition":
            raise Unreadable(f"a {metadata.datatype}")
        info = read(definitions.ChaincodeValidationInfo, _field(self._state, f"{name}/ValidationInfo"))
        if not info.validation_plugin or not info.validation_parameter:
            return None
        if info.validation_plugin != "vscc":
            raise Halted(f"plugin {info.validation_plugin}")
        found = {
            each.name: each.endorsement_policy.SerializeToString()
            for each in reversed(committed_collections(self._state, name))  # the first of a name counts
        }
        return Definition(info.validation_parameter, found)


def committed_collections(state: State, name: str) -> Sequence[Any]:
    """The collections of a chaincode's definition, protos.StaticCollectionConfig. Raises Unreadable."""
    package = read(collections.CollectionConfigPackage, _field(state, f"{name}/Collections"))
    return [each.static_collection_config for each in package.config]


def _field(state: State, path: str) -> bytes:
    return bytes(read(lifecycle_state.StateData, _stored(state, f"fields/{path}")).Bytes)


def _stored(state: State, path: str) -> bytes:
    found = state.get((LIFECYCLE, "", f"namespaces/{path}"))
    return found.value or b"" if found else b""


class _Nothing:
    """A namespace that is called and neither read nor written."""

    writes = metadata_writes = ()


_NOTHING: Any = _Nothing()


def _written_places(namespace: Namespace) -> Iterator[Place]:
    for write in namespace.public.writes:
        yield namespace.name, "", write.key
    for part in namespace.collections:
        for write in part.hashed.hashed_writes:
            yield namespace.name, part.collection, write.key_hash
    yield from _metadata_places(namespace)


def _metadata_places(namespace: Namespace) -> Iterator[Place]:
    for change in namespace.public.metadata_writes:
        yield namespace.name, "", change.key
    for part in namespace.collections:
        for change in part.hashed.metadata_writes:
            yield namespace.name, part.collection, change.key_hash


@lru_cache(1 << 10)
def _application_policy(raw: bytes) -> Any:
    return read(peer_policy.ApplicationPolicy, raw)


def _reference(path: str) -> bytes:
    return bytes(peer_policy.ApplicationPolicy(channel_config_policy_reference=path).SerializeToString())


def _by_members(needed: int, msp_ids: Sequence[str]) -> bytes:
    """Members of so many of these organisations."""
    role = principals.MSPRole
    asked = [role(msp_identifier=each, role=role.MEMBER).SerializeToString() for each in msp_ids]
    rules = [policies.SignaturePolicy(signed_by=index) for index in range(len(asked))]
    envelope = policies.SignaturePolicyEnvelope(
        rule=policies.SignaturePolicy(n_out_of=policies.SignaturePolicy.NOutOf(n=needed, rules=rules)),
        identities=[principals.MSPPrincipal(principal=each) for each in asked],
    )
    return bytes(peer_policy.ApplicationPolicy(signature_policy=envelope).SerializeToString())
