"""A flame graph as one SVG file: a box for each function, as wide as its time, over the box of whoever called it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

from bench.profiling.times import Timed

_WIDTH, _LINE, _LETTER = 1600.0, 17, 6.6  # pixels
_NARROWEST = 0.5  # a box below this shows nothing


@dataclass(slots=True)
class _Node:
    microseconds: float = 0.0
    callees: "dict[str, _Node]" = field(default_factory=dict)

    def add(self, names: Sequence[str], microseconds: float) -> int:
        """Enter a stack; its depth."""
        node = self
        node.microseconds += microseconds
        for name in names:
            node = node.callees.setdefault(name, _Node())
            node.microseconds += microseconds
        return len(names)


def svg(title: str, times: Sequence[Timed]) -> str:
    """A picture for any browser; pointing at a box tells its function, microseconds and share."""
    root = _Node()
    deepest = max((root.add([str(f) for f in each.stack.frames], each.microseconds) for each in times), default=0)
    height = (deepest + 1) * _LINE
    boxes = "".join(_boxes(title, root, root.microseconds or 1.0, 0.0, 0, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" height="{height}" '
        f'font-family="monospace" font-size="11">{boxes}</svg>\n'
    )


def _boxes(name: str, node: _Node, whole: float, left: float, depth: int, height: int) -> Iterator[str]:
    width = node.microseconds / whole * _WIDTH
    if width < _NARROWEST:
        return
    top = height - (depth + 1) * _LINE
    hue = crc32(name.partition(":")[0].encode()) % 360  # a module has one colour
    about = f"{name}: {node.microseconds:.1f} us, {node.microseconds / whole:.1%}"
    fits = name[: int(width / _LETTER)] if width > 3 * _LETTER else ""
    yield (
        f'<g><title>{escape(about)}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_LINE - 1}" '
        f'fill="hsl({hue},60%,75%)"/><text x="{left + 2:.1f}" y="{top + 12}">{escape(fits)}</text></g>'
    )
    for callee, child in sorted(node.callees.items()):
        yield from _boxes(callee, child, whole, left, depth + 1, height)
        left += child.microseconds / whole * _WIDTH
