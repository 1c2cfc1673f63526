"""Everything that a peer keeps of a channel, derived again from its genesis block.

The blocks are audited as by a stranger (`protocol.audit`) and judged as by the peer (`validation`), whose verdicts must
be those stored. State, history and indexes are made anew from them, by the peer's own recovery, in a scratch folder,
and compared with the peer's entry by entry. The genesis block is taken on trust: a peer compares it with its
configuration whenever it starts.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import plyvel

from privysharing.protocol.audit import Broken, ChainAudit
from privysharing.protocol.blocks import Block
from privysharing.protocol.errors import ProtocolError
from services.peer.block_feed.evidence import EVIDENCE
from services.peer.commits import replay
from services.peer.ledger import keys
from services.peer.ledger.errors import DamagedBlock, LedgerFault
from services.peer.ledger.ledger import BLOCKS_FOLDER, LOCK_FILE, STATE_FOLDER, Ledger, check_ledger_format
from services.peer.ledger.metadata import all_marked
from services.peer.ledger.types import Commit, StateView
from services.peer.offline.comparison import compare
from services.peer.offline.folders import Tell
from services.peer.validation.errors import ChannelHalted
from services.peer.validation.validate import validate_block
from services.runtime.database import DOUBT_FILE, DatabaseFault, DatabaseReader, LevelDatabases, LevelReader
from services.runtime.disk import Disk, StorageError
from services.runtime.formats import FORMAT_FILE
from services.runtime.recordlog import DamagedRecord, RecordLog, UnknownFormat
from services.runtime.unchanged import UnchangedDisk, WouldChange

TABLES = frozenset({".ldb", ".sst"})  # files that LevelDB never writes to again


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is not as it should be, and where."""

    check: str
    detail: str
    block: int | None = None
    transaction: int | None = None
    key: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        places = [("block", self.block), ("transaction", self.transaction), *self.key.items()]
        where = ", ".join(f"{name} {value}" for name, value in places if value is not None)
        return f"{where}: {self.check}: {self.detail}" if where else f"{self.check}: {self.detail}"


@dataclass(slots=True)
class Findings:
    """What a check of one channel's ledger, or of its private data, came to."""

    name: str
    blocks: int = 0
    transactions: int = 0
    entries: int = 0  # of the database, found equal
    notes: list[str] = field(default_factory=list)
    fault: Fault | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ok": self.fault is None}


class ScratchFault(StorageError):
    """The check could not be made: nothing is said of what was to be checked."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"needed a scratch folder with room for another copy of the state: {reason}; name one in TMPDIR; nothing "
            "stored was found wrong"
        )


class _Found(Exception):
    """Ends a check at its first fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class _Reached(Exception):
    """The scratch ledger stands where the peer's state stands."""


def verify_ledger(folder: Path, disk: Disk, tell: Tell) -> Findings:
    """Check the ledger in a folder. Raises InUse, and UnsupportedFormat before anything is looked at; ScratchFault."""
    findings = Findings(folder.name)
    lock = disk.lock(folder / LOCK_FILE)
    try:
        check_ledger_format(disk, folder)
        with TemporaryDirectory(prefix="privy-verify-") as scratch:
            _Verification(folder, disk, Path(scratch), findings, tell).run()
    except _Found as found:
        findings.fault = found.fault
    except DatabaseFault as error:
        raise ScratchFault(error.reason) from error
    except OSError as error:
        raise ScratchFault(error.strerror or error) from error
    finally:
        lock.release()
    return findings


