"""From samples to processor time: each thread's time is spread over its stacks as often as they were seen."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.profiling.sampling import Profile
from bench.profiling.stacks import Frame, Stack

NATIVE = "native threads"


@dataclass(frozen=True, slots=True)
class Timed:
    """A stack, and the microseconds of processor time per transaction that it stands for."""

    stack: Stack
    microseconds: float


def timed(profile: Profile, microseconds: float) -> list[Timed]:
    """The whole of a process's time per transaction: each thread's share of it over the stacks that were seen on it.

    A thread that no Python runs on has its name for a stack.
    """
    stacks = [stack for stack in profile.stacks if not stack.waits]
    working = {stack.thread for stack in stacks}
    stacks += [stack for stack in profile.stacks if stack.thread not in working]
    stacks += [
        Stack(thread, (Frame(NATIVE, profile.names[thread]),), 1)
        for thread in profile.cpu_s.keys() - {stack.thread for stack in stacks}
    ]
    seen: Counter[int] = Counter()
    for stack in stacks:
        seen[stack.thread] += stack.samples
    each_us = microseconds / (sum(profile.cpu_s.values()) or 1.0)
    return [
        Timed(stack, profile.cpu_s[stack.thread] * each_us * stack.samples / seen[stack.thread])
        for stack in stacks
        if stack.thread in profile.cpu_s
    ]


def by(times: Iterable[Timed], key: Callable[[Stack], str]) -> dict[str, float]:
    """Microseconds by whatever a stack counts as, the most first."""
    sums: dict[str, float] = {}
    for each in times:
        name = key(each.stack)
        sums[name] = sums.get(name, 0.0) + each.microseconds
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def room(stack: Stack) -> str:
    """The room whose time it is."""
    return stack.owner.room if stack.owner else "?"


def function(stack: Stack) -> str:
    """The function whose time it is."""
    return str(stack.owner) if stack.owner else "?"


def totals(times: Iterable[Timed]) -> dict[str, float]:
    """Microseconds of each function together with all that it calls."""
    sums: dict[str, float] = {}
    for each in times:
        for name in _names(each.stack):
            sums[name] = sums.get(name, 0.0) + each.microseconds
    return sums


def _names(stack: Stack) -> Iterator[str]:
    yield from dict.fromkeys(map(str, stack.frames))
