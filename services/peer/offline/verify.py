"""Checks a stopped peer's data: `python -m services.peer.offline.verify FOLDER`, its `fileSystemPath`."""

import json
import sys
from pathlib import Path

import click

from services.peer.layout import PRIVATE
from services.peer.offline.folders import faults_named, ledgers_of, progress
from services.peer.offline.private import verify_private
from services.peer.offline.verification import Findings, verify_ledger
from services.runtime.disk import RealDisk

EXIT_FAULT = 1


@click.command()
@click.argument("data", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--channel", help="Check this channel only.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for machines.")
def main(data: Path, channel: str | None, as_json: bool) -> None:
    """Check everything in FOLDER, the data of a peer that is not running, and change nothing.

    Ends with 1 at the first fault.
    """
    found = []
    for folder in ledgers_of(data, channel):
        with faults_named(folder), progress(f"verifying {folder.name}") as tell:
            found.append(verify_ledger(folder, RealDisk(), tell))
        if (folder / PRIVATE).is_dir():
            with faults_named(folder / PRIVATE):
                found.append(verify_private(folder, RealDisk()))
    well = all(each.fault is None for each in found)
    if as_json:
        click.echo(json.dumps({"folder": str(data), "ok": well, "found": [each.as_dict() for each in found]}))
    else:
        for each in found:
            _print(each)
    sys.exit(0 if well else EXIT_FAULT)


def _print(findings: Findings) -> None:
    for note in findings.notes:
        click.echo(f"{findings.name}: note: {note}")
    if findings.fault is not None:
        click.echo(f"{findings.name}: fault: {findings.fault}")
        return
    counts = [(findings.blocks, "block", "blocks"), (findings.transactions, "transaction", "transactions")]
    counted = "".join(f"{_counted(*count)}, " for count in counts if findings.blocks)
    click.echo(f"{findings.name}: {counted}{_counted(findings.entries, 'entry', 'entries')}: all as they should be")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


if __name__ == "__main__":
    main()
