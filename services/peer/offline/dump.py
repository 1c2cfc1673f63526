"""Prints the state of a stopped peer: `python -m services.peer.offline.dump FOLDER`, a line of JSON per key.

FOLDER is a channel's ledger: `ledgersData/<channel>` in the peer's `fileSystemPath`. Two peers of equal height print
the same lines, whatever became of either on the way.
"""

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.types import StateEntry
from services.peer.offline.folders import faults_named
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk
from services.runtime.formats import FORMAT_FILE


def dump_state(folder: Path) -> Iterator[StateEntry]:
    """The state in key order, after the recovery of a start. Raises LedgerFault, StorageError."""
    ledger = Ledger.open(folder.name, folder, RealDisk(), LevelDatabases(), replay)
    try:
        with ledger.snapshot() as snapshot:
            yield from snapshot.entries()
    finally:
        ledger.close()


def as_json(entry: StateEntry) -> str:
    """One line. Bytes are base64, as in protobuf's JSON; a hashed key bears its collection."""
    version = entry.stored.version
    fields: dict[str, object] = {"namespace": entry.namespace}
    if entry.collection is not None:
        fields["collection"] = entry.collection
    fields["key"] = _base64(entry.key) if isinstance(entry.key, bytes) else entry.key
    fields["version"] = [version.block_num, version.tx_num]
    fields["value"] = _base64(entry.stored.value)
    if entry.stored.metadata:
        fields["metadata"] = _base64(entry.stored.metadata)
    return json.dumps(fields)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Print the state in FOLDER, a channel's ledger of a peer that is not running."""
    if not (folder / FORMAT_FILE).exists():
        raise click.ClickException(f"{folder} is no ledger; name one of the folders in the peer's ledgersData")
    with faults_named(folder):
        for entry in dump_state(folder.resolve()):
            sys.stdout.write(as_json(entry) + "\n")


if __name__ == "__main__":
    main()
