"""What the command line prints: tables and sentences for people, one JSON document for machines."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

EXIT_REFUSED = 1
_HASH = re.compile(r"[0-9a-f]{40,}")
_HASH_SHOWN = 12  # digits of a hash or id in a table; --json has them all
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_GAP = 2  # columns between the columns of a table


class Output:
    """Either for people or for machines, as the caller asked with `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # No markup: what is printed comes from ledgers, and so from strangers.
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._notes = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def document(self, value: Any) -> None:
        """A value as it is: JSON in either case."""
        click.echo(json_text(value, indent=None if self.as_json else 2))

    def record(self, title: str, fields: Mapping[str, Any]) -> None:
        """One thing and its properties."""
        if self.as_json:
            self.document(fields)
            return
        cells = [(name.replace("_", " "), _text(value)) for name, value in fields.items()]
        self._table(title, ("", ""), cells)

    def rows(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Several things of a kind; all of their properties in JSON, the named columns in short for people."""
        if self.as_json:
            self.document(list(rows))
            return
        if not rows:
            self._console.print(f"{_printable(title)}: none")
            return
        cells = [[in_short(row.get(column)) for column in columns] for row in rows]
        self._table(title, [column.replace("_", " ") for column in columns], cells)

    def done(self, sentence: str, fields: Mapping[str, Any]) -> None:
        """What has just been achieved."""
        if self.as_json:
            self.document(fields)
        else:
            self.item(sentence, achieved=True)

    def item(self, sentence: str, *, achieved: bool) -> None:
        """One of several outcomes, for people."""
        mark = ("✓", "green") if achieved else ("-", "yellow")
        self._console.print(Text.assemble(mark, " ", _printable(sentence)), soft_wrap=True)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show that work is going on, on a terminal; nowhere else."""
        if self.as_json or not self._notes.is_terminal:
            yield
            return
        with self._notes.status(what):
            yield

    def note(self, sentence: str) -> None:
        """Something worth knowing that is not the answer: to standard error."""
        self._notes.print(_printable(sentence), soft_wrap=True)

    def fail(self, message: str, details: Mapping[str, Any] | None = None, status: int = EXIT_REFUSED) -> NoReturn:
        """Say why there is no answer, and leave."""
        if self.as_json:
            self.document({"error": {"message": message, **(details or {})}})
        else:
            self._notes.print(Text.assemble(("error:", "red"), " ", _printable(message)), soft_wrap=True)
            for name, value in (details or {}).items():
                if value not in ("", None, False):
                    self._notes.print(f"  {name}: {_text(value)}", soft_wrap=True)
        sys.exit(status)

    def _table(self, title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Lines break between words only: a table with too many long words is wider than the screen."""
        table = Table(
            title=_printable(title),
            title_justify="left",
            show_header=any(headers),
            header_style="bold",
            box=None,
            padding=(0, _GAP, 0, 0),
            pad_edge=False,
        )
        columns = [[header, *(row[place] for row in rows)] for place, header in enumerate(headers)]
        widths = _widths(columns, self._console.width)
        for header, width in zip(headers, widths, strict=True):
            table.add_column(header, width=width, overflow="fold")
        needed = sum(widths) + _GAP * (len(widths) - 1)
        if needed > self._console.width:
            table.width = needed
        for row in rows:
            table.add_row(*row)
        self._console.print(table, crop=False)


def _widths(columns: Sequence[Sequence[str]], screen: int) -> list[int]:
    """Each column as wide as its longest word at least; what is left goes first to those that need little more."""
    least = [max(cell_len(word) for text in texts for word in (*text.split(), "")) for texts in columns]
    whole = [max(cell_len(line) for text in texts for line in text.split("\n")) for texts in columns]
    left = screen - sum(least) - _GAP * (len(columns) - 1)
    widths = list(least)
    for place in sorted(range(len(columns)), key=lambda place: whole[place] - least[place]):
        more = max(0, min(whole[place] - least[place], left))
        widths[place] += more
        left -= more
    return widths


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that standard output can print."""
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    return json.dumps(value, indent=indent, ensure_ascii=not unicode)


def in_short(value: Any) -> str:
    """A value as people read it: times to the second, hashes by their first digits."""
    text = _text(value)
    if _HASH.fullmatch(text):
        return f"{text[:_HASH_SHOWN]}…"
    if instant := _INSTANT.fullmatch(text):
        day, time, zone = instant.groups()
        return f"{day} {time}{zone}"
    return text


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return _printable(str(value))
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return _printable(", ".join(value))
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Text with whatever steers a terminal, or turns its reading direction, shown as an escape; lines stay lines."""
    return "\n".join(line if line.isprintable() else repr(line)[1:-1] for line in text.split("\n"))
