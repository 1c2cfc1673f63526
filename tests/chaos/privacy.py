"""Who has which private values when all is over, by the bytes of files, whatever the nodes' own programs say."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ahocorasick_rs import BytesAhoCorasick

from tests.canary.places import Place
from tests.simulation.judge.operations import Operation
from tests.support.live import CHANNEL, CONTRACT, LiveNetwork


@dataclass(frozen=True, slots=True)
class Private:
    """`kept`: values that every member must have, as the collection holds them. `told`: all that members alone know."""

    members: frozenset[str]  # nodes, by name
    kept: frozenset[bytes]
    told: frozenset[bytes]


def private_of(network: LiveNetwork, operations: Iterable[Operation], kept: frozenset[bytes]) -> Private:
    """By what clients have told to endorsers alone, valid or not."""
    contract = next(each for each in network.network.channel(CHANNEL).contracts if each.name == CONTRACT)
    members = {msp_id for collection in contract.collections for msp_id in collection.members}
    fields = (each.transient["readings"] for each in operations if "readings" in each.transient)
    readings = [reading for field in fields for reading in json.loads(field)]
    told = {reading[part].encode() for reading in readings for part in ("value", "salt") if part in reading}
    return Private(frozenset(peer.name for peer in network.peers if peer.msp_id in members), kept, frozenset(told))


def misplaced(private: Private, places: Iterable[Place]) -> Iterator[str]:
    """Values that members lack, and that others have."""
    sought = sorted(private.kept | private.told)
    found: dict[str, set[bytes]] = {node: set() for node in private.members}
    automaton = BytesAhoCorasick(sought) if sought else None
    for place in places:
        (owner,) = place.seen_by
        matches = automaton.find_matches_as_indexes(place.content, overlapping=True) if automaton else ()
        seen = {sought[which] for which, _, _ in matches}
        if owner in private.members:
            found[owner].update(seen)
        elif told := seen & private.told:
            yield f"{place.name} has {len(told)} values that are for members alone: {min(told)!r}"
    for node in sorted(private.members):
        if lacking := private.kept - found[node]:
            yield f"{node} lacks {len(lacking)} private values: {min(lacking)!r}"
