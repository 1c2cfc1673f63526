"""What a simulation touched, so that a client can find out who has to endorse it (Endorser.buildChaincodeInterest)."""

from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.interests import encode_interest
from privysharing.protocol.codec.rwsets import parse_state_metadata
from privysharing.protocol.interests import ChaincodeCall, ChaincodeInterest
from privysharing.protocol.rwsets import VALIDATION_PARAMETER, NamespaceRwSet, TxRwSet
from privysharing.protocol.system_chaincodes import SYSTEM_CHAINCODES
from services.peer.chaincode_host.simulator import State

INTERESTS_CACHED_MAX: Final = 256  # encoded: those of one function of a contract are mostly the same


def interest_of(rwset: TxRwSet, state: State) -> bytes:
    """A protos.ChaincodeInterest.

    One call for each chaincode, in the order of the read/write set; the peer's own chaincodes do not count.
    """
    return _encoded(
        ChaincodeInterest(tuple([_call(ns, state) for ns in rwset.namespaces if ns.namespace not in SYSTEM_CHAINCODES]))
    )


_encoded = lru_cache(INTERESTS_CACHED_MAX)(encode_interest)


def _call(ns: NamespaceRwSet, state: State) -> ChaincodeCall:
    """Keys that have policies of their own need those; every other key needs the chaincode's policy."""
    written = {write.key for write in ns.writes}
    if ns.metadata_writes:
        written |= {write.key for write in ns.metadata_writes}
    policies = [_key_policy(ns.namespace, key, state) for key in sorted(written)]
    own = tuple([policy for policy in policies if policy is not None])
    if not own:
        return ChaincodeCall(ns.namespace)
    return ChaincodeCall(ns.namespace, key_policies=own, disregard_namespace_policy=None not in policies)


def _key_policy(namespace: str, key: str, state: State) -> bytes | None:
    stored = state.get(namespace, key)
    if stored is None or not stored.metadata:
        return None
    return parse_state_metadata(stored.metadata).get(VALIDATION_PARAMETER)
