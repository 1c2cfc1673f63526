"""What a profile says, as text: for each process the steps of one transaction, the rooms, and the functions."""

from collections.abc import Iterator, Mapping
from functools import partial

from bench.profiling import flame
from bench.profiling.budget import step_of
from bench.profiling.sampling import Sampler
from bench.profiling.times import Timed, by, function, room, timed, totals

_ROOMS_SHOWN, _FUNCTIONS_SHOWN = 14, 25
SHOWN_MIN = 0.05  # microseconds: less reads as nothing


def written(sampler: Sampler, microseconds: Mapping[str, float]) -> str:
    """Tables of processes, whose time each transaction takes; a flame graph of each goes into the sampler's folder."""
    text = []
    for name, profile in sampler.profiles.items():
        times = timed(profile, microseconds[name])
        file = sampler.folder / f"{name}.svg"
        file.write_text(flame.svg(name, times), encoding="utf-8")
        text += [*tables(name, times), f"  flame graph: {file}", ""]
    return "\n".join(text)


def tables(process: str, times: list[Timed]) -> Iterator[str]:
    """The lines about one process."""
    whole = sum(each.microseconds for each in times)
    yield f"{process}: {whole:.0f} us of processor time per transaction"
    yield from _table("step", by(times, partial(step_of, process)), whole)
    yield from _table("room (what libraries do for it included)", by(times, room), whole, _ROOMS_SHOWN)
    yield from _table("function (likewise)", by(times, function), whole, _FUNCTIONS_SHOWN, totals(times))


def _table(
    title: str, rows: Mapping[str, float], whole: float, shown: int = 100, total: Mapping[str, float] | None = None
) -> Iterator[str]:
    yield f"\n  {'us/tx':>8} {'share':>6} {'with all it calls' if total else '':>9}  {title}"
    for name, microseconds in list(rows.items())[:shown]:
        if microseconds < SHOWN_MIN:
            continue
        more = f"{total.get(name, microseconds):9.1f}" if total else ""
        yield f"  {microseconds:8.1f} {microseconds / max(whole, 1e-9):6.1%} {more:>9}  {name}"
