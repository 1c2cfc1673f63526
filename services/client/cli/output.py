"""What the command line prints: tables and sentences for people, one JSON document for machines."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

EXIT_REFUSED = 1


class Output:
    """Either for people or for machines, as the caller asked with `--json`."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        # No markup: what is printed comes from ledgers, and so from strangers.
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._notes = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def document(self, value: Any) -> None:
        """A value as it is: JSON in either case."""
        click.echo(json.dumps(value, indent=None if self.as_json else 2, ensure_ascii=False))

    def record(self, title: str, fields: Mapping[str, Any]) -> None:
        """One thing and its properties."""
        if self.as_json:
            self.document(fields)
            return
        table = Table(title=_printable(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
        for name, value in fields.items():
            table.add_row(name.replace("_", " "), _text(value))
        self._console.print(table)

    def rows(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Several things of a kind; all of their properties in JSON, the named columns for people."""
        title = _printable(title)
        if self.as_json:
            self.document(list(rows))
            return
        if not rows:
            self._console.print(f"{title}: none")
            return
        table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(_text(row.get(column)) for column in columns))
        self._console.print(table)

    def done(self, sentence: str, fields: Mapping[str, Any]) -> None:
        """What has just been achieved."""
        if self.as_json:
            self.document(fields)
        else:
            self._console.print(Text.assemble(("✓", "green"), " ", _printable(sentence)), soft_wrap=True)

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


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return _printable(str(value))
    return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Text with whatever steers a terminal, or turns its reading direction, shown as an escape; lines stay lines."""
    return "\n".join(line if line.isprintable() else repr(line)[1:-1] for line in text.split("\n"))
