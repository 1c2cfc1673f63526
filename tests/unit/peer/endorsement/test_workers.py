"""Threads that endorse: nobody waits for a slow proposal but its own client."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.endorsement.stages import Outcome, Stage, Waiting
from services.peer.endorsement.workers import EndorsementWorkers, Job, WorkersConfig, overloaded
from services.runtime.handover import Told

Start = Callable[..., EndorsementWorkers]
PATIENCE_S = 10.0


class Desk:
    """Answers by what a proposal says, and waits where told to."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.running = threading.Semaphore(0)
        self.done: list[bytes] = []  # each stage of each proposal
        self._parked: list[Told] = []  # whom to tell of what proposals wait for that have no thread meanwhile
        self._came: list[Exception | None] = []  # what became of it, once that is known
        self._telling = threading.Lock()
        self.more: list[bool] = []  # whether others were about to wait, too

    def process(self, raw: bytes) -> Stage | Waiting | Outcome:
        """Those that begin with "staged" are answered in the second stage; "parked" ones wait in between."""
        self.done.append(raw)
        if raw.startswith(b"staged"):
            return lambda: self.process(raw.removeprefix(b"staged "))
        if raw.startswith(b"parked"):
            self.running.release()
            return Waiting(self._begin, lambda _: self.process(raw.removeprefix(b"parked ")))
        if raw.startswith(b"wait"):
            self.running.release()
            self.gate.wait(PATIENCE_S)
        return ProposalResponse(Response(200, payload=raw))

    def tell(self, fault: Exception | None = None) -> None:
        """What they wait for is done, for all at once, and for whoever comes to wait for it."""
        with self._telling:
            self._came.append(fault)
            parked, self._parked = self._parked, []
        for number, told in enumerate(parked, start=1):
            told(fault, number < len(parked))

    def _begin(self, told: Told, more: bool) -> None:
        self.more.append(more)
        with self._telling:
            if not self._came:
                self._parked.append(told)
                return
        told(self._came[0], False)


