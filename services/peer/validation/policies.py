"""Which policy decides over a chaincode or a collection, under one configuration and one state."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import parse_collections
from privysharing.protocol.codec.policies import parse_application_policy, parse_signature_policy
from privysharing.protocol.collections import CollectionConfig, implicit_collection_msp_id
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import DEFAULT_VALIDATION_PLUGIN, LIFECYCLE, LIFECYCLE_ENDORSEMENT_POLICY
from privysharing.protocol.lifecycle_state import read_definition
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.policies.policy import Policy, RejectPolicy
from privysharing.protocol.policies.signature import (
    ApplicationPolicy,
    ChannelPolicyReference,
    SignaturePolicyEvaluator,
    signed_by_n_of,
)
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.view import StateView

REJECT = RejectPolicy()

# Compiled policies that outlive their block, and how long one of a key's may be.
POLICIES_KEPT_MAX = 256
POLICY_BYTES_KEPT_MAX = 1024


@dataclass(frozen=True, slots=True)
class ChaincodeRules:
    """What a committed definition says about endorsement."""

    policy: Policy
    collections: Mapping[str, CollectionConfig]


class EndorsementPolicies:
    """Policies by chaincode, collection and key, each looked up and compiled once."""

    def __init__(self, config: ChannelConfig, view: StateView) -> None:
        self._config = config
        self._view = view
        self._chaincodes: dict[str, ChaincodeRules | None] = {}
        self._collections: dict[tuple[str, str], Policy] = {}
        self._keys: dict[bytes, Policy] = {}

    def chaincode(self, namespace: str) -> ChaincodeRules | None:
        """The rules of a chaincode; None when the channel does not define it (ValidatorCommitter ValidationInfo)."""
        if namespace not in self._chaincodes:
            self._chaincodes[namespace] = (
                ChaincodeRules(self._lifecycle_policy(), {}) if namespace == LIFECYCLE else self._defined(namespace)
            )
        return self._chaincodes[namespace]

    def collection(self, namespace: str, collection: str, rules: ChaincodeRules) -> Policy:
        """The policy of a collection (ValidatorCommitter CollectionValidationInfo)."""
        place = (namespace, collection)
        if place not in self._collections:
            msp_id = implicit_collection_msp_id(collection)
            self._collections[place] = (
                self._collection_policy(collection, rules) if msp_id is None else self._org_policy(msp_id)
            )
        return self._collections[place]

    def key(self, parameter: bytes) -> Policy:
        """The policy that a key's metadata holds."""
        if parameter not in self._keys:
            kept = len(parameter) <= POLICY_BYTES_KEPT_MAX
            self._keys[parameter] = (_key_policy if kept else _key_policy.__wrapped__)(self._config, parameter)
        return self._keys[parameter]

    def _defined(self, namespace: str) -> ChaincodeRules | None:
        try:
            definition = read_definition(self._committed_lifecycle_key, namespace)
            collections = () if definition is None else parse_collections(definition.collections)
        except ProtocolError as error:
            raise ChannelHalted(f"definition of chaincode {namespace} cannot be read: {error}") from error
        if definition is None or not definition.validation_plugin or not definition.validation_parameter:
            return None
        if definition.validation_plugin != DEFAULT_VALIDATION_PLUGIN:
            raise ChannelHalted(f"chaincode {namespace}: plugin with name {definition.validation_plugin} wasn't found")
        by_name: dict[str, CollectionConfig] = {}
        for collection in collections:
            by_name.setdefault(collection.name, collection)
        return ChaincodeRules(_application_policy(self._config, definition.validation_parameter), by_name)

    def _committed_lifecycle_key(self, key: str) -> bytes | None:
        found = self._view.get(LIFECYCLE, key)
        return None if found is None else found.value

    def _lifecycle_policy(self) -> Policy:
        """Resources LifecycleEndorsementPolicyAsBytes: the channel's, or else a majority of organisations' members."""
        if self._config.has_policy(LIFECYCLE_ENDORSEMENT_POLICY):
            return self._config.policy(LIFECYCLE_ENDORSEMENT_POLICY)
        msp_ids = [org.msp_id for org in self._config.application_orgs.values()]
        return _compiled(self._config, signed_by_n_of(len(msp_ids) // 2 + 1, MspRole.MEMBER, msp_ids))

    def _collection_policy(self, collection: str, rules: ChaincodeRules) -> Policy:
        """A collection that says nothing leaves it to its chaincode; one that is not defined cannot be written."""
        config = rules.collections.get(collection)
        if config is None:
            return REJECT
        if not config.endorsement_policy:
            return rules.policy
        return _application_policy(self._config, config.endorsement_policy)

    def _org_policy(self, msp_id: str) -> Policy:
        """An implicit collection's: its organisation's own (ImplicitCollectionEndorsementPolicyAsBytes)."""
        for org in self._config.application_orgs.values():
            if org.msp_id == msp_id:
                path = f"/Channel/Application/{org.name}/Endorsement"
                if self._config.has_policy(path):
                    return self._config.policy(path)
                return _compiled(self._config, signed_by_n_of(1, MspRole.MEMBER, [msp_id]))
        return REJECT


# What repeats from block to block is compiled once under each configuration, and remembers what it decided.
@lru_cache(POLICIES_KEPT_MAX)
def _application_policy(config: ChannelConfig, raw: bytes) -> Policy:
    """ApplicationPolicyEvaluator: one that cannot be read, or names no policy of the channel, is met by nobody."""
    try:
        return _compiled(config, parse_application_policy(raw))
    except ProtocolError:
        return REJECT


@lru_cache(POLICIES_KEPT_MAX)
def _key_policy(config: ChannelConfig, raw: bytes) -> Policy:
    """One that cannot be read is met by nobody. (Fabric's peers stop at it; no verdict of theirs differs from this.)"""
    try:
        return SignaturePolicyEvaluator(parse_signature_policy(raw), config.msps)
    except ProtocolError:
        return REJECT


def _compiled(config: ChannelConfig, policy: ApplicationPolicy) -> Policy:
    if isinstance(policy, ChannelPolicyReference):
        return config.policy(policy.path)
    return SignaturePolicyEvaluator(policy, config.msps)
