"""The judges' verdict on a run: what is on the disks when all is over, and what the clients were told meanwhile."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TypeAlias, TypeVar

from services.orderer.channels import CHAINS_FOLDER
from services.orderer.store import BlockStore
from services.peer.block_feed.evidence import EVIDENCE
from services.peer.channel import stored_config
from services.peer.commits import replay
from services.peer.layout import LEDGERS, PRIVATE
from services.peer.ledger.ledger import Ledger
from services.peer.private_data.store import PrivateStore
from services.runtime.database import DamagedDatabase
from services.runtime.recordlog import RecordLog
from tests.simulation.casting import Cast
from tests.simulation.computers import Storage
from tests.simulation.handed_in import HandedIn
from tests.simulation.judge.history import check_history
from tests.simulation.judge.invocations import Invocation, with_transient
from tests.simulation.judge.ledger import chain
from tests.simulation.judge.ledger.codes import BadBlock
from tests.simulation.judge.ledger.comparison import Observation, check_peer
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.observing import observe, observe_private
from tests.simulation.judge.ledger.private import PrivateObservation, check_private
from tests.simulation.judge.operations import VALID, Committed, Operation, Refused, Told, Unknown
from tests.simulation.judge.verdicts import ContractJudge
from tests.simulation.nodes import CONTRACT, DATA, ORDERED
from tests.simulation.town import CHANNEL, Town
from tests.simulation.two_stories import Kept, check_peers, evidence

T = TypeVar("T")
Transients: TypeAlias = Mapping[str, Mapping[str, bytes]]  # by transaction

# What comes of an honest transaction, somebody having been faster at worst.
HONEST_VERDICTS = (VALID, "MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT")


def judge(
    town: Town,
    storage: Mapping[str, Storage],
    handed_in: HandedIn,
    history: Sequence[Operation],
    cast: Cast,
    stopped: Mapping[str, str],
) -> Iterator[str]:
    """Everything that is wrong, in words.

    `stopped`: peers whose channel has stopped, and why.
    """
    transients = handed_in.transients
    yield from _harmed(history, cast)
    heard = [operation for operation in history if not cast.lies(operation.node)]  # an answer is one peer's word
    chains = {name: _ordered(storage[name]) for name in cast.honest_orderers}
    model = None
    try:
        if chains:
            model = _model(max(chains.values(), key=len))
            yield from _judge_orderers(model, chains, cast, handed_in.acknowledged)
        yield from _leaks(town, storage, handed_in.transients)
        if cast.equivocates or model is None:
            yield from _judge_stories(town, storage, heard, cast, stopped, transients, model)
        else:
            yield from _judge_peers(town, storage, model, stopped)
            yield from _judge_story(model, cast, heard, transients)
    except BadBlock as error:
        yield f"a chain that no honest orderer makes: {error}"


def _harmed(history: Sequence[Operation], cast: Cast) -> Iterator[str]:
    """Honest transactions that failed for no reason of their own, and, where liars are all that is wrong, got lost."""
    for operation in history:
        told = operation.outcome
        if isinstance(told, Committed) and told.code not in HONEST_VERDICTS and not cast.spoils:
            yield f"an honest transaction failed: {operation}"
        if cast.alone and operation.kind == "submit" and _got_lost(told):
            yield f"an honest transaction got lost: {operation}"


def _got_lost(told: Told) -> bool:
    """Whether nobody took it, or says what became of it."""
    return isinstance(told, Unknown) or (isinstance(told, Refused) and "the ordering service" in told.message)


def _model(blocks: Sequence[bytes]) -> LedgerModel:
    model = LedgerModel(blocks[0])
    for raw in blocks[1:]:
        model.append(raw)
    return model


def _judge_orderers(
    model: LedgerModel, chains: Mapping[str, Sequence[bytes]], cast: Cast, acknowledged: Mapping[bytes, str]
) -> Iterator[str]:
    """All have the same blocks, and in them what they acknowledged."""
    for name, blocks in chains.items():
        yield from (f"{name}: {fault}" for fault in _differences(model, blocks))
    kept = {hashlib.sha256(envelope).digest() for block in model.blocks for envelope in block.data}
    for envelope, orderer in acknowledged.items():
        if not cast.lies(orderer) and hashlib.sha256(envelope).digest() not in kept:
            yield f"an envelope of {len(envelope)} bytes was acknowledged by {orderer} and is in no block"


def _judge_peers(
    town: Town, storage: Mapping[str, Storage], model: LedgerModel, stopped: Mapping[str, str]
) -> Iterator[str]:
    """Each has all that was ordered, and what follows from it."""
    yield from (f"{name} has stopped: {why}" for name, why in stopped.items())
    for peer in town.topology.peers:
        observed = _observed(storage[peer.full_name], model)
        if observed.height != model.height:
            yield f"{peer.full_name} has {observed.height} blocks of {model.height}"
        yield from (f"{peer.full_name}: {fault}" for fault in check_peer(model, observed))
        if observed.height == model.height:
            held = _look(storage[peer.full_name], partial(_private, storage[peer.full_name], peer.org.msp_id))
            yield from (f"{peer.full_name}: {fault}" for fault in check_private(model, peer.org.msp_id, held))


def _judge_stories(
    town: Town,
    storage: Mapping[str, Storage],
    history: Sequence[Operation],
    cast: Cast,
    stopped: Mapping[str, str],
    transients: Transients,
    ordered: LedgerModel | None,
) -> Iterator[str]:
    """Each peer is right by the story that it was told, and no two go on with different ones."""
    peers: dict[str, Kept] = {}
    for peer in town.topology.peers:
        name = peer.full_name
        model = _model(_look(storage[name], _committed))
        yield from (f"{name}: {fault}" for fault in check_peer(model, _observed(storage[name], model)))
        told = [operation for operation in history if operation.node == name]
        yield from (f"{name}: {fault}" for fault in _judge_story(model, cast, told, transients))
        kept = evidence(storage[name].disk, DATA / LEDGERS / CHANNEL / EVIDENCE)
        peers[name] = Kept(_headers(model), name in stopped, kept)
    yield from check_peers(peers, None if ordered is None else _headers(ordered), cast.blocks_max)


def _leaks(town: Town, storage: Mapping[str, Storage], transients: Transients) -> Iterator[str]:
    """Whatever was told to members alone and is on anybody else's disk."""
    sent = (transient["readings"] for transient in transients.values() if "readings" in transient)
    readings = [reading for field in sent for reading in json.loads(field)]
    secrets = {reading[part].encode() for reading in readings for part in ("value", "salt") if part in reading}
    for node in town.topology.nodes:
        if node.full_name in town.members:
            continue
        found = storage[node.full_name].everything()
        yield from (f"{node.full_name} has {secret!r}, which is private" for secret in secrets if secret in found)


