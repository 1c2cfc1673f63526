"""Whether the order of commits explains what clients were answered, each by a block that its peer can have been at.

An answer is explained by a block when the contract, run on the world after it, gives that answer. For every operation
the earliest such block is found that its peer's past allows: nothing that was acknowledged or answered there before the
operation began stands behind it. Taking the earliest leaves later operations the most room, so what cannot be explained
this way cannot be explained at all. After a fault at a peer, later ones there may be its consequences.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.judge.contract import NOT_MODELLED, ContractModel
from tests.simulation.judge.faults import Fault, Wrong
from tests.simulation.judge.forms import Key
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.operations import Answer, Chain, Committed, Operation, Refused
from tests.simulation.judge.verdicts import ContractJudge
from tests.simulation.judge.world import Call

_MACHINERY = frozenset(("", "TIMESTAMP_REFUSED", "BAD_CERTIFICATE"))  # refusals that have nothing to do with the world
_WINDOW_NS = 600 * 1_000_000_000  # how far apart a peer lets the client's clock be from its own


@dataclass(slots=True)
class _Read:
    """An operation to be explained by a block from `first` to `last`.

    `because`: the operation that rules out blocks before `first`. `depends_on`: the shelves that its last trial looked
    at; until one of them changes, another trial gives the same. `explained`: the first block that gives the answer.
    """

    operation: Operation
    first: int
    last: int
    because: Operation | None
    depends_on: frozenset[Key] | None = None
    explained: int | None = None

    def is_explained_by(self, model: ContractModel) -> bool:
        """Whether the world as it is gives this answer, at some time that the clocks concerned may have shown."""
        operation, told = self.operation, self.operation.outcome
        expected = (told.payload, "") if isinstance(told, Answer) else (b"", getattr(told, "code", ""))
        instants = model.world.instants(operation.earliest_ns, operation.latest_ns)
        args = tuple(arg.encode() for arg in operation.args)
        looked_at: set[Key] = set()
        for timestamp in instants:
            ahead = min(timestamp + _WINDOW_NS, operation.latest_ns)  # a grant may be over before it begins
            for peer in (*instants, ahead):
                call = Call(operation.who, operation.function, args, (timestamp, peer), transient=operation.transient)
                outcome = model.run(call)
                looked_at |= outcome.looked_at
                if (outcome.payload, outcome.code) == expected:
                    return True
        self.depends_on = frozenset(looked_at)
        return False


@dataclass(slots=True)
class _Peer:
    """What is known of one peer: blocks that it acknowledged, and what it answered, in the order of beginning."""

    waiting: list[_Read] = field(default_factory=list)
    explained: list[_Read] = field(default_factory=list)


def check_reads(
    channel: str, chain: Chain, invocations: Sequence[Invocation], operations: Sequence[Operation]
) -> list[Fault]:
    """`invocations` are the VALID transactions in commit order."""
    reads = _reads(chain, operations)
    peers: dict[str, _Peer] = defaultdict(_Peer)
    for number, read in enumerate(reads):  # where the peer is not known, every read is alone with its own
        peers[read.operation.node or f"unknown {number}"].waiting.append(read)
    failed: list[_Read] = []
    for block, model, touched in _replay(channel, chain, invocations):
        for peer in peers.values():
            failed += _advance(peer, block, model, touched)
        peers = {name: peer for name, peer in peers.items() if peer.waiting}
    return _diagnose(failed, channel, chain, invocations)


def _reads(chain: Chain, operations: Sequence[Operation]) -> list[_Read]:
    times = chain.first_seen(operations)
    acknowledged = sorted(
        (op for op in operations if op.node and isinstance(op.outcome, Committed)), key=lambda op: op.ended
    )
    newest: dict[str, Operation] = {}  # the latest block that each peer has acknowledged so far
    reads, coming = [], iter([*acknowledged, None])
    upcoming = next(coming)
    for operation in sorted(filter(_is_read, operations), key=lambda op: op.started):
        while upcoming is not None and upcoming.ended < operation.started:
            if upcoming.node not in newest or _block_of(upcoming) > _block_of(newest[upcoming.node]):
                newest[upcoming.node] = upcoming
            upcoming = next(coming)
        because = newest.get(operation.node)
        last = chain.blocks[max(bisect_right(times, operation.ended) - 1, 0)].number
        reads.append(_Read(operation, _block_of(because) if because else 0, last, because))
    return reads


def _is_read(operation: Operation) -> bool:
    told = operation.outcome
    told_by_contract = isinstance(told, Answer) or (isinstance(told, Refused) and told.code not in _MACHINERY)
    return told_by_contract and operation.function not in NOT_MODELLED


def _block_of(operation: Operation) -> int:
    assert isinstance(operation.outcome, Committed)
    return operation.outcome.block


def _replay(
    channel: str, chain: Chain, invocations: Sequence[Invocation]
) -> Iterable[tuple[int, ContractModel, frozenset[Key]]]:
    """The model after each block, and the shelves that the block changed."""
    judge, by_block = ContractJudge(channel), defaultdict(list)
    for invocation in invocations:
        by_block[invocation.block].append(invocation)
    for block in chain.blocks:
        touched: set[Key] = set()
        for invocation in by_block[block.number]:
            outcome = judge.happened(invocation)
            for key in outcome.changes if outcome else ():
                touched |= {key[:2], key[:1]}
        yield block.number, judge.model, frozenset(touched)


def _advance(peer: _Peer, block: int, model: ContractModel, touched: frozenset[Key]) -> list[_Read]:
    """Explain by this block what can be; the reads that no block can explain any more.

    A read comes into question once everything that ended before it began is explained.
    """
    failed, earliest_end = [], float("inf")
    left: list[_Read] = []
    for place, read in enumerate(peer.waiting):
        if read.operation.started > earliest_end:
            left += peer.waiting[place:]
            break
        stale = read.depends_on is not None and not read.depends_on & touched
        if block >= read.first and not stale and read.is_explained_by(model):
            read.explained = block
            peer.explained.append(read)
        elif block >= read.last:
            failed.append(read)
        else:
            left.append(read)
            earliest_end = min(earliest_end, read.operation.ended)
    peer.waiting = left
    for read in failed:
        _name_culprit(read, peer.explained)
    return failed


def _name_culprit(read: _Read, explained: Iterable[_Read]) -> None:
    """Which earlier operation at this peer rules out the older blocks."""
    for other in explained:
        if other.operation.ended < read.operation.started and (other.explained or 0) > read.first:
            read.first, read.because = other.explained or 0, other.operation


def _diagnose(failed: Sequence[_Read], channel: str, chain: Chain, invocations: Sequence[Invocation]) -> list[Fault]:
    """Why an operation is not explained: tried again with every block."""
    explained_by: Mapping[int, list[int]] = {id(read): [] for read in failed}
    for block, model, _ in _replay(channel, chain, invocations) if failed else ():
        for read in failed:
            if read.is_explained_by(model):
                explained_by[id(read)].append(block)
    return [_fault(read, explained_by[id(read)]) for read in failed]


def _fault(read: _Read, blocks: Sequence[int]) -> Fault:
    allowed = f"possible were blocks {read.first} to {read.last}"
    if blocks and min(blocks) > read.last:
        return Fault(Wrong.FROM_THE_FUTURE, str(read.operation), f"{allowed}, it is of {min(blocks)}")
    if not blocks or read.because is None:
        return Fault(Wrong.UNEXPLAINED, str(read.operation), allowed)
    detail = f"{allowed}, it is of {max(block for block in blocks if block <= read.last)}; before it: {read.because}"
    if isinstance(read.because.outcome, Committed):
        return Fault(Wrong.STALE, str(read.operation), detail)
    own = read.because.session == read.operation.session
    return Fault(Wrong.WENT_BACK if own else Wrong.NODE_WENT_BACK, str(read.operation), detail)
