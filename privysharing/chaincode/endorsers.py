"""A key's own endorsement policy: which organisations' peers must all agree to change it (Fabric's statebased)."""

from collections.abc import Collection

from privysharing.protocol.codec.policies import encode_signature_policy, parse_signature_policy
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.policies.signature import signed_by_n_of


def encode(msp_ids: Collection[str]) -> bytes:
    """The policy that asks for a peer of each, as a key's VALIDATION_PARAMETER holds it; empty for nobody."""
    named = set(msp_ids)
    return encode_signature_policy(signed_by_n_of(len(named), MspRole.PEER, named)) if named else b""


def parse(policy: bytes | None) -> tuple[str, ...]:
    """The organisations that a policy names, whatever it asks of them."""
    if not policy:
        return ()
    principals = parse_signature_policy(policy).identities
    return tuple(sorted({each.msp_id for each in principals if isinstance(each, RolePrincipal)}))
