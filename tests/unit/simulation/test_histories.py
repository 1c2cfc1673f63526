"""What clients can never have been told by a network that keeps its promises, and that the checker names each."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from tests.simulation.judge.faults import Fault, Wrong
from tests.simulation.judge.history import check_history
from tests.simulation.judge.operations import Answer, Block, Committed, Operation, Refused, Told, Unknown
from tests.simulation.judge.workload import ALICE, DOCTOR, MINT, Planned, submit
from tests.simulation.judge.world import Person
from tests.support.city import DAY, NOON, City, creator
from tests.support.playing import Play, Played, invocation_of

PULSE = f"{ALICE.party}/pulse"
CONFLICT = "MVCC_READ_CONFLICT"
SECOND = 10**9


def checked(played: Played) -> list[Fault]:
    return check_history("health", played.blocks, played.invocations, played.operations)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_quarrelling_town_was_told_is_explained(seed: int) -> None:
    assert checked(Play(Random(seed)).run(150)) == []


def test_one_wrong_word_in_a_town_is_noticed_wherever_it_is() -> None:
    played = Play(Random(1)).run(60)
    answers = [place for place, op in enumerate(played.operations) if isinstance(op.outcome, Answer)]
    assert len(answers) > 20
    for place in answers[::3]:
        operations = [*played.operations]
        operations[place] = replace(operations[place], outcome=Answer(b'{"coins":[],"count":0,"total":1}'))
        (fault, *_) = check_history("health", played.blocks, played.invocations, operations)
        assert (fault.kind, fault.place) == (Wrong.UNEXPLAINED, str(operations[place]))


# Coins of the doctor's: block 1 mints the first, block 2 the second, block 3 the third. Block n is made at n seconds.


class Ledger:
    """Blocks of one transaction, each called half a second before its block and acknowledged half a second behind."""

    def __init__(self) -> None:
        self.city = City()
        self.played = Played()
        self.coins = [self._coins()]  # what the doctor is answered after each block
        for number in (1, 2, 3):
            self.commit(submit(MINT, "MintCoins", DOCTOR.party, number, f"payment-{number}"))
            self.coins.append(self._coins())

    def commit(self, *calls: Planned) -> None:
        number = len(self.played.blocks)
        at = NOON + (number - 1) * SECOND
        simulated = [self.city.simulate(creator(call.who.party), call.function, *call.args, at=at) for call in calls]
        codes = self.city.world.commit(*(stub for _, stub in simulated))
        entries = tuple((stub.tx_id, code.name) for (_, stub), code in zip(simulated, codes, strict=True))
        self.played.blocks.append(Block(number, entries))
        for index, (call, (response, stub)) in enumerate(zip(calls, simulated, strict=True)):
            code = entries[index][1]
            payload = response.payload if code == "VALID" else b""
            if payload:
                self.played.invocations.append(invocation_of(call, stub, payload, number, index))
            told = Committed(stub.tx_id, number, code, payload)
            self.tell(call.who, call.function, call.args, told, number - 0.5, number + 0.5, node="peer0")

    def tell(
        self,
        who: Person,
        function: str,
        args: tuple[str, ...],
        told: Told,
        started: float,
        ended: float,
        node: str = "peer1",
        session: str = "",
    ) -> Operation:
        operation = Operation(
            session=session or f"session of {who.party}",
            who=who,
            node=node,
            kind="submit" if isinstance(told, Committed | Unknown) else "evaluate",
            function=function,
            args=args,
            started=started,
            ended=ended,
            earliest_ns=NOON + int(started * SECOND),
            latest_ns=NOON + int(ended * SECOND),
            outcome=told,
        )
        self.played.operations.append(operation)
        return operation

    def ask(self, block: int, at: float, node: str = "peer1", session: str = "", *, until: float = 0) -> Operation:
        """The doctor asks for his coins, and is answered as of a block."""
        return self.tell(DOCTOR, "MyCoins", (), Answer(self.coins[block]), at, until or at + 0.1, node, session)

    def faults(self) -> list[Wrong]:
        return [fault.kind for fault in checked(self.played)]

    def change(self, number: int, **fields: object) -> Operation:
        """Another word about the transaction of block `number`."""
        operation = self.played.operations[number - 1]
        changed = replace(operation, **fields)  # type: ignore[arg-type]
        self.played.operations[number - 1] = changed
        return changed

    def tell_otherwise(self, number: int, **fields: object) -> Operation:
        told = self.played.operations[number - 1].outcome
        assert isinstance(told, Committed)
        return self.change(number, outcome=replace(told, **fields))  # type: ignore[arg-type]

    def _coins(self) -> bytes:
        response, _ = self.city.simulate(creator(DOCTOR.party), "MyCoins")
        return response.payload


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_peers_at_their_own_pace_are_in_order(ledger: Ledger) -> None:
    for block, at in ((0, 0.1), (1, 1.6), (1, 4.0), (2, 5.0), (3, 6.0)):
        ledger.ask(block, at, "peer1")
    ledger.ask(3, 3.6, "peer0")
    assert ledger.faults() == []


def test_a_read_misses_what_its_peer_had_acknowledged(ledger: Ledger) -> None:
    stale = ledger.ask(1, 2.6, "peer0")
    (fault,) = checked(ledger.played)
    assert (fault.kind, fault.place) == (Wrong.STALE, str(stale))
    assert str(ledger.played.operations[1]) in fault.detail


def test_a_read_that_overlaps_the_acknowledgement_may_miss_it(ledger: Ledger) -> None:
    ledger.ask(1, 2.4, "peer0", until=2.8)
    assert ledger.faults() == []


@pytest.mark.parametrize(("session", "kind"), [("a", Wrong.WENT_BACK), ("b", Wrong.NODE_WENT_BACK)])
def test_a_later_read_at_a_peer_is_of_an_earlier_block(ledger: Ledger, session: str, kind: Wrong) -> None:
    first = ledger.ask(2, 4.0, session="a")
    back = ledger.ask(1, 5.0, session=session)
    (fault,) = checked(ledger.played)
    assert (fault.kind, fault.place) == (kind, str(back))
    assert str(first) in fault.detail


def test_reads_that_overlap_and_reads_elsewhere_are_in_any_order(ledger: Ledger) -> None:
    ledger.ask(2, 4.0, until=6.0)
    ledger.ask(1, 4.5, until=4.6)
    ledger.ask(1, 5.0, "peer2")
    ledger.ask(0, 7.0, node="")
    assert ledger.faults() == []


def test_an_answer_is_of_a_block_that_nobody_had_called_for_yet(ledger: Ledger) -> None:
    ledger.ask(3, 2.2)
    assert ledger.faults() == [Wrong.FROM_THE_FUTURE]


def test_an_answer_is_of_a_block_that_was_not_made_yet(ledger: Ledger) -> None:
    ledger.ask(2, 1.7)
    assert ledger.faults() == []
    ledger.played.blocks[2] = replace(ledger.played.blocks[2], made=2.0)
    assert ledger.faults() == [Wrong.FROM_THE_FUTURE]


def test_an_answer_that_was_never_true(ledger: Ledger) -> None:
    ledger.tell(DOCTOR, "MyCoins", (), Answer(b"{}"), 4.0, 4.1)
    assert ledger.faults() == [Wrong.UNEXPLAINED]


def test_a_refusal_that_no_block_explains(ledger: Ledger) -> None:
    ledger.tell(DOCTOR, "MyCoins", (), Refused("ACCESS_DENIED"), 4.0, 4.1)
    ledger.tell(DOCTOR, "AuditCoins", (), Refused("ACCESS_DENIED"), 4.0, 4.1)
    ledger.tell(DOCTOR, "MyCoins", (), Refused("", "the peer is busy"), 4.0, 4.1)
    assert ledger.faults() == [Wrong.UNEXPLAINED]


# A grant of a day, from four seconds on


@pytest.fixture
def shared(ledger: Ledger) -> Ledger:
    ledger.commit(submit(ALICE, "CreateAsset", "heart_rate", "pulse"))
    ledger.commit(submit(DOCTOR, "FileRequest", PULSE, 1, "study", ledger.city.coins(DOCTOR.party)))
    ledger.commit(submit(ALICE, "ShareAsset", "heart_rate", PULSE, 1, [DOCTOR.party]))
    return ledger


def read_pulse(ledger: Ledger, at: float, until: float, code: str = "") -> None:
    response, _ = ledger.city.simulate(creator(ALICE.party), "ReadAsset", PULSE)
    told = Refused(code) if code else Answer(response.payload)
    ledger.tell(DOCTOR, "ReadAsset", (PULSE,), told, at, until)


END = 5 + DAY / SECOND


@pytest.mark.parametrize(
    ("at", "until", "code", "faults"),
    [
        (7.0, 8.0, "", []),
        (END - 2, END - 1, "", []),
        (END - 1, END + 1, "", []),
        (END - 1, END + 1, "ACCESS_DENIED", []),
        (END + 1, END + 2, "ACCESS_DENIED", []),
        (END + 1, END + 2, "", [Wrong.UNEXPLAINED]),
        (7.0, 8.0, "ASSET_NOT_FOUND", [Wrong.UNEXPLAINED]),
    ],
)
def test_a_grant_opens_until_its_day_is_over_and_no_longer(
    shared: Ledger, at: float, until: float, code: str, faults: list[Wrong]
) -> None:
    read_pulse(shared, at, until, code)
    assert shared.faults() == faults


def test_who_has_read_is_not_denied_within_his_day(shared: Ledger) -> None:
    read_pulse(shared, 8.0, 9.0)
    read_pulse(shared, 10.0, 11.0, "ACCESS_DENIED")
    assert shared.faults() == [Wrong.WENT_BACK]


def test_a_revoked_grant_opens_nothing_where_the_revocation_was_acknowledged(shared: Ledger) -> None:
    shared.commit(submit(ALICE, "RevokeGrant", PULSE, DOCTOR.party))
    response, _ = shared.city.simulate(creator(ALICE.party), "ReadAsset", PULSE)
    for node in ("peer1", "peer0"):
        shared.tell(DOCTOR, "ReadAsset", (PULSE,), Answer(response.payload), 9.0, 9.1, node)
    assert shared.faults() == [Wrong.STALE]


# Receipts


def lose(ledger: Ledger) -> None:
    ledger.played.blocks[2] = Block(2, ())


def repeat(ledger: Ledger) -> None:
    ledger.played.blocks[3] = Block(3, (*ledger.played.blocks[2].transactions, *ledger.played.blocks[3].transactions))


def overtake(ledger: Ledger) -> None:
    """The third is called when the second is not, and acknowledged before it: yet the second stands before it."""
    ledger.change(2, started=3.6, ended=3.9)


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        (Wrong.LOST, lose),
        (Wrong.HAPPENED_TWICE, repeat),
        (Wrong.OTHER_BLOCK, lambda ledger: ledger.tell_otherwise(2, block=1)),
        (Wrong.OTHER_VERDICT, lambda ledger: ledger.tell_otherwise(2, code=CONFLICT, payload=b"")),
        (Wrong.OTHER_PAYLOAD, lambda ledger: ledger.tell_otherwise(2, payload=b"{}")),
        (Wrong.OUT_OF_ORDER, overtake),
    ],
)
def test_a_receipt_that_the_chain_does_not_keep(ledger: Ledger, kind: Wrong, lie: Callable[[Ledger], object]) -> None:
    assert ledger.faults() == []
    lie(ledger)
    assert ledger.faults() == [kind]


def test_what_failed_is_in_the_chain_as_its_client_was_told(ledger: Ledger) -> None:
    coins = ledger.city.coins(DOCTOR.party)
    ledger.commit(*(submit(DOCTOR, "TransferCoins", ALICE.party, amount, coins) for amount in (1, 2)))
    assert ledger.faults() == []
    told = ledger.played.operations[4].outcome
    assert isinstance(told, Committed)
    assert told.code == CONFLICT
    ledger.tell_otherwise(5, code="VALID")
    assert ledger.faults() == [Wrong.OTHER_VERDICT]


def test_a_second_copy_in_the_chain_is_no_fault_unless_it_is_valid(ledger: Ledger) -> None:
    copy = (ledger.played.blocks[1].transactions[0][0], "DUPLICATE_TXID")
    ledger.played.blocks.append(Block(4, (copy,)))
    assert ledger.faults() == []


@pytest.mark.parametrize("tx_id", ["", "somewhere"])
def test_of_an_unknown_outcome_anything_may_have_come(ledger: Ledger, tx_id: str) -> None:
    number = 2
    told = ledger.played.operations[number - 1].outcome
    assert isinstance(told, Committed)
    for known in (tx_id, told.tx_id):
        ledger.change(number, outcome=Unknown("no verdict came", known))
        assert ledger.faults() == []


def test_what_was_called_after_an_acknowledgement_is_committed_behind_it_even_if_its_own_never_came(
    ledger: Ledger,
) -> None:
    told = ledger.played.operations[0].outcome
    assert isinstance(told, Committed)
    ledger.change(1, outcome=Unknown("no verdict came", told.tx_id), started=2.6, ended=9.0)
    assert ledger.faults() == [Wrong.OUT_OF_ORDER]
