"""Checks the private data of a stopped peer against the hashes in its blocks, on a copy."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from privysharing.protocol.blocks import header_hash
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.rwsets import CollectionHashedRwSet
from services.peer.layout import PRIVATE
from services.peer.ledger.ledger import BLOCKS_FOLDER, LOCK_FILE
from services.peer.offline.verification import Fault, Findings, ScratchFault
from services.peer.private_data import records
from services.peer.private_data.changes import Changes
from services.peer.private_data.sets import Fit, judge
from services.peer.private_data.store import FORMAT, SETS_FOLDER
from services.peer.private_data.types import Place
from services.peer.validation.validate import read_block
from services.runtime.database import DatabaseFault, LevelDatabases
from services.runtime.disk import Disk, RealDisk
from services.runtime.durable import DurableDatabase, Entry
from services.runtime.recordlog import DamagedRecord, RecordLog
from services.runtime.unchanged import UnchangedDisk


def verify_private(folder: Path, disk: Disk) -> Findings:
    """Check the private sets of the channel whose ledger is in a folder. Raises InUse, OtherFormat, ScratchFault."""
    findings = Findings(f"{folder.name}/{PRIVATE}")
    lock = disk.lock(folder / LOCK_FILE)
    try:
        FORMAT.check(UnchangedDisk(disk), folder / PRIVATE)
        with TemporaryDirectory(prefix="privy-verify-") as scratch:
            copy = Path(scratch) / SETS_FOLDER
            shutil.copytree(folder / PRIVATE / SETS_FOLDER, copy)
            with (
                closing(RecordLog.open(UnchangedDisk(disk), folder / BLOCKS_FOLDER)) as blocks,
                closing(DurableDatabase.open(RealDisk(), LevelDatabases(), copy)) as database,
            ):
                findings.fault = _first_fault(blocks, database, findings)
    except (DatabaseFault, DamagedRecord) as error:
        findings.fault = Fault("private_data", str(error))
    except OSError as error:
        raise ScratchFault(error.strerror or error) from error
    finally:
        lock.release()
    return findings


def _first_fault(blocks: RecordLog, database: DurableDatabase, findings: Findings) -> Fault | None:
    """Every set against what its block says; sets whose blocks are not there wait for them."""
    number, hashes = -1, dict[Place, CollectionHashedRwSet]()
    for key, raw in _sets(database):
        place = records.split_place_key(key)
        if place.block_num >= blocks.count:
            findings.notes.append(f"a private set waits for block {place.block_num}")
            continue
        if place.block_num != number:
            number, block = place.block_num, parse_block(blocks.read(place.block_num))
            if database.get(records.block_prefix(records.TAG, number)) != header_hash(block.header):
                return Fault("private_data", "its private sets came with another block", number)
            hashes = {
                Place(number, tx_num, ns.namespace, hashed.collection): hashed
                for tx_num, tx in enumerate(read_block(block))
                if tx.endorsed is not None and tx.endorsed.action is not None
                for ns in tx.endorsed.rwset.namespaces
                for hashed in ns.collections
            }
        stored, trimmed = records.decode_set(raw)
        is_purged = Changes(database, number).is_purged_at(place)
        if place not in hashes or judge(stored, hashes[place], is_purged).fit is not Fit.COMPLETE:
            said = "a trimmed set" if trimmed else "a set"
            found = f"{said} of collection {place.collection} of {place.namespace} is not what the block has hashes of"
            return Fault("private_data", found, number, place.tx_num)
        findings.entries += 1
    return None


def _sets(database: DurableDatabase) -> Iterator[Entry]:
    return database.scan(records.SET, records.behind(records.SET))
