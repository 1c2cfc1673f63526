"""The judges' verdict on a run: what is on the disks when all is over, and what the clients were told meanwhile."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress

from privysharing.protocol.codec.blocks import encode_block
from services.orderer.channels import CHAINS_FOLDER
from services.orderer.store import BlockStore
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.node import LEDGERS
from services.runtime.database import DamagedDatabase
from tests.simulation.computers import Storage
from tests.simulation.judge.history import check_history
from tests.simulation.judge.ledger import chain
from tests.simulation.judge.ledger.codes import BadBlock
from tests.simulation.judge.ledger.comparison import Observation, check_peer
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.observing import observe
from tests.simulation.judge.operations import Operation
from tests.simulation.judge.verdicts import ContractJudge
from tests.simulation.nodes import CONTRACT, DATA
from tests.simulation.town import CHANNEL, Town


def judge(
    town: Town,
    storage: Mapping[str, Storage],
    acknowledged: Sequence[bytes],
    history: Sequence[Operation],
) -> Iterator[str]:
    """Everything that is wrong, in words."""
    chains = {each.full_name: _ordered(storage[each.full_name]) for each in town.topology.orderers}
    longest = max(chains.values(), key=len)
    model = LedgerModel(encode_block(town.genesis))
    try:
        for raw in longest[1:]:
            model.append(raw)
    except BadBlock as error:
        yield f"the orderers' chain: {error}"
        return
    for name, blocks in chains.items():
        yield from (f"{name}: {fault}" for fault in _differences(model, blocks))
    for peer in town.topology.peers:
        observed = _observed(storage[peer.full_name], model)
        if observed.height != model.height:
            yield f"{peer.full_name} has {observed.height} blocks of {model.height}"
        yield from (f"{peer.full_name}: {fault}" for fault in check_peer(model, observed))
    kept = {hashlib.sha256(envelope).digest() for block in model.blocks for envelope in block.data}
    for envelope in acknowledged:
        if hashlib.sha256(envelope).digest() not in kept:
            yield f"an envelope of {len(envelope)} bytes was acknowledged and is in no block"
    yield from map(str, _contract_faults(model))
    yield from map(str, check_history(CHANNEL, model.told_blocks(), model.invocations, history))


def _contract_faults(model: LedgerModel) -> Iterator[object]:
    """What the contract's own model says of the valid transactions, and of the state they leave."""
    contract = ContractJudge(CHANNEL, CONTRACT)
    for invocation in model.invocations:
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
    with closing(BlockStore(storage.disk, DATA / CHAINS_FOLDER / CHANNEL)) as store:
        return [store.read(number) for number in range(store.height)]


def _observed(storage: Storage, model: LedgerModel) -> Observation:
    """What a stopped peer's ledger holds. Damage that a power cut left and nobody read is found now, and mended."""
    folder = DATA / LEDGERS / CHANNEL
    while True:
        with (
            suppress(DamagedDatabase),
            closing(Ledger.open(CHANNEL, folder, storage.disk, storage.databases, replay)) as ledger,
        ):
            return observe(ledger, model)
