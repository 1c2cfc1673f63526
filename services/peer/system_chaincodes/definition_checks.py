"""Whether a chaincode's definition makes sense, before it is approved or committed (scc.go validateInput)."""

import re
from collections.abc import Mapping, Sequence

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.collections import holds_only_collections, parse_collections
from privysharing.protocol.codec.policies import parse_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.lifecycle import LIFECYCLE, ChaincodeDefinition
from privysharing.protocol.lifecycle_state import read_definition
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.principals import IdentityPrincipal, MspPrincipal, OuPrincipal, RolePrincipal
from privysharing.protocol.policies import NOutOf, SignaturePolicy, SignaturePolicyEvaluator, SignedBy
from privysharing.protocol.system_chaincodes import LSCC
from services.peer.chaincode_host.simulator import TxSimulator

_NAME = re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*")
_VERSION = re.compile(r"[A-Za-z0-9_.+-]+")
_COLLECTION_NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]*")
# scc.go systemChaincodeNames: `_lifecycle` cannot pass as a name
_SYSTEM_NAMES = frozenset({"cscc", "escc", "lscc", "qscc", "vscc"})


class LifecycleRefusal(Exception):
    """`_lifecycle` does not do what it was asked; the text says why."""


def check_definition(config: ChannelConfig, simulator: TxSimulator, name: str, definition: ChaincodeDefinition) -> None:
    """Refuse bad names and collections. Reads the committed definition, which the read set then shows."""
    try:
        _check_names(name, definition.version)
        collections = parse_collections(definition.collections)
        if not holds_only_collections(definition.collections):
            raise LifecycleRefusal("collection config contains unexpected payload type: <nil>")
        _check_collections(config, collections)
        committed = read_definition(lambda key: simulator.get(LIFECYCLE, key), name)
        if committed is None:
            simulator.get(LSCC, name)  # the 1.x table is asked before a chaincode counts as new
        else:
            _check_kept(collections, parse_collections(committed.collections))
    except (LifecycleRefusal, ProtocolError) as error:
        raise LifecycleRefusal(f"error validating chaincode definition: {error}") from error


def _check_names(name: str, version: str) -> None:
    if not _NAME.fullmatch(name):
        raise LifecycleRefusal(
            f"invalid chaincode name '{name}'. Names can only consist of alphanumerics, '_', and '-' and can only "
            "begin with alphanumerics"
        )
    if name in _SYSTEM_NAMES:
        raise LifecycleRefusal(f"chaincode name '{name}' is the name of a system chaincode")
    if not _VERSION.fullmatch(version):
        raise LifecycleRefusal(
            f"invalid chaincode version '{version}'. Versions can only consist of alphanumerics, '_', '-', '+', and '.'"
        )


def _check_collections(config: ChannelConfig, collections: Sequence[CollectionConfig]) -> None:
    seen: set[str] = set()
    for collection in collections:
        name = collection.name
        if not _COLLECTION_NAME.fullmatch(name):
            raise LifecycleRefusal(
                f"invalid collection name '{name}'. Names can only consist of alphanumerics, '_', and '-' and cannot "
                "begin with '_'"
            )
        if name in seen:
            raise LifecycleRefusal(f"collection-name: {name} -- found duplicate in collection configuration")
        seen.add(name)
        if collection.maximum_peer_count < collection.required_peer_count:
            raise LifecycleRefusal(
                f"collection-name: {name} -- maximum peer count ({collection.maximum_peer_count}) cannot be less than "
                f"the required peer count ({collection.required_peer_count})"
            )
        if collection.required_peer_count < 0:
            raise LifecycleRefusal(
                f"collection-name: {name} -- requiredPeerCount ({collection.required_peer_count}) cannot be less than "
                "zero"
            )
        _check_members(config, collection)


def _check_members(config: ChannelConfig, collection: CollectionConfig) -> None:
    """The members are an OR of members of this channel (validateCollectionConfigMemberOrgsPolicy)."""
    name = collection.name
    if not collection.member_orgs_policy:
        raise LifecycleRefusal(f"collection member policy is not set for collection '{name}'")
    try:
        policy = parse_signature_policy(collection.member_orgs_policy)
        SignaturePolicyEvaluator(policy, config.msps)
    except ProtocolError as error:
        raise LifecycleRefusal(f"invalid member org policy for collection '{name}': {error}") from error
    wanted = _threshold_above_one(policy)
    if wanted is not None:
        raise LifecycleRefusal(
            f"collection-name: {name} -- error in member org policy: signature policy is not an OR concatenation, "
            f"NOutOf {wanted}"
        )
    for principal in policy.identities:
        _check_member(config, name, principal)


def _threshold_above_one(policy: SignaturePolicy) -> int | None:
    waiting = [policy.rule]
    while waiting:
        match waiting.pop(0):
            case NOutOf(n, rules):
                if n != 1:
                    return n
                waiting.extend(rules)
            case SignedBy():
                pass
    return None


def _check_member(config: ChannelConfig, collection: str, principal: MspPrincipal) -> None:
    match principal:
        case RolePrincipal(msp_id) | OuPrincipal(msp_id):
            if msp_id not in config.msps.msp_ids:
                raise LifecycleRefusal(
                    f"collection-name: {collection} -- collection member '{msp_id}' is not part of the channel"
                )
        case IdentityPrincipal(serialized):
            try:
                config.msps.deserialize(serialized)
            except InvalidIdentity:
                raise LifecycleRefusal(
                    f"collection-name: {collection} -- contains an identity that is not part of the channel"
                ) from None
        case _:
            raise LifecycleRefusal(f"collection-name: {collection} -- principal type is not supported")


def _check_kept(proposed: Sequence[CollectionConfig], committed: Sequence[CollectionConfig]) -> None:
    """A new definition keeps every collection, and how long its data lives (validateCollConfigsAgainstCommittedDef)."""
    if committed and not proposed:
        raise LifecycleRefusal("the proposed collection config does not contain previously defined collections")
    by_name: Mapping[str, CollectionConfig] = {collection.name: collection for collection in proposed}
    for old in committed:
        new = by_name.get(old.name)
        if new is None:
            raise LifecycleRefusal(f"existing collection [{old.name}] missing in the proposed collection configuration")
        if new.block_to_live != old.block_to_live:
            raise LifecycleRefusal(
                f"the BlockToLive in an existing collection [{old.name}] modified. Existing value [{old.block_to_live}]"
            )
