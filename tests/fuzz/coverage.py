"""Coverage-guided search over the codecs: inputs that make the protocol room do something new are kept and spoilt on.

What an input does is which line follows which in each function below `privysharing/protocol`, and how it ends. The
corpus beside this file is the least set of inputs that shows all that was ever found; `make test` replays it.

    python -m tests.fuzz.coverage --inputs N --seed S     search, and write the corpus
"""

import argparse
import hashlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import privysharing.protocol
from tests.fuzz.messages import parts
from tests.fuzz.mutate import Mutator
from tests.fuzz.targets.codecs import Reading

CORPUS = Path(__file__).with_name("corpus")
KEPT_BYTES_MAX = 700  # of one input: what is longer shows nothing that a shorter one would not
PIECE_BYTES = 20  # what an input costs beside its bytes, where several could show the same
_ROOM = str(Path(privysharing.protocol.__file__).parent)

Edge = tuple[str, int, int]  # function, line, next line


class Tracer:
    """Collects edges while a body runs. Costs about a microsecond a line."""

    def __init__(self) -> None:
        self.edges: set[Edge] = set()
        self._at: dict[int, int] = {}
        self._memories = _memories()

    def trace(self, work: Callable[[], object]) -> frozenset[Edge]:
        """The edges that some work takes, whatever was done before it."""
        self.edges = set()
        for forget in self._memories:
            forget()
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            work()
        finally:
            sys.settrace(before)
        return frozenset(self.edges)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(_ROOM):
            return None
        self._at[id(frame)] = 0
        return self._step

    def _step(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        name, line = f"{frame.f_code.co_filename}:{frame.f_code.co_name}", frame.f_lineno
        if event == "exception":
            line = -line
        self.edges.add((name, self._at.get(id(frame), 0), line))
        self._at[id(frame)] = line
        return self._step


def _memories() -> list[Callable[[], None]]:
    """What makes each function of the room that remembers its results forget them."""
    modules = [module for name, module in sys.modules.items() if name.startswith(privysharing.protocol.__name__)]
    return [value.cache_clear for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")]


class Search:
    """Spoils what it has, and keeps what takes an edge that nothing took before."""

    def __init__(self, seeds: Iterable[bytes] = ()) -> None:
        self._target, self._tracer = Reading(), Tracer()
        self.kept: dict[bytes, frozenset[Edge]] = {}
        self.seen: set[Edge] = set()
        for raw in seeds:
            self.take(raw)

    def take(self, raw: bytes) -> bool:
        """Feed an input; keep it, cut short, if it shows something new. Raises what the reader should not have."""
        edges = self._tracer.trace(lambda: self._target.feed(raw))
        if edges <= self.seen or len(raw) > KEPT_BYTES_MAX:
            return False
        raw, edges = self._shortened(raw, edges)
        self.kept[raw] = edges
        self.seen |= edges
        return True

    def _shortened(self, raw: bytes, edges: frozenset[Edge]) -> tuple[bytes, frozenset[Edge]]:
        """Without any piece that what is new does not need."""
        new = edges - self.seen
        start = raw.index(b"\n") + 1
        for piece in (256, 64, 16, 4):
            at = start
            while at < len(raw):
                shorter = raw[:at] + raw[at + piece :]
                found = self._tracer.trace(lambda: self._target.feed(shorter))  # noqa: B023
                if new <= found:
                    raw, edges = shorter, found
                else:
                    at += piece
        return raw, edges

    def run(self, inputs: int, seed: int) -> None:
        """So many inputs: half from what was kept, half fresh."""
        chance = random.Random(seed)
        mutator = Mutator(chance, parts())
        for _ in range(inputs):
            if self.kept and chance.random() < 0.5:
                old = chance.choice(list(self.kept))
                name, _, message = old.partition(b"\n")
                raw = name + b"\n" + mutator.spoil(message)
            else:
                raw = self._target.make(chance, mutator)
            self.take(raw)

    def least(self) -> list[bytes]:
        """Inputs that show everything, few bytes together: greedily, those that add most for their length."""
        left, chosen = set(self.seen), list[bytes]()
        while left:
            best = max(self.kept, key=lambda raw: len(self.kept[raw] & left) / (PIECE_BYTES + len(raw)))
            chosen.append(best)
            left -= self.kept[best]
        return chosen


def corpus() -> Iterator[bytes]:
    """The inputs that were kept: one file, each behind its length in four bytes."""
    raw = (CORPUS / "codecs.bin").read_bytes() if CORPUS.exists() else b""
    while raw:
        end = 4 + int.from_bytes(raw[:4], "big")
        yield raw[4:end]
        raw = raw[end:]


def write_corpus(inputs: Sequence[bytes]) -> None:
    """Keep these, in an order of their own."""
    CORPUS.mkdir(exist_ok=True)
    ordered = sorted(inputs, key=lambda raw: hashlib.sha256(raw).digest())
    (CORPUS / "codecs.bin").write_bytes(b"".join(len(raw).to_bytes(4, "big") + raw for raw in ordered))


def main() -> None:
    """Search on from the corpus."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.coverage", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    search = Search(corpus())
    before = len(search.seen)
    search.run(options.inputs, options.seed)
    chosen = search.least()
    write_corpus(chosen)
    size = sum(map(len, chosen))
    sys.stdout.write(f"{len(search.seen)} edges ({before} before), {len(chosen)} inputs of {size} bytes\n")


if __name__ == "__main__":
    main()
