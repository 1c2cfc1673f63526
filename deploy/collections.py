"""Collections of private data: which organisations hold them, and what a contract's definition says of each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.keys import TopologyError, count, flag, mapping, require, require_known, text, texts
from privysharing.protocol.codec.collections import encode_collections
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.policies.dsl import PolicySyntaxError, parse_policy
from privysharing.protocol.policies.signature import signed_by_n_of

_NAME = re.compile(r"[A-Za-z0-9-]+([A-Za-z0-9_-]+)*")  # lifecycle collectionNameRegExp
_KEYS = {"required_peers", "maximum_peers", "blocks_to_live", "member_only_read", "member_only_write", "endorsement"}


@dataclass(frozen=True, slots=True)
class Collection:
    """Private data of a contract on a channel. `members` are MSP ids, `endorsement` is in Fabric's policy language.

    An endorsement needs that `required_peers` of the members' other peers have the data; at most `maximum_peers` of
    them get it then, the rest later. After `blocks_to_live` blocks it is gone; 0: it stays.
    """

    name: str
    members: tuple[str, ...]
    required_peers: int
    maximum_peers: int
    endorsement: str
    blocks_to_live: int = 0
    member_only_read: bool = False
    member_only_write: bool = False

    @classmethod
    def parse(cls, name: str, value: object, place: str, peers: Mapping[str, tuple[str, int]]) -> "Collection":
        """Out of `network.yaml`. `peers`: of each member of the channel by name, its MSP id and how many it has there.

        Without numbers, one other peer must have the data and all may. Without a policy, a majority of the members
        endorses: a member's peers alone can tell whether a change follows from what is there.
        """
        require(_NAME.fullmatch(name), place, name, "letters, digits, - and, not first, _")
        keys = mapping(value, place)
        require_known(keys, {"members", *_KEYS}, place)
        names = texts(keys, "members", place)
        members = [peers[each] for each in names if each in peers]
        require(
            names and len(set(names)) == len(names) == len(members),
            f"{place}.members",
            [*names],
            f"members of the channel, once each: {', '.join(peers) or 'none'}",
        )
        others = max(0, sum(number for _, number in members) - 1)
        required = count(keys, "required_peers", place, least=0) if "required_peers" in keys else min(1, others)
        maximum = count(keys, "maximum_peers", place, least=0) if "maximum_peers" in keys else others
        require(required <= others, f"{place}.required_peers", required, f"at most {others}, the members' other peers")
        require(maximum >= required, f"{place}.maximum_peers", maximum, f"at least {required}, as are required")
        msp_ids = tuple(msp_id for msp_id, _ in members)
        return cls(
            name=name,
            members=msp_ids,
            required_peers=required,
            maximum_peers=maximum,
            endorsement=_policy(keys, place) if "endorsement" in keys else majority(msp_ids),
            blocks_to_live=count(keys, "blocks_to_live", place, least=0) if "blocks_to_live" in keys else 0,
            member_only_read=flag(keys, "member_only_read", place),
            member_only_write=flag(keys, "member_only_write", place),
        )

    def config(self) -> CollectionConfig:
        """As a definition says it."""
        return CollectionConfig(
            name=self.name,
            member_orgs_policy=encode_signature_policy(signed_by_n_of(1, MspRole.MEMBER, self.members)),
            required_peer_count=self.required_peers,
            maximum_peer_count=self.maximum_peers,
            block_to_live=self.blocks_to_live,
            member_only_read=self.member_only_read,
            member_only_write=self.member_only_write,
            endorsement_policy=encode_application_policy(parse_policy(self.endorsement)),
        )


def package(collections: Sequence[Collection]) -> bytes:
    """What a definition holds of a contract's collections; nothing for none."""
    return encode_collections([collection.config() for collection in collections])


def majority(msp_ids: Sequence[str]) -> str:
    """The policy that asks for a peer of more than half of these organisations."""
    peers = ", ".join(f"'{msp_id}.peer'" for msp_id in msp_ids)
    return f"OutOf({len(msp_ids) // 2 + 1}, {peers})"


def _policy(keys: Mapping[str, Any], place: str) -> str:
    policy = text(keys, "endorsement", place)
    try:
        parse_policy(policy)
    except PolicySyntaxError as error:
        raise TopologyError(f"{place}.endorsement is {policy!r}; needed: a policy ({error})") from None
    return policy
