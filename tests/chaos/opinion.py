"""A second opinion on what the peers made of the chain: that of the independent models of ledger and contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.simulation.judge.history import check_history
from tests.simulation.judge.invocations import with_transient
from tests.simulation.judge.ledger.codes import BadBlock
from tests.simulation.judge.ledger.comparison import Observation, check_peer
from tests.simulation.judge.ledger.model import LedgerModel
from tests.simulation.judge.ledger.observing import state_of_dump
from tests.simulation.judge.operations import Committed, Operation, Unknown
from tests.simulation.judge.private import shown_to_members
from tests.simulation.judge.verdicts import ContractJudge
from tests.support.live import CHANNEL, CONTRACT


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is wrong, in words; and the values that each member of the contract's collection must have."""

    objections: list[str]
    private: frozenset[bytes] = frozenset()


def opinion(
    genesis: bytes,
    stored: Mapping[str, Sequence[bytes]],
    dumps: Mapping[str, Sequence[str]],
    operations: Sequence[Operation],
) -> Opinion:
    """What is wrong with each peer's blocks and state (dumped line by line), and with what clients were told."""
    model = LedgerModel(genesis)
    chain = max(stored.values(), key=len)
    try:
        for raw in chain[1:]:
            model.append(raw)
    except BadBlock as bad:
        return Opinion([str(bad)])
    found = [
        f"{node}: {fault}"
        for node, blocks in stored.items()
        for fault in check_peer(model, Observation(len(blocks), blocks, state_of_dump(dumps[node])))
    ]
    contract = ContractJudge(CHANNEL, CONTRACT)
    transients = {
        each.outcome.tx_id: each.transient for each in operations if isinstance(each.outcome, Committed | Unknown)
    }
    invocations = with_transient(model.invocations, transients)
    for invocation in invocations:
        contract.happened(invocation)
    state = {
        key: entry.value
        for (namespace, _, key), entry in model.state_at(model.height).items()
        if namespace == CONTRACT and isinstance(key, str) and entry.value is not None
    }
    found += map(str, contract.faults + contract.compare(state))
    found += map(str, check_history(CHANNEL, model.told_blocks(), invocations, operations))
    private = shown_to_members(contract.model.world.records())
    return Opinion(found, frozenset(value for value in private.values() if value is not None))
