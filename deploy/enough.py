"""How many endorsements are enough, whichever peers give them: what clients need not wait for is the rest."""

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from deploy.keys import TopologyError
from deploy.material import Material
from deploy.topology import Channel, Topology
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.policies.policy import Policy
from privysharing.protocol.policies.signature import SignaturePolicyEvaluator

ENDORSEMENT = "/Channel/Application/Endorsement"


@dataclass(frozen=True, slots=True)
class Enough:
    """For a channel's transactions, by any endorsing peers; and where they touch a collection, by its members' peers.

    `collections` is by contract and collection.
    """

    channel: int
    collections: Mapping[tuple[str, str], int]


def enough(topology: Topology, channel: Channel, material: Material, config: ChannelConfig) -> Enough:
    """Count for one channel. TopologyError for a policy that all who may endorse together do not meet."""
    identities = _endorsers(topology, channel, material, config)
    policy = config.policy(ENDORSEMENT)
    anybody = _least([policy], [identity for each in identities.values() for identity in each])
    if anybody is None:
        raise _unmet(f"channels.{channel.name}", channel.endorsement, "all endorsing peers together meet")
    counts: dict[tuple[str, str], int] = {}
    for contract in channel.contracts:
        for collection in contract.collections:
            own = SignaturePolicyEvaluator(parse_policy(collection.endorsement), config.msps)
            members = [identity for msp_id in collection.members for identity in identities.get(msp_id, ())]
            # Members alone may be too few for what a transaction writes besides: then it is private, and nothing else.
            count = _least([policy, own], members) or _least([own], members)
            if count is None:
                place = f"channels.{channel.name}.contracts.{contract.name}.collections.{collection.name}"
                raise _unmet(place, collection.endorsement, "the members' endorsing peers together meet")
            counts[contract.name, collection.name] = count
    return Enough(anybody, counts)


def _endorsers(
    topology: Topology, channel: Channel, material: Material, config: ChannelConfig
) -> dict[str, list[Identity]]:
    """The endorsing peers' identities by MSP id."""
    found: dict[str, list[Identity]] = {}
    for peer in topology.peers_of(channel):
        if peer.endorses:
            certificate = material.organisations[peer.org.name].nodes[peer.full_name].identity.certificate_pem
            serialized = encode_serialized_identity(peer.org.msp_id, certificate)
            found.setdefault(peer.org.msp_id, []).append(config.msps.identity(serialized))
    return found


def _least(policies: Some[Policy], identities: Sequence[Identity]) -> int | None:
    """The least number such that so many, whichever they are, meet every policy; None when all of them do not."""
    for count in range(1, len(identities) + 1):
        if all(policy.evaluate(chosen) for policy in policies for chosen in combinations(identities, count)):
            return count
    return None


def _unmet(place: str, policy: str, needed: str) -> TopologyError:
    return TopologyError(f"{place}.endorsement is {policy!r}; needed: a policy that {needed}")
