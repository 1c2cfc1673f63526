"""Threads that endorse, for callers that must not wait: the gRPC services of the peer.

Proposals wait in one line, in which clients take turns. A thread, or a few, take some of them at a time and bring these
forward by a stage each, in turns. What a thread has not come to the end of after a moment goes back to where it stood,
with the stage that it has reached; the watchdog returns it when the thread is held up. So a slow proposal delays no
other for long: whenever the line does not move for `slow_s`, another thread joins, and stays while one is held up and
nobody else is there. A contract that cannot be ended (a call into C that never returns) loses its caller that thread,
not the peer its service: the caller is answered when the time is over, and the thread is counted as lost.
A proposal that waits for other peers has no thread at all, and is first in the line when they have answered.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.chaincode_host.faults import describe
from services.peer.chaincode_host.guard import TIMED_OUT
from services.peer.chaincode_host.watchdog import Watchdog
from services.peer.endorsement.endorser import ERROR
from services.peer.endorsement.line import FairLine
from services.peer.endorsement.stages import Outcome, ProposalRefused, Stage, Then, Waiting
from services.runtime.callers import NOBODY, Caller
from services.runtime.process import HALF_THE_PROCESSORS

WAITING_BYTES_MAX = 64 * 1024 * 1024  # of proposals, unless there is but one
HAND_MAX = 48  # proposals that a thread takes at a time: stage by stage, a third less work than one by one
HAND_BYTES = 256 * 1024  # from which on it takes no more: when parsed they take their bytes again
HAND_S = 0.06  # after which it returns what it has not come to the end of; as many quick ones take 12 ms

_log = logging.getLogger(__name__)

# Takes the answer, on a thread of the workers: it must not wait. Also told whether more answers follow soon.
Done = Callable[[Outcome, bool], None]
Process = Callable[[bytes], Stage | Waiting | Outcome]


def overloaded(limit: int) -> ProposalRefused:
    """More proposals than may wait (internal/peer/node grpc_limiters.go)."""
    refusal = f"too many requests for /protos.Endorser, exceeding concurrency limit ({limit})"
    return ProposalRefused(refusal, overloaded=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersConfig:
    """Limits of the line and the threads."""

    threads: int = HALF_THE_PROCESSORS
    threads_max: int = 32  # together with those that joined because others were slow
    lost_max: int = 16  # threads in calls that never return; beyond it nothing is endorsed until some come back
    waiting_max: int = 2500  # core.yaml peer.limits.concurrency.endorserService
    waiting_bytes_max: int = WAITING_BYTES_MAX
    slow_s: float = 0.1
    give_up_s: float = 31.0  # when to answer for a thread that does not come back: executetimeout and a second

    def __post_init__(self) -> None:
        if (
            min(self.threads, self.lost_max, self.waiting_max, self.waiting_bytes_max) < 1
            or self.threads_max < self.threads
        ):
            raise ValueError("there must be threads to endorse, and room for proposals to wait")
        if not 0 < self.slow_s < self.give_up_s:
            raise ValueError("a thread is given up later than it is slow")


class Job:
    """A proposal to be answered. `wanted` says whether anybody still waits; `done` is called once, if so.

    `stage` is what is to be done next, None when nothing was done yet.
    """

    __slots__ = ("_answered", "_done", "caller", "raw", "stage", "wanted")

    def __init__(
        self, raw: bytes, done: Done, wanted: Callable[[], bool] = lambda: True, caller: Caller = NOBODY
    ) -> None:
        self.raw = raw
        self.caller = caller
        self.wanted = wanted
        self.stage: Stage | None = None
        self._done = done
        self._answered = threading.Lock()  # held by whoever answers; never released: one answer each

    def answer(self, outcome: Outcome, more: bool = False) -> None:
        """Hand the answer over, unless there was one already. `more`: others follow soon."""
        if self._answered.acquire(blocking=False):
            try:
                self._done(outcome, more)
            except Exception as error:  # whoever asked has gone, or his event loop has: no reason to lose a thread
                _log.warning("an endorsement could not be handed over: %s", describe(error))


class Hand:
    """What a thread has taken. Others may take of `waiting` what the thread has not begun."""

    __slots__ = ("job", "since", "waiting")

    def __init__(self, since: float) -> None:
        self.since = since
        self.job: Job | None = None  # at which the thread is
        self.waiting: deque[Job] = deque()

    def next(self) -> Job | None:
        """What to go on with."""
        try:
            self.job = self.waiting.popleft()
        except IndexError:
            self.job = None
        return self.job

    def last(self) -> Job | None:
        """What would be gone on with last."""
        try:
            return self.waiting.pop()
        except IndexError:
            return None


class Workers(Protocol):
    """Answers proposals for callers that must not wait."""

    def submit(self, *jobs: Job) -> None:
        """Have proposals answered. Those for which there is no room are refused at once."""
        ...

    def close(self, timeout_s: float) -> None:
        """Take nothing more and let what runs finish; what still waits is refused."""
        ...


class EndorsementWorkers:
    """Runs `process` for each proposal on some thread, and hands each answer over once."""

    def __init__(self, process: Process, watchdog: Watchdog, config: WorkersConfig | None = None) -> None:
        self._process = process
        self._config = config or WorkersConfig()
        self._line: FairLine[Job] = self._new_line()
        self._ready: deque[Job] = deque()  # what they waited for is done; about to join the line together
        self._moved = threading.Condition()
        self._idle = 0
        self._working: dict[threading.Thread, Hand | None] = {}
        self._lost: set[threading.Thread] = set()
        self._closed = False
        self._last_taken = 0.0
        self._hand_max = HAND_MAX  # less while proposals are slow: then they are better taken one by one
        self._watchdog = watchdog
        watchdog.add(self._look)

    def submit(self, *jobs: Job) -> None:
        """Have proposals answered. Those for which there is no room in the line are refused."""
        config, line = self._config, self._line
        with self._moved:
            if self._closed or len(self._lost) >= config.lost_max:
                refused = list(jobs)
            else:
                refused = [left for job in jobs for left in line.put(job)]
            self._moved.notify(min(self._idle, len(line)))
            for _ in range(min(len(line) - self._idle, config.threads - len(self._working))):
                self._join()
        if len(refused) < len(jobs):
            self._watchdog.wake()
        for job in refused:
            job.answer(overloaded(config.waiting_max))

    @property
    def lost(self) -> int:
        """How many threads are in calls that do not return."""
        return len(self._lost)

    def close(self, timeout_s: float) -> None:
        """Take nothing more and let what runs finish; what still waits is refused."""
        with self._moved:
            self._closed = True
            for hand in filter(None, self._working.values()):
                self._return(hand)
            waiting, self._line = self._line, self._new_line()
            threads = list(self._working)
            self._moved.notify_all()
        while waiting:
            waiting.take().answer(overloaded(self._config.waiting_max))
        deadline = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _new_line(self) -> FairLine[Job]:
        return FairLine(self._config.waiting_max, self._config.waiting_bytes_max)

    def _join(self) -> None:
        """One more thread; the caller holds the lock."""
        thread = threading.Thread(target=self._work, name="endorser", daemon=True)
        self._working[thread] = None
        thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        while (hand := self._take(me)) is not None:
            self._bring_forward(hand)

    def _bring_forward(self, hand: Hand) -> None:
        """Do the next stage of one after the other, until all have been answered or it takes long."""
        until = hand.since + HAND_S
        while (job := hand.next()) is not None:
            if not job.wanted():
                continue
            at = self._process(job.raw) if job.stage is None else job.stage()
            if callable(at):
                job.stage = at
                hand.waiting.append(job)
            elif isinstance(at, Waiting):
                at.begin(partial(self._go_on_with, job, at.then), bool(hand.waiting or self._line))
            else:
                job.answer(at, bool(hand.waiting or self._line))
            if time.monotonic() > until:
                return

    def _go_on_with(self, job: Job, then: Then, fault: Exception | None, more: bool) -> None:
        """What it waited for is done, well or not: it is first in the line again, once no more come with it."""
        job.stage = partial(then, fault)
        self._ready.append(job)
        if more:
            return
        with self._moved:
            closed = self._closed
            ready = [self._ready.pop() for _ in range(len(self._ready))]
            if not closed:
                for each in ready:
                    self._line.put_back(each)
                self._moved.notify(min(self._idle, len(ready)))
                if not self._idle and len(self._working) < self._config.threads:
                    self._join()
        if closed:
            for each in ready:
                each.answer(overloaded(self._config.waiting_max))
        else:
            self._watchdog.wake()

    def _take(self, me: threading.Thread) -> Hand | None:
        """The next proposals, None when this thread shall end."""
        with self._moved:
            if me in self._lost:
                self._lost.discard(me)
                return None
            hand = self._working[me]
            if hand is not None and not self._return(hand):
                self._hand_max = min(2 * self._hand_max, HAND_MAX)
            self._working[me] = None
            while not self._line:
                if self._closed or self._not_held_up() > self._config.threads:
                    del self._working[me]
                    return None
                self._idle += 1
                self._moved.wait()
                self._idle -= 1
            hand = self._working[me] = self._next()
            self._last_taken = hand.since
            return hand

    def _not_held_up(self) -> int:
        """How many threads there are to count on; the caller holds the lock."""
        since = time.monotonic() - self._config.slow_s
        return sum(hand is None or hand.since >= since for hand in self._working.values())

    def _next(self) -> Hand:
        """Those whose turn it is, as many as leave something for threads that are idle; the caller holds the lock."""
        hand = Hand(time.monotonic())
        room = HAND_BYTES
        for _ in range(min(self._hand_max, -(-len(self._line) // (1 + self._idle)))):
            job = self._line.take()
            hand.waiting.append(job)
            room -= len(job.raw)
            if room <= 0:
                break
        return hand

    def _return(self, hand: Hand) -> int:
        """What a thread has not come to the end of goes back; how many these are. The caller holds the lock."""
        count = 0
        while (job := hand.last()) is not None:
            self._line.put_back(job)
            count += 1
        if count:
            self._hand_max = max(1, self._hand_max // 2)
            self._moved.notify(min(self._idle, count))
        return count

    def _look(self, now: float) -> bool:
        """Give up threads that do not come back, and have others go on with what slow ones have."""
        given_up = []
        with self._moved:
            for thread, hand in list(self._working.items()):
                if hand is None or now - hand.since <= self._config.slow_s:
                    continue
                self._return(hand)
                if now - hand.since > self._config.give_up_s:
                    del self._working[thread]
                    self._lost.add(thread)
                    given_up.append(hand.job)
            stuck = self._line and not self._idle and now - self._last_taken > self._config.slow_s
            if stuck and len(self._working) < self._config.threads_max:
                self._join()
            busy = bool(self._line) or any(hand is not None for hand in self._working.values())
        for job in given_up:
            if job is not None:
                job.answer(ProposalResponse(Response(ERROR, f"error in simulation: {TIMED_OUT}"), version=0))
        return busy
