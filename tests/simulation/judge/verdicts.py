"""The judge of what peers found valid: every transaction is run again on the model, in the order of commits.

A transaction is right when the rules allow it there, and give the very answer, writes and event that its endorsers
signed: this is what conflict checks are for. After a fault the model goes on as the rules say, so the first fault of a
channel is the one to look at.
"""

import json
from collections.abc import Iterable, Mapping

from tests.simulation.judge.contract import ContractModel, Outcome
from tests.simulation.judge.faults import Fault, Wrong
from tests.simulation.judge.forms import Key, key_parts, key_text
from tests.simulation.judge.invocations import Invocation
from tests.simulation.judge.private import shown_to_all
from tests.simulation.judge.world import NEVER_WAS, OF_ANOTHER, SPENT_BEFORE, Call, Person

_COIN_FAULTS = {NEVER_WAS: Wrong.FROM_NOTHING, SPENT_BEFORE: Wrong.SPENT_TWICE, OF_ANOTHER: Wrong.STOLEN}
_SHARE_FAULTS = {"ACCESS_DENIED": Wrong.STRANGERS_GRANT, "NOT_ENOUGH_COINS": Wrong.UNPAID_GRANT}
_UNTOUCHED = b""  # of a key that is not written: no value is empty


class ContractJudge:
    """One channel. Tell it what `happened`, in the order of commits; then ask `compare` or `model` as often as wanted.

    `faults` are those of the transactions so far.
    """

    def __init__(self, channel: str, chaincode: str = "privysharing") -> None:
        self.model = ContractModel(channel)
        self.faults: list[Fault] = []
        self._chaincode = chaincode
        self._happened: set[str] = set()

    def happened(self, invocation: Invocation) -> Outcome | None:
        """The next valid transaction; what it should have come to, or None where it is another contract's."""
        if invocation.chaincode != self._chaincode:
            return None
        outcome = self.model.run(call_of(invocation))
        self.faults += _faults_of(invocation, outcome)
        if invocation.tx_id in self._happened:
            self.faults.append(Fault(Wrong.HAPPENED_TWICE, _place(invocation)))
        self._happened.add(invocation.tx_id)
        self.model.world.apply(outcome.changes)
        return outcome

    def compare(self, state: Mapping[str, bytes]) -> list[Fault]:
        """What is wrong with a peer's public state of the contract's namespace, after the same transactions."""
        faults = [
            Fault(Wrong.OTHER_STATE, repr(key), f"{value!r} instead of {expected!r}")
            for key, value, expected in _differences(state, shown_to_all(self.model.world.records()))
        ]
        minted, burned, held, escrowed = (_sum(state, kind) for kind in ("mint", "burn", "coin", "escrow"))
        if minted != held + escrowed + burned:
            faults.append(Fault(Wrong.UNBALANCED, "state", f"{minted} against {held} + {escrowed} + {burned}"))
        return faults

    def compare_answer(self, call: Call, payload: bytes, code: str = "") -> list[Fault]:
        """What is wrong with an answer, or a refusal with this code, to a call now."""
        outcome = self.model.run(call)
        if (outcome.payload, outcome.code) == (payload, code):
            return []
        found, expected = code or repr(payload), outcome.code or repr(outcome.payload)
        return [Fault(Wrong.OTHER_ANSWER, f"{call.function} of {call.who.party}", f"{found} instead of {expected}")]


def call_of(invocation: Invocation) -> Call:
    return Call(
        who=Person(
            f"{invocation.common_name}@{invocation.msp_id}",
            admin="admin" in invocation.units,
            auditor=invocation.role == "auditor",
        ),
        function=invocation.function,
        args=invocation.args,
        moments=(invocation.timestamp_ns,),
        tx_id=invocation.tx_id,
        transient=invocation.transient,
    )


def _place(invocation: Invocation) -> str:
    who = f"{invocation.common_name}@{invocation.msp_id}"
    return f"block {invocation.block}, {invocation.function} of {who}, transaction {invocation.tx_id}"


def _faults_of(invocation: Invocation, outcome: Outcome) -> list[Fault]:
    place = _place(invocation)
    if outcome.refusal is not None:
        kind = _COIN_FAULTS.get(outcome.refusal.why, Wrong.FORBIDDEN)
        if invocation.function == "ShareAsset":
            kind = _SHARE_FAULTS.get(outcome.code, kind)
        return [Fault(kind, place, str(outcome.refusal))]
    faults = []
    if invocation.payload != outcome.payload:
        detail = f"{invocation.payload!r} instead of {outcome.payload!r}"
        faults.append(Fault(Wrong.OTHER_ANSWER, place, detail))
    if invocation.event != outcome.event:
        faults.append(Fault(Wrong.OTHER_EVENT, place, f"{invocation.event} instead of {outcome.event}"))
    changes = shown_to_all(outcome.changes)
    me = f"{invocation.common_name}@{invocation.msp_id}"
    for key, written, expected in _differences(invocation.writes, changes):
        detail = f"{key!r}: {written!r} instead of {expected!r}"
        faults.append(Fault(_kind_of_write(key_parts(key), written, expected, me), place, detail))
    return faults


def _differences(
    found: Mapping[str, bytes | None], expected: Mapping[str, bytes | None]
) -> Iterable[tuple[str, bytes | None, bytes | None]]:
    for key in sorted(found.keys() | expected.keys()):
        here, there = found.get(key, _UNTOUCHED), expected.get(key, _UNTOUCHED)
        if here != there:
            yield key, here, there


def _kind_of_write(key: Key, written: bytes | None, expected: bytes | None, me: str) -> Wrong:
    """The name of a write that is not what the rules make: None deletes, empty is no write at all."""
    match key:
        case "coin", holder, _:
            if written is None:
                return Wrong.COIN_LOST if holder == me else Wrong.STOLEN
            if expected is None:
                return Wrong.SPENT_TWICE
            return Wrong.FROM_NOTHING if _amount(written) > _amount(expected) else Wrong.COIN_LOST
        case "grant", *_ if written:
            return Wrong.OTHER_GRANT if expected else Wrong.UNPAID_GRANT
    return Wrong.OTHER_WRITE


def _amount(value: bytes) -> int:
    try:
        return int(json.loads(value)["amount"])
    except (ValueError, KeyError, TypeError):
        return 0


def _sum(state: Mapping[str, bytes], kind: str) -> int:
    return sum(_amount(value) for key, value in state.items() if key.startswith(key_text((kind,))))
