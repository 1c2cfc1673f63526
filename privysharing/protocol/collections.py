"""Collections of private data: which organisations hold the values whose hashes everybody has."""

from dataclasses import dataclass

from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.principals import IdentityPrincipal, MspPrincipal, MspRole, OuPrincipal, RolePrincipal
from privysharing.protocol.policies.signature import SignaturePolicy, signed_by_n_of

IMPLICIT_COLLECTION_PREFIX = "_implicit_org_"
# core.yaml peer.gossip.pvtData.implicitCollectionDisseminationPolicy, for the peer's own organisation
IMPLICIT_MAXIMUM_PEER_COUNT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionConfig:
    """protos.StaticCollectionConfig; the policies stay encoded."""

    name: str
    member_orgs_policy: bytes = b""  # common.SignaturePolicyEnvelope
    required_peer_count: int = 0
    maximum_peer_count: int = 0
    block_to_live: int = 0  # blocks; 0: for good
    member_only_read: bool = False
    member_only_write: bool = False
    endorsement_policy: bytes | None = None  # protos.ApplicationPolicy; None: the chaincode's


def implicit_collection(msp_id: str) -> str:
    """The collection that belongs to one organisation alone (implicitcollection.NameForOrg)."""
    return IMPLICIT_COLLECTION_PREFIX + msp_id


def implicit_collection_msp_id(collection: str) -> str | None:
    """The organisation whose implicit collection this is; None for an ordinary one."""
    if not collection.startswith(IMPLICIT_COLLECTION_PREFIX):
        return None
    return collection.removeprefix(IMPLICIT_COLLECTION_PREFIX)


def member_of(msp_id: str) -> SignaturePolicy:
    """The members of an implicit collection."""
    return signed_by_n_of(1, MspRole.MEMBER, [msp_id])


def members(policy: SignaturePolicy) -> frozenset[str]:
    """MSP ids of the organisations that a member policy names, whatever it asks of them (SimpleCollection Setup)."""
    return frozenset(msp_id for principal in policy.identities if (msp_id := _msp_id(principal)) is not None)


def _msp_id(principal: MspPrincipal) -> str | None:
    match principal:
        case RolePrincipal(msp_id) | OuPrincipal(msp_id):
            return msp_id
        case IdentityPrincipal(serialized):
            try:
                return parse_serialized_identity(serialized)[0]
            except MalformedMessage:
                return None
        case _:
            return None
