"""What a peer says, held against the model: every difference is named, with its block, transaction or key."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.judge.ledger import chain
from tests.simulation.judge.ledger.codes import BadBlock, Code, LedgerFault, Wrong
from tests.simulation.judge.ledger.messages import Unreadable, common, read
from tests.simulation.judge.ledger.model import Change, JudgedBlock, LedgerModel
from tests.simulation.judge.ledger.state import Entry, Place
from tests.simulation.judge.operations import Place as TxPlace


@dataclass(frozen=True, slots=True)
class Observation:
    """What a peer says of a channel, all of it as of one height.

    `blocks` are marshalled, from the first; `history` oldest first. What was not asked is None.
    """

    height: int
    blocks: Sequence[bytes]
    state: Mapping[Place, Entry] | None = None
    history: Mapping[tuple[str, str], Sequence[Change]] | None = None
    places: Mapping[str, TxPlace] | None = field(default=None)


def check_peer(model: LedgerModel, peer: Observation) -> list[LedgerFault]:
    """All that a peer has wrong. It may be behind the model, and is judged as of its own height."""
    height = min(peer.height, model.height)
    faults = []
    if peer.height > model.height:
        faults.append(LedgerFault(Wrong.TOO_HIGH, peer.height - 1, detail=f"the chain has {model.height} blocks"))
    if len(peer.blocks) < height:
        faults.append(LedgerFault(Wrong.MISSING_BLOCK, len(peer.blocks)))
    for judged, raw in zip(model.blocks, peer.blocks, strict=False):
        faults += _check_block(judged, raw)
    if peer.state is not None:
        faults += _check_state(model.state_at(height), peer.state)
    if peer.history is not None:
        faults += _check_history(model, height, peer.history)
    if peer.places is not None:
        faults += _check_places(model, height, peer.places)
    return faults


def _check_block(judged: JudgedBlock, raw: bytes) -> Iterator[LedgerFault]:
    """A stored block: as ordered, with the verdicts and the commit hash filled in."""
    number = judged.number
    try:
        block = chain.read_block(raw)
        if chain.header_bytes(block.header) != judged.header or tuple(block.data.data) != judged.data:
            yield LedgerFault(Wrong.OTHER_BLOCK, number)
            return
        if judged.config is not None and judged.link is not None:
            chain.check_next(block, judged.link, judged.config)  # each orderer signs for itself
        yield from _check_verdicts(judged, block.metadata.metadata[chain.TRANSACTIONS_FILTER])
        stored = read(common.Metadata, block.metadata.metadata[chain.COMMIT_HASH]).value
    except (BadBlock, Unreadable, IndexError) as error:
        yield LedgerFault(Wrong.OTHER_METADATA, number, detail=str(error))
        return
    if stored != judged.commit_hash:
        yield LedgerFault(Wrong.WRONG_COMMIT_HASH, number, detail=f"{stored.hex()}, not {judged.commit_hash.hex()}")


def _check_verdicts(judged: JudgedBlock, told: bytes) -> Iterator[LedgerFault]:
    if len(told) != len(judged.codes):
        yield LedgerFault(Wrong.WRONG_VERDICT, judged.number, detail=f"{len(told)} for {len(judged.codes)}")
        return
    for index, (code, expected) in enumerate(zip(told, judged.codes, strict=True)):
        if code != expected:
            detail = f"{_name(code)}, not {expected.name}"
            yield LedgerFault(Wrong.WRONG_VERDICT, judged.number, index, judged.tx_ids[index], detail)


def _name(code: int) -> str:
    return Code(code).name if code in set(Code) else str(code)


def _check_state(expected: Mapping[Place, Entry], told: Mapping[Place, Entry]) -> Iterator[LedgerFault]:
    for place in sorted(expected.keys() | told.keys(), key=repr):
        right, found = expected.get(place), told.get(place)
        if found is None or right is None:
            entry = right or found
            assert entry is not None
            kind = Wrong.MISSING_KEY if found is None else Wrong.EXTRA_KEY
            yield LedgerFault(kind, *entry.version, place=repr(place))
            continue
        for kind, is_, should_be in _differences(found, right):
            yield LedgerFault(kind, *right.version, place=repr(place), detail=f"{is_!r}, not {should_be!r}")


def _differences(found: Entry, right: Entry) -> Iterator[tuple[Wrong, Any, Any]]:
    if found.value != right.value:
        yield Wrong.WRONG_VALUE, found.value, right.value
    if found.version != right.version:
        yield Wrong.WRONG_VERSION, found.version, right.version
    if found.metadata != right.metadata:
        yield Wrong.WRONG_METADATA, found.metadata, right.metadata


def _check_history(
    model: LedgerModel, height: int, told: Mapping[tuple[str, str], Sequence[Change]]
) -> Iterator[LedgerFault]:
    for name in sorted(told.keys() | set(model.keys_with_history())):
        right, found = model.history(*name, height), list(told.get(name, ()))
        if right != found:
            first = next((i for i, pair in enumerate(zip(right, found, strict=False)) if pair[0] != pair[1]), None)
            where = min(len(right), len(found)) if first is None else first
            told_there, right_there = found[where : where + 1], right[where : where + 1]
            block, index = (right_there[0].version if right_there else None) or (None, None)
            detail = f"{told_there}, not {right_there}"
            yield LedgerFault(Wrong.WRONG_HISTORY, block, index, repr(name), detail)


def _check_places(model: LedgerModel, height: int, told: Mapping[str, TxPlace]) -> Iterator[LedgerFault]:
    """Of an id that stands in several places, a peer tells the first."""
    known = {tx_id for block in model.blocks[:height] for tx_id in block.tx_ids if tx_id}
    for tx_id in sorted(told.keys() | known):
        right = next((place for place in model.places(tx_id) if place.block < height), None)
        found = told.get(tx_id)
        if found != right:
            where = right or found
            assert where is not None
            yield LedgerFault(Wrong.WRONG_PLACE, where.block, where.index, tx_id, f"{found}, not {right}")
