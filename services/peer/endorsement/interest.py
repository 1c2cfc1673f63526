"""What a simulation touched, so that a client can find out who has to endorse it (Endorser.buildChaincodeInterest)."""

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import Final

from privysharing.protocol.codec.interests import encode_interest
from privysharing.protocol.codec.rwsets import parse_state_metadata
from privysharing.protocol.interests import ChaincodeCall, ChaincodeInterest
from privysharing.protocol.rwsets import VALIDATION_PARAMETER, NamespaceRwSet, TxRwSet, VersionedValue
from privysharing.protocol.system_chaincodes import SYSTEM_CHAINCODES
from services.peer.chaincode_host.simulator import State

INTERESTS_CACHED_MAX: Final = 256  # encoded: those of one function of a contract are mostly the same


def interest_of(rwset: TxRwSet, state: State, private_reads: Collection[tuple[str, str]] = ()) -> bytes:
    """A protos.ChaincodeInterest.

    The calls of each chaincode in the order of the read/write set, that of its public keys first; the peer's own
    chaincodes do not count. `private_reads` are the collections, by namespace, of which values were read.
    """
    parts = [ns for ns in rwset.namespaces if ns.namespace not in SYSTEM_CHAINCODES]
    if not private_reads and not any(ns.collections or state.may_have_metadata(ns.namespace) for ns in parts):
        return _of_chaincodes(tuple([ns.namespace for ns in parts]))
    calls = [
        call for ns in parts for call in _calls(ns, state, {name for of, name in private_reads if of == ns.namespace})
    ]
    return _encoded(ChaincodeInterest(tuple(calls)))


@lru_cache(INTERESTS_CACHED_MAX)
def _of_chaincodes(names: tuple[str, ...]) -> bytes:
    """Where no key has a policy of its own and nothing is private, only those of the chaincodes are needed."""
    return encode_interest(ChaincodeInterest(tuple(map(ChaincodeCall, names))))


_encoded = lru_cache(INTERESTS_CACHED_MAX)(encode_interest)


def _calls(ns: NamespaceRwSet, state: State, private_reads: Collection[str]) -> Iterator[ChaincodeCall]:
    """Keys that have policies of their own need those; every other key needs its collection's, or the chaincode's."""
    written = {write.key for write in ns.writes}
    if ns.metadata_writes:
        written |= {write.key for write in ns.metadata_writes}
    policies: list[bytes | None] = [None] * len(written)
    if state.may_have_metadata(ns.namespace):
        policies = [_own_policy(state.get(ns.namespace, key)) for key in sorted(written)]
    own = _those(policies)
    needed, wrote_in_private = set(private_reads), False
    for hashed in ns.collections:
        key_hashes = [write.key_hash for write in hashed.writes] + [write.key_hash for write in hashed.metadata_writes]
        wrote_in_private = wrote_in_private or bool(key_hashes)
        in_private: list[bytes | None] = [None] * len(key_hashes)
        if state.may_have_metadata(ns.namespace, hashed.collection):
            in_private = [
                _own_policy(state.get_hashed(ns.namespace, hashed.collection, each))
                for each in dict.fromkeys(key_hashes)
            ]
        own += _those(in_private)
        if None in in_private:
            needed.add(hashed.collection)
    chaincode_policy = None in policies or not (written or wrote_in_private)
    if own or chaincode_policy:
        yield ChaincodeCall(
            ns.namespace, key_policies=own, disregard_namespace_policy=bool(own) and not chaincode_policy
        )
    for collection in sorted(needed):
        yield ChaincodeCall(ns.namespace, (collection,), no_private_reads=collection not in private_reads)


def _those(policies: Iterable[bytes | None]) -> tuple[bytes, ...]:
    return tuple([policy for policy in policies if policy is not None])


def _own_policy(stored: VersionedValue | None) -> bytes | None:
    if stored is None or not stored.metadata:
        return None
    return parse_state_metadata(stored.metadata).get(VALIDATION_PARAMETER)
