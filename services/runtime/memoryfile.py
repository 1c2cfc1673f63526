"""What a file of `memorydisk` holds: what programs see, what the platters hold, and the changes in between."""

import random
from dataclasses import dataclass, field

SECTOR_BYTES = 512


@dataclass(slots=True)
class Change:
    """Bytes written at an offset; without bytes, the file was cut there."""

    offset: int
    data: bytes | None
    forsaken: bool = False  # a sync failed to keep it, and the system takes it for clean

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
        else:
            content.extend(bytes(max(0, self.offset - len(content))))
            content[self.offset : self.offset + len(self.data)] = self.data

    def keep_before(self, end: int) -> None:
        """Forget what this wrote at `end` and behind: it is written again, or cut."""
        if self.data is not None:
            self.data = self.data[: max(0, end - self.offset)]

    def sectors(self) -> list["Change"]:
        """This change, split where the disk's sectors end."""
        if self.data is None:
            return [self]
        pieces, start = [], 0
        while start < len(self.data):
            size = SECTOR_BYTES - (self.offset + start) % SECTOR_BYTES
            pieces.append(Change(self.offset + start, self.data[start : start + size]))
            start += size
        return pieces


@dataclass(slots=True)
class Contents:
    """One file: `seen` by programs, `durable` on the platters, and the `changes` since, in their order."""

    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    changes: list[Change] = field(default_factory=list)

    def change(self, offset: int, data: bytes | None) -> None:
        change = Change(offset, data)
        change.apply(self.seen)
        for former in self.changes:
            if former.forsaken:  # nobody writes but at the end, or all there is from an offset on
                former.keep_before(offset)
        self.changes.append(change)

    def sync(self) -> None:
        for change in self.changes:
            if not change.forsaken:
                change.apply(self.durable)
        self.changes = [change for change in self.changes if change.forsaken]

    def forsake(self) -> None:
        for change in self.changes:
            change.forsaken = True

    def survive(self, rng: random.Random) -> None:
        """Keep the durable part, and of the changes what chance keeps."""
        luck = rng.choice((0.0, 0.5, 0.9, 1.0))
        for change in self.changes:
            for piece in change.sectors():
                if rng.random() < luck:
                    piece.apply(self.durable)
        self.seen, self.changes = bytearray(self.durable), []