def _judge_story(model: LedgerModel, cast: Cast, history: Sequence[Operation], transients: Transients) -> Iterator[str]:
    """Nothing came of lies, and the contract and those who called it were served rightly."""
    yield from cast.told.faults(model)
    invocations = with_transient(model.invocations, transients)
    yield from map(str, _contract_faults(model, invocations))
    yield from map(str, check_history(CHANNEL, model.told_blocks(), invocations, history))


def _headers(model: LedgerModel) -> list[bytes]:
    return [hashlib.sha256(block.header).digest() for block in model.blocks]


def _contract_faults(model: LedgerModel, invocations: Sequence[Invocation]) -> Iterator[object]:
    """What the contract's own model says of the valid transactions, and of the state they leave."""
    contract = ContractJudge(CHANNEL, CONTRACT)
    for invocation in invocations:
        contract.happened(invocation)
    state = {
        key: entry.value
        for (namespace, part, key), entry in model.state_at(model.height).items()
        if namespace == CONTRACT and not part and isinstance(key, str) and entry.value is not None
    }
    yield from contract.faults
    yield from contract.compare(state)


def _differences(model: LedgerModel, blocks: Sequence[bytes]) -> Iterator[str]:
    """Where an orderer's chain is another than the model's; it signs for itself, and may be a few blocks short."""
    for number, (raw, judged) in enumerate(zip(blocks, model.blocks, strict=False)):
        block = chain.read_block(raw)
        if chain.header_bytes(block.header) != judged.header or tuple(block.data.data) != judged.data:
            yield f"block {number} is another one"
            return


def _ordered(storage: Storage) -> list[bytes]:
    with closing(BlockStore(storage.disk, ORDERED)) as store:
        return [store.read(number) for number in range(store.height)]


def _observed(storage: Storage, model: LedgerModel) -> Observation:
    return _look(storage, lambda ledger: observe(ledger, model))


def _committed(ledger: Ledger) -> list[bytes]:
    return [raw for number in range(ledger.height) if (raw := ledger.block_bytes(number)) is not None]


def _private(storage: Storage, msp_id: str, ledger: Ledger) -> PrivateObservation:
    folder = DATA / LEDGERS / CHANNEL / PRIVATE
    config = stored_config(ledger)
    with closing(PrivateStore.open(ledger, folder, storage.disk, storage.databases, config, msp_id)) as private:
        return observe_private(ledger, private)


def _look(storage: Storage, look: Callable[[Ledger], T]) -> T:
    """At a stopped peer's ledger. Damage that a power cut left and nobody read is found now, and mended."""
    folder = DATA / LEDGERS / CHANNEL
    while True:
        with (
            suppress(DamagedDatabase),
            closing(Ledger.open(CHANNEL, folder, storage.disk, storage.databases, replay)) as ledger,
        ):
            return look(ledger)


def stored_blocks(storage: Storage) -> list[bytes]:
    """The blocks that a stopped node has."""
    ledger = DATA / LEDGERS / CHANNEL / "blocks"
    folder = ledger if storage.disk.exists(ledger) else DATA / CHAINS_FOLDER / CHANNEL
    with closing(RecordLog.open(storage.disk, folder)) as records:
        return list(records.iterate())


def denied_but_ordered(denied: Sequence[bytes], blocks: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
    """Envelopes that some node has in a block, though their clients were told that nobody took them."""
    ordered = {data for name in blocks for raw in blocks[name] for data in chain.read_block(raw).data.data}
    yield from (
        f"an envelope of {len(each)} bytes was not taken, and is in a block" for each in denied if each in ordered
    )