class _Verification:
    """One check. Takes the place of recovery's replay: judges each block anew before it lets it count."""

    def __init__(self, folder: Path, disk: Disk, scratch: Path, findings: Findings, tell: Tell) -> None:
        self._folder = folder
        self._disk = UnchangedDisk(disk)
        self._copy = scratch / "copy"
        self._shadow = scratch / folder.name
        self._findings = findings
        self._tell = tell
        self._until = 0
        self._count = 0
        self._raw: Iterator[bytes] = iter(())
        self._audit: ChainAudit | None = None

    def run(self) -> None:
        """Raises _Found."""
        with closing(self._open_blocks()) as blocks:
            self._count = blocks.count
            self._raw = blocks.iterate()
            self._judge_and_compare()

    def _judge_and_compare(self) -> None:
        self._shadow.mkdir()
        for name in (FORMAT_FILE, BLOCKS_FOLDER):
            (self._shadow / name).symlink_to(self._folder.absolute() / name)
        state = self._folder / STATE_FOLDER
        if (self._folder / DOUBT_FILE).exists():
            self._findings.notes.append("a peer has found its state database damaged: its next start makes it anew")
        elif not state.exists():
            self._findings.notes.append("there is no state database: the next start makes it")
        else:
            try:
                with _copy_of(state, self._copy) as found:
                    self._compare(found)
            except DatabaseFault as error:
                if error.folder != self._copy:
                    raise
                remedy = "make it anew from the blocks with: privy peer rebuild"
                _broken("state", f"database {state}: {error.reason}; {remedy}")
        self._until = self._count
        self._replay()

    def _open_blocks(self) -> RecordLog:
        try:
            blocks = RecordLog.open(self._disk, self._folder / BLOCKS_FOLDER)
        except DamagedRecord as error:
            _broken("block_file", str(error), error.index)
        except (UnknownFormat, WouldChange, FileNotFoundError) as error:
            _broken("block_file", str(error))
        if (self._folder / EVIDENCE).exists():
            self._findings.notes.append("the folder evidence holds two blocks of one number: the chain was forked")
        self._findings.notes += _torn_tails(self._disk)
        return blocks

    def _compare(self, found: DatabaseReader) -> None:
        """The state stands at some block: let the blocks up to there make one, and see whether it is the same."""
        savepoint = found.get(keys.SAVEPOINT_KEY)
        self._until = keys.Savepoint.decode(savepoint).height if savepoint is not None else 0
        if self._until > self._count:
            _broken("block_file", "the file ends before this block, but the state holds its effects", self._count)
        if self._until < self._count:
            self._findings.notes.append(f"the state stands at block {self._until - 1}: the next start goes on")
        self._replay()
        with _copy_of(self._shadow / STATE_FOLDER, self._copy.with_name("made")) as made:
            self._findings.entries, difference = compare(found, made, marks=all_marked(found, self._until))
        if difference is not None:
            _broken(difference.kind, difference.detail, difference.block, difference.transaction, difference.key)

    def _replay(self) -> None:
        """Bring the scratch ledger to `until`."""
        try:
            Ledger.open(self._folder.name, self._shadow, self._disk, LevelDatabases(), self._judged).close()
        except _Reached:
            return
        except DamagedBlock as error:
            _broken("block_file", str(error.__cause__ or error), error.number)
        except LedgerFault as error:
            _broken("header", str(error), self._findings.blocks)

    def _judged(self, block: Block, state: StateView, commit_hash: bytes) -> Commit:
        number = block.header.number
        if number == self._until:
            raise _Reached
        try:
            if self._audit is None:
                self._audit = ChainAudit(block)
            self._check(next(self._raw), number, state)
            commit = replay(block, state, commit_hash)
        except Broken as error:
            _broken(error.fault.check, error.fault.detail, number, error.fault.transaction)
        except (ProtocolError, LedgerFault) as error:
            _broken("block", str(error), number)
        self._findings.blocks += 1
        self._findings.transactions += len(block.data)
        self._tell(self._findings.blocks, self._count)
        return commit

    def _check(self, raw: bytes, number: int, state: StateView) -> None:
        assert self._audit is not None
        report = self._audit.check(raw)
        if report.reading is not None and report.verdicts is not None:
            read = report.reading
            try:
                judged = validate_block(number, read.transactions, read.signers, read.config, state).verdicts
            except ChannelHalted as error:
                _broken("config", str(error), number)
            for index, (derived, stored) in enumerate(zip(judged, report.verdicts, strict=True)):
                if derived is not stored:
                    _broken("verdict", f"it is {derived.name}, but marked as {stored.name}", number, index)
        if report.fault is not None:
            _broken(report.fault.check, report.fault.detail, number, report.fault.transaction)
        if report.verdicts is None:
            _broken("filter", "a stored block has no verdicts", number)


def _torn_tails(disk: UnchangedDisk) -> list[str]:
    return [
        f"{path.name} ends in {size} bytes of no record: the next start cuts them off"
        for path, size in disk.cuts.items()
    ]


def _broken(
    check: str,
    detail: str,
    block: int | None = None,
    transaction: int | None = None,
    key: dict[str, str] | None = None,
) -> NoReturn:
    raise _Found(Fault(check, detail, block, transaction, key or {}))


@contextmanager
def _copy_of(database: Path, copy: Path) -> Iterator[DatabaseReader]:
    """What a start would see of a LevelDB, which is left as it is. Tables, most of it, are shared."""
    copy.mkdir()
    for path in database.iterdir():
        if path.suffix in TABLES:
            (copy / path.name).symlink_to(path.absolute())
        elif path.is_file() and path.name != "LOCK" and path.suffix != ".log":
            shutil.copyfile(path, copy / path.name)
    try:
        opened = plyvel.DB(str(copy), create_if_missing=False, paranoid_checks=True)
    except plyvel.Error as error:
        raise DatabaseFault(copy, error) from error
    try:
        yield LevelReader(opened, copy)
    finally:
        opened.close()
