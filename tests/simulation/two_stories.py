"""An orderer that equivocates, and what must come of it.

From some block on it tells a second story: to its victims it sends a properly signed twin of that block, and behind it
what was ordered, linked to the twin. Two blocks of one height, both signed, cannot be told apart: a peer can only stop,
and keep both for those who can ask the orderer's owner.
"""

import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from privysharing.protocol.block_checks import is_config_block
from privysharing.protocol.blocks import Block, header_hash
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.deliver import encode_deliver_block, parse_deliver_response
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.seek import without_transactions
from services.runtime.disk import Disk, read_whole
from tests.simulation.liars import Told
from tests.simulation.lying_orderers import LIAR, Asker, Deliveries
from tests.support.liars import LyingOrderer

BLOCKS_MAX = 2  # that a peer may add to a fork before it stops
TWIN, ITS_CHILD = "a twin", "a block behind a twin"


class TwoStories(Deliveries):
    """Tells the second story to `victims`, not before block `first`. It remembers it, however often its process ends.

    A configuration has no twin: nobody would take a block with two.
    """

    def __init__(
        self, signer: SigningIdentity, draw: random.Random, first: int, victims: frozenset[str], told: Told
    ) -> None:
        self._liar = LyingOrderer(signer, draw)
        self._first: int | None = None  # block of the second story
        self._not_before = first
        self._victims = victims
        self._told = told
        self._second: dict[int, Block] = {}

    async def tell(self, asker: Asker, honest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for answer in honest:
            raw = parse_deliver_response(answer).block
            twin = self._twin(parse_block(raw), asker.whole) if raw and asker.name in self._victims else None
            if twin is None:
                yield answer
            else:
                self._told.tell(LIAR, TWIN if twin.header.number == self._first else ITS_CHILD)
                yield encode_deliver_block(encode_block(twin) if asker.whole else without_transactions(twin))

    def _twin(self, block: Block, whole: bool) -> Block | None:
        """The block of this height in the second story, made if it must be; None where there is none."""
        number = block.header.number
        if number not in self._second and whole:
            if self._first is None and number >= self._not_before and not is_config_block(block):
                self._first = number
                self._second[number] = self._liar.twin(block)
            elif before := self._second.get(number - 1):
                self._second[number] = self._liar.behind(block, header_hash(before.header))
        return self._second.get(number)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a peer has of a channel when all is over."""

    headers: Sequence[bytes]  # hashes
    stopped: bool
    evidence: Mapping[str, bytes]  # files by name


def evidence(disk: Disk, folder: Path) -> dict[str, bytes]:
    """What a peer kept in this folder."""
    return {name: read_whole(disk, folder / name) for name in disk.list(folder)} if disk.exists(folder) else {}


def check_peers(peers: Mapping[str, Kept], ordered: Sequence[bytes] | None, blocks_max: int | None) -> Iterator[str]:
    """Where two stories were not noticed, or too late.

    `ordered`: the chain of the honest orderers; None where there are none. `blocks_max`: how many blocks a peer may add
    to a fork; None where it was cut off from those who could have told it.
    """
    stories = {name: kept.headers for name, kept in peers.items()}
    if ordered is not None:
        stories["the orderers"] = ordered
    for name, kept in peers.items():
        forks = {other: fork for other, story in stories.items() if (fork := _fork(kept.headers, story)) is not None}
        grown = {other: len(kept.headers) - 1 - fork for other, fork in forks.items()}
        for other, fork in forks.items():
            others = peers.get(other)
            if others is not None and others.stopped and not kept.stopped:
                continue  # the other one has noticed
            if not kept.stopped:
                yield f"{name} goes on with another block {fork} than {other}"
            elif (
                blocks_max is not None
                and grown[other] > blocks_max
                and (others is None or len(others.headers) - 1 - fork > blocks_max)
            ):
                yield f"{name} added {grown[other]} blocks to another block {fork} than {other} before it stopped"
        if kept.stopped:
            yield from (f"{name}: {fault}" for fault in _proof_faults(kept))


def _fork(one: Sequence[bytes], other: Sequence[bytes]) -> int | None:
    """The first height at which two chains differ."""
    return next((number for number, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)


def _proof_faults(kept: Kept) -> Iterator[str]:
    """What is wrong with the evidence of a peer that has stopped."""
    found: dict[str, Block] = {}
    for name, raw in kept.evidence.items():
        with suppress(MalformedMessage):
            found[name] = parse_block(raw)
    for name, ours in found.items():
        theirs = found.get(name.replace("-ours", "-theirs"))
        if theirs is None or ours is theirs:
            continue
        number = ours.header.number
        if theirs.header.number != number or header_hash(theirs.header) == header_hash(ours.header):
            yield f"its evidence {name} shows no two stories"
        elif kept.headers[number] != header_hash(ours.header):
            yield f"its evidence {name} is not the block that it has"
        return
    yield "it stopped without evidence"
