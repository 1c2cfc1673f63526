"""What a power cut may leave of a copy: pure, but for reading the copy."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.powerloss.recording import Moment

SECTOR_BYTES = 512
SPREAD = 12  # cuts at bytes where nothing in particular begins, in each file's unsynced part
RECORD = b"\xa5rec"  # what a record begins with
RECORD_HEADER_BYTES = 28

Harm = Callable[[Path], None]
"""Does it to a copy."""

Tear = Callable[[bytes], bytes]
"""What it leaves of a file's content. There are far more tears than fit in memory, done."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment, and everything that is done to its copy."""

    moment: Moment
    label: str
    harms: tuple[Harm, ...]


def cuts(moments: list[Moment], seed: int) -> Iterator[Cut]:
    """Every cut at every moment. What befalls LevelDB befalls it together with the files, and alone."""
    rng = random.Random(seed)
    for moment in moments:
        files = [*_torn_files(moment, rng), *_undone_names(moment)]
        databases = [*_harmed_databases(moment, rng)]
        yield Cut(moment, "as it was", ())
        for place, (label, harm) in enumerate(files):
            if databases:
                other, also = databases[place % len(databases)]
                yield Cut(moment, f"{label}; {other}", (harm, also))
            else:
                yield Cut(moment, label, (harm,))
        for label, harm in databases:
            yield Cut(moment, label, (harm,))


def _torn_files(moment: Moment, rng: random.Random) -> Iterator[tuple[str, Harm]]:
    for path, durable in sorted(moment.durable.items()):
        if not (moment.copy / path).exists():
            continue
        content = (moment.copy / path).read_bytes()
        for at in sorted(_places(content, durable, rng)):
            for kind, tear in _tears(durable, at):
                yield f"{path} of {len(content)} bytes, {durable} durable: {kind} at {at}", _torn(path, tear)


def _places(content: bytes, durable: int, rng: random.Random) -> set[int]:
    """Where records, headers and sectors begin and end behind what is durable, and some bytes besides."""
    end = len(content)
    if durable >= end:
        return set()
    places = {durable, end - 1, *(rng.randrange(durable, end) for _ in range(SPREAD))}
    at = content.find(RECORD, durable)
    while at >= 0:
        places |= {at, at + 1, at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + 1}
        at = content.find(RECORD, at + 1)
    places |= set(range(durable - durable % SECTOR_BYTES + SECTOR_BYTES, end, SECTOR_BYTES))
    return {place for place in places if durable <= place < end}


def _tears(durable: int, at: int) -> Iterator[tuple[str, Tear]]:
    yield "cut", lambda content: content[:at]
    yield "zeros from there", lambda content: content[:at] + bytes(len(content) - at)
    yield "zeros beyond", lambda content: content[:at] + bytes(len(content) - at + 4096)
    start, stop = max(durable, at - at % SECTOR_BYTES), at - at % SECTOR_BYTES + SECTOR_BYTES
    yield "a sector lost", lambda content: content[:start] + bytes(len(content[start:stop])) + content[stop:]


def _undone_names(moment: Moment) -> Iterator[tuple[str, Harm]]:
    for undos in moment.undos:
        for count in range(1, len(undos) + 1):
            yield f"the last {count} names undone", _undoer(undos[-count:])


def _harmed_databases(moment: Moment, rng: random.Random) -> Iterator[tuple[str, Harm]]:
    """Anything at all: nobody sees what LevelDB syncs, and all of it can be made again."""
    for path in sorted(moment.copy.rglob("state/*")):
        within = path.relative_to(moment.copy)
        if path.name in {"LOG", "LOG.old"}:
            continue
        size = path.stat().st_size
        yield f"{within} lost", _remover(within)
        yield f"{within} with zeros behind", _torn(within, lambda content: content + bytes(4096))
        for _ in range(3 if size else 0):
            at = rng.randrange(size)
            for kind, tear in _tears(0, at):
                yield f"{within}: {kind} at {at}", _torn(within, tear)
            yield f"{within}: a bit at {at}", _torn(within, _flip(at, 1 << rng.randrange(8)))


def _flip(at: int, bit: int) -> Tear:
    return lambda content: content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]


def _torn(path: Path, tear: Tear) -> Harm:
    def harm(root: Path) -> None:
        if (root / path).exists():
            (root / path).write_bytes(tear((root / path).read_bytes()))

    return harm


def _remover(path: Path) -> Harm:
    return lambda root: (root / path).unlink()


def _undoer(undos: tuple[Callable[[Path], None], ...]) -> Harm:
    def undo(root: Path) -> None:
        for each in reversed(undos):
            each(root)

    return undo
