"""Whether what clients were told of their transactions is what the chain says."""

from collections.abc import Mapping, Sequence

from tests.simulation.judge.faults import Fault, Wrong
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.operations import VALID, Chain, Committed, Operation, Place


def check_commits(chain: Chain, invocations: Mapping[str, Invocation], operations: Sequence[Operation]) -> list[Fault]:
    """`invocations` are the VALID transactions by id."""
    faults = []
    for operation in operations:
        if isinstance(operation.outcome, Committed):
            faults += _check_receipt(chain, invocations, operation, operation.outcome)
    return faults + _check_order(chain, operations)


def _check_receipt(
    chain: Chain, invocations: Mapping[str, Invocation], operation: Operation, told: Committed
) -> list[Fault]:
    places = chain.places(told.tx_id)
    found = [place.code for place in places if place.block == told.block]  # a spoilt copy may stand beside the good one
    if not places:
        return [Fault(Wrong.LOST, str(operation))]
    if not found:
        return [Fault(Wrong.OTHER_BLOCK, str(operation), str(places))]
    valid = [place for place in places if place.code == VALID]
    if len(valid) > 1:
        return [Fault(Wrong.HAPPENED_TWICE, str(operation), str(valid))]
    if told.code not in found or (told.code != VALID and valid):
        return [Fault(Wrong.OTHER_VERDICT, str(operation), str(places))]
    if told.code == VALID and invocations[told.tx_id].payload != told.payload:
        return [Fault(Wrong.OTHER_PAYLOAD, str(operation), repr(invocations[told.tx_id].payload))]
    return []


def _check_order(chain: Chain, operations: Sequence[Operation]) -> list[Fault]:
    """What began after another was acknowledged is committed behind it."""
    acknowledged = sorted(_placed(chain, operations, only_told=True), key=lambda entry: entry[0].ended)
    began = sorted(_placed(chain, operations, only_told=False), key=lambda entry: entry[0].started)
    faults, last, waiting = [], None, iter(acknowledged)
    upcoming = next(waiting, None)
    for operation, place in began:
        while upcoming is not None and upcoming[0].ended < operation.started:
            last = upcoming if last is None or _after(upcoming[1], last[1]) else last
            upcoming = next(waiting, None)
        if last is not None and _after(last[1], place):
            faults.append(Fault(Wrong.OUT_OF_ORDER, str(operation), f"{place} before {last[1]}: {last[0]}"))
    return faults


def _placed(chain: Chain, operations: Sequence[Operation], *, only_told: bool) -> list[tuple[Operation, Place]]:
    """Submits, and where the chain has them; of those of unknown outcome, none is acknowledged."""
    found = []
    for operation in operations:
        told = operation.outcome
        tx_id = told.tx_id if isinstance(told, Committed) else "" if only_told else getattr(told, "tx_id", "")
        if places := chain.places(tx_id):
            found.append((operation, places[0]))
    return found


def _after(one: Place, other: Place) -> bool:
    return (one.block, one.index) > (other.block, other.index)