class Answers:
    """Collects answers and waits for them."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.more: list[bool] = []  # whether each said that others follow
        self._changed = threading.Condition()

    def done(self, outcome: Outcome, more: bool) -> None:
        with self._changed:
            self.outcomes.append(outcome)
            self.more.append(more)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[bytes]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, PATIENCE_S)
        return [outcome.response.payload for outcome in self.outcomes if isinstance(outcome, ProposalResponse)]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.gate.set()


@pytest.fixture
def start(desk: Desk) -> Iterator[Start]:
    watchdog = Watchdog()
    made: list[EndorsementWorkers] = []

    def make(**settings: Any) -> EndorsementWorkers:
        made.append(EndorsementWorkers(desk.process, watchdog, WorkersConfig(**settings)))
        return made[-1]

    yield make
    desk.gate.set()
    for workers in made:
        workers.close(PATIENCE_S)
    watchdog.close()


def test_every_proposal_gets_its_own_answer(start: Start) -> None:
    workers, answers = start(threads=2), Answers()
    proposals = [str(number).encode() for number in range(500)]
    for raw in proposals:
        workers.submit(Job(raw, answers.done))
    assert sorted(answers.wait_for(500)) == sorted(proposals)


def test_an_answer_says_whether_others_follow(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(Job(b"wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.submit(Job(b"1", answers.done), Job(b"2", answers.done))
    desk.gate.set()
    answers.wait_for(3)
    assert answers.more == [True, True, False]


def test_proposals_that_wait_are_brought_forward_stage_by_stage(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(Job(b"wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.submit(*(Job(b"staged %d" % number, answers.done) for number in range(3)))
    desk.gate.set()
    assert answers.wait_for(4) == [b"wait", b"0", b"1", b"2"]
    assert desk.done == [b"wait", b"staged 0", b"staged 1", b"staged 2", b"0", b"1", b"2"]


def test_what_waits_for_others_needs_no_thread(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(*(Job(b"parked %d" % number, answers.done) for number in range(40)))
    workers.submit(Job(b"quick", answers.done))
    assert answers.wait_for(1) == [b"quick"]
    desk.tell()
    assert sorted(answers.wait_for(41)) == sorted([b"quick", *(b"%d" % number for number in range(40))])


def test_what_is_about_to_wait_is_told_whether_others_are(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(*(Job(b"parked %d" % number, answers.done) for number in range(3)))
    for _ in range(3):
        assert desk.running.acquire(timeout=PATIENCE_S)
    desk.tell()
    answers.wait_for(3)
    assert desk.more == [True, True, False]


def test_what_waited_is_answered_also_when_what_it_waited_for_failed(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1), Answers()
    workers.submit(Job(b"parked 1", answers.done))
    desk.tell(ValueError("no"))
    assert answers.wait_for(1) == [b"1"]


def test_what_waits_for_others_when_the_workers_close_is_refused(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1), Answers()
    workers.submit(Job(b"parked 1", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.close(PATIENCE_S)
    desk.tell()
    answers.wait_for(1)
    assert answers.outcomes == [overloaded(WorkersConfig().waiting_max)]


def test_what_is_taken_together_with_a_slow_proposal_goes_on_from_where_it_was(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, slow_s=0.05), Answers()
    workers.submit(Job(b"wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    quick = [b"staged %d" % number for number in range(5)]
    workers.submit(*(Job(raw, answers.done) for raw in [*quick[:2], b"staged wait too", *quick[2:]]))
    assert sorted(answers.wait_for(5)) == [b"0", b"1", b"2", b"3", b"4"]
    desk.gate.set()
    assert sorted(answers.wait_for(7)[5:]) == [b"wait", b"wait too"]
    assert len(desk.done) == len(set(desk.done)) == 1 + 2 * 6  # no stage twice


def test_what_nobody_waits_for_any_more_is_not_gone_on_with(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(Job(b"staged wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.submit(Job(b"staged left", answers.done, lambda: b"staged left" not in desk.done))
    workers.submit(Job(b"gone", answers.done, lambda: False), Job(b"last", answers.done))
    desk.gate.set()
    assert answers.wait_for(2) == [b"wait", b"last"]
    assert b"gone" not in desk.done


def test_slow_proposals_delay_no_other(start: Start, desk: Desk) -> None:
    workers, slow, quick = start(threads=2, slow_s=0.05), Answers(), Answers()
    for number in range(4):
        workers.submit(Job(b"wait%d" % number, slow.done))
    for number in range(20):
        workers.submit(Job(b"%d" % number, quick.done))
    assert len(quick.wait_for(20)) == 20
    assert slow.outcomes == []
    desk.gate.set()
    slow.wait_for(4)


def test_for_a_slow_proposal_others_wait_once_and_not_each(start: Start, desk: Desk) -> None:
    slow_s = 0.2
    workers, slow, quick = start(threads=1, slow_s=slow_s), Answers(), Answers()
    workers.submit(Job(b"wait", slow.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.submit(Job(b"0", quick.done))  # has another thread join
    quick.wait_for(1)
    began = time.monotonic()
    for number in range(1, 5):
        workers.submit(Job(b"%d" % number, quick.done))
        quick.wait_for(number + 1)
    assert time.monotonic() - began < 2 * slow_s  # each by itself would have waited so long
    assert slow.outcomes == []


def test_threads_that_joined_leave_when_there_is_nothing_to_do(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, slow_s=0.05), Answers()
    before = threading.active_count()
    for number in range(3):
        workers.submit(Job(b"wait%d" % number, answers.done))
    for _ in range(3):
        assert desk.running.acquire(timeout=PATIENCE_S)
    desk.gate.set()
    answers.wait_for(3)
    until = time.monotonic() + PATIENCE_S
    while threading.active_count() > before + 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before + 1


def test_a_thread_that_does_not_come_back_is_answered_for_and_replaced(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, slow_s=0.05, give_up_s=0.2), Answers()
    workers.submit(Job(b"wait", answers.done))
    answers.wait_for(1)
    (lost,) = answers.outcomes
    assert isinstance(lost, ProposalResponse)
    assert lost.response.message == "error in simulation: timeout expired while executing transaction"
    assert (lost.response.status, lost.endorsement, lost.version) == (500, None, 0)
    assert workers.lost == 1
    workers.submit(Job(b"next", answers.done))
    assert b"next" in answers.wait_for(2)
    desk.gate.set()
    workers.submit(Job(b"last", answers.done))
    assert b"last" in answers.wait_for(3)
    assert len(answers.outcomes) == 3  # the one that came back late is not answered again


def test_more_than_may_wait_is_refused_at_once(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1, waiting_max=2), Answers()
    workers.submit(Job(b"wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    for number in range(3):
        workers.submit(Job(b"%d" % number, answers.done))
    assert answers.outcomes == [overloaded(2)]
    assert overloaded(2).message.endswith("exceeding concurrency limit (2)")
    desk.gate.set()
    assert answers.wait_for(4) == [b"wait", b"0", b"1"]


def test_with_too_many_threads_lost_nothing_more_is_taken(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, lost_max=1, slow_s=0.05, give_up_s=0.1), Answers()
    workers.submit(Job(b"wait", answers.done))
    answers.wait_for(1)
    workers.submit(Job(b"next", answers.done))
    assert answers.outcomes[1:] == [overloaded(2500)]


def test_closing_finishes_what_runs_and_refuses_what_waits(start: Start, desk: Desk) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()
    workers.submit(Job(b"wait", answers.done))
    assert desk.running.acquire(timeout=PATIENCE_S)
    workers.submit(Job(b"waiting", answers.done))
    threading.Timer(0.1, desk.gate.set).start()
    workers.close(PATIENCE_S)
    assert answers.wait_for(2) == [b"wait"]
    assert overloaded(2500) in answers.outcomes
    workers.submit(Job(b"late", answers.done))
    assert answers.outcomes[2:] == [overloaded(2500)]


def test_an_answer_that_nobody_takes_costs_no_thread(start: Start) -> None:
    workers, answers = start(threads=1, threads_max=1), Answers()

    def gone(outcome: Outcome, more: bool) -> None:
        raise RuntimeError("event loop is closed")

    workers.submit(Job(b"first", gone))
    workers.submit(Job(b"second", answers.done))
    assert answers.wait_for(1) == [b"second"]


@pytest.mark.parametrize("bad", [{"threads": 0}, {"threads": 4, "threads_max": 2}, {"slow_s": 2.0, "give_up_s": 1.0}])
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    WorkersConfig()
    with pytest.raises(ValueError, match=r"threads to endorse|later than"):
        WorkersConfig(**bad)
