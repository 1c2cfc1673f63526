"""Which canaries were found where, and whether they may be there."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.canary.canaries import Canary
from tests.canary.places import FILES, Place
from tests.canary.search import Finding, Search


@dataclass(frozen=True, slots=True)
class Planted:
    """A canary that was written. `known_to`: nodes and callers who may see it; `kept_by`: nodes that must keep it."""

    canary: Canary
    known_to: frozenset[str]
    kept_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Control:
    """A canary where none may be, to see that it is found. Parts of a place's name that must be among the findings."""

    canary: Canary
    found_in: tuple[tuple[str, str], ...]  # kind of place, and a part of its name


class Hunt:
    """Look, then ask what was found. Every place must be shown to it once."""

    def __init__(self, planted: Iterable[Planted], controls: Sequence[Control] = ()) -> None:
        self._planted = {each.canary.name: each for each in planted}
        self._controls = controls
        canaries = [*(each.canary for each in self._planted.values()), *(each.canary for each in controls)]
        assert len({canary.name for canary in canaries}) == len(canaries)
        self._search = Search(canaries)
        self._found: dict[str, list[tuple[Finding, Place]]] = defaultdict(list)
        self.places = 0

    @property
    def bytes(self) -> int:
        """All that was looked at, unpacked where it was packed."""
        return self._search.bytes

    @property
    def canaries(self) -> int:
        """How many must not be found outside."""
        return len(self._planted)

    def look(self, places: Iterable[Place]) -> None:
        for place in places:
            self.places += 1
            for finding in self._search.find(place.name, place.content):
                self._found[finding.canary].append((finding, Place(place.name, place.kind, place.seen_by, b"")))

    def outside(self) -> list[Finding]:
        """What was found where somebody sees it who may not."""
        return [
            finding
            for name, planted in self._planted.items()
            for finding, place in self._found[name]
            if place.seen_by - planted.known_to
        ]

    def on_members(self) -> set[str]:
        """Canaries that all have who must keep them; where nobody must, those that somebody has seen who may."""
        return {name for name, planted in self._planted.items() if self._is_kept(planted)}

    def not_on_members(self) -> list[str]:
        """Those that a member lacks, or that nobody has seen: a search that misses them proves nothing."""
        return sorted(self._planted.keys() - self.on_members())

    def missed(self) -> list[str]:
        """Controls that were not found everywhere."""
        return [
            f"{control.canary.name} in {kind} {part}"
            for control in self._controls
            for kind, part in control.found_in
            if not any(
                place.kind == kind and part in finding.place for finding, place in self._found[control.canary.name]
            )
        ]

    def _is_kept(self, planted: Planted) -> bool:
        found = [place for _, place in self._found[planted.canary.name] if not place.seen_by - planted.known_to]
        if not planted.kept_by:
            return bool(found)
        return planted.kept_by <= {node for place in found if place.kind == FILES for node in place.seen_by}
