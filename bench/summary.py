"""Several runs as one: medians, how far they lie apart, and each of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

Figures = dict[str, Any]

SUMMED = ("failures", "failures_retryable")  # no failure of any run is hidden behind a median
OF_SEVERAL = ("runs", "spread", "each")  # a result may itself be a summary: its own stay in `each`


def of(results: Sequence[Figures]) -> Figures:
    """The figures of one run as they are; of several, `spread` has the least and the greatest, `each` all of them."""
    if len(results) == 1:
        return results[0]
    middle = _middles(results)
    spread = {name: _ends([result[name] for result in results]) for name, value in middle.items() if _is_number(value)}
    return middle | {"runs": len(results), "spread": spread, "each": list(results)}


def _middle(name: str, values: Sequence[Any]) -> Any:
    present = [value for value in values if value is not None]
    if name in SUMMED:
        return _sum(present)
    if present and all(isinstance(value, bool) for value in present):
        return all(present)
    if present and all(map(_is_number, present)):
        return present[0] if len(set(present)) == 1 else round(median(present), 3)
    if present and all(isinstance(value, Mapping) for value in present):
        return _middles(present)
    return values[0]


def _middles(results: Sequence[Mapping[str, Any]]) -> Figures:
    return {
        name: _middle(name, [result.get(name) for result in results]) for name in results[0] if name not in OF_SEVERAL
    }


def _sum(values: Sequence[Any]) -> Any:
    if all(isinstance(value, Mapping) for value in values):
        return dict(sum(map(Counter, values), Counter()))
    return sum(values)


def _ends(values: Sequence[Any]) -> list[float]:
    present = [value for value in values if value is not None]
    return [min(present), max(present)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
