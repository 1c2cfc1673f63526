"""Broken ledgers: what a peer stores of a block, and what it finds after a crash."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

LEDGER = "services.peer.ledger.ledger:Ledger"
COMMITS = "services.peer.commits"
STATE = "services.peer.ledger.state"
COMMITTER = "services.peer.committer:Committer"
SIDEDB = "services.peer.private_data.sidedb:SideDb"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant("A block is not synced", (f"{LEDGER}.append", "self._blocks.sync()", "pass")),
    mutant(
        "State is written before its block",
        (f"{LEDGER}.append", "self._blocks.append(", "self._apply(commit); self._blocks.append("),
        (f"{LEDGER}.append", "self._apply(commit)\n        self._broken", "pass\n        self._broken"),
    ),
    mutant(
        "The savepoint is written before what it stands for",
        (
            f"{LEDGER}._apply",
            "puts.append((keys.SAVEPOINT_KEY, savepoint.encode()))",
            "self._store.write([(keys.SAVEPOINT_KEY, savepoint.encode())], [])",
        ),
    ),
    mutant(
        "The savepoint is forgotten",
        (f"{LEDGER}._apply", "puts.append((keys.SAVEPOINT_KEY, savepoint.encode()))", "pass"),
    ),
    mutant(
        "The savepoint is forgotten now and then",
        (
            f"{LEDGER}._apply",
            "puts.append((keys.SAVEPOINT_KEY, savepoint.encode()))",
            "number % 5 and puts.append((keys.SAVEPOINT_KEY, savepoint.encode()))",
        ),
    ),
    mutant(
        "A replayed block is applied without its deletes",
        (
            f"{COMMITS}:replay",
            "updates.apply(committed_rwset(tx), Version(block.header.number, tx_num))",
            "updates.apply(committed_rwset(tx), Version(block.header.number, tx_num + 1))",
        ),
    ),
    mutant(
        "A replay takes what was invalid for valid", (f"{COMMITS}:replay", "if verdict is TxCode.VALID:", "if True:")
    ),
    mutant(
        "A replay skips the last block",
        (f"{LEDGER}._replay", "total = self._blocks.count", "total = self._blocks.count - 1"),
    ),
    mutant(
        "Only valid transactions use up their ids",
        (f"{LEDGER}._index", "if tx_id and key not in entries", "if tx_id and code == 0 and key not in entries"),
    ),
    mutant(
        "The last bearer of an id takes it over",
        (f"{LEDGER}._index", "and (tx_id in commit.fresh or self._store.get(key) is None)", ""),
    ),
    mutant(
        "History has what invalid transactions would have written",
        (f"{COMMITS}:_writes", "if verdict is TxCode.VALID and tx.endorsed is not None", "if tx.endorsed is not None"),
    ),
    mutant("Deletes are not written", (f"{STATE}:state_batch", "return puts, [", "return puts, [] and [")),
    mutant(
        "Versions are off by one",
        ("services.peer.validation.validate:_commit_in_order", "Version(number, index)", "Version(number, index + 1)"),
    ),
    mutant(
        "The commit hash does not cover the one before",
        (f"{COMMITS}:make_commit", "codes, updates)", "codes, updates) and b'x' * 32"),
    ),
    mutant(
        "A ledger takes any block for the next",
        (f"{LEDGER}._check_next", "if header.number != self.height or", "if False and"),
        ("services.peer.block_feed.feed:BlockFeed._follow", "check_same(", "yield self._last; check_same("),
    ),
    mutant("Private sets are not synced", ("services.runtime.journal:Journal.append", "self._log.sync()", "pass")),
    mutant(
        "Private sets are stored after their block",
        (f"{COMMITTER}._store_with", "self._private.add(judged.commit.block, judged.part, found)", "pass"),
    ),
    mutant(
        "Private values are read from the wrong place",
        (f"{SIDEDB}.find", "stored.version.tx_num, namespace", "stored.version.tx_num + 1, namespace"),
    ),
    mutant(
        "A snapshot moves on with the ledger",
        (
            f"{LEDGER}.snapshot",
            "self._store.snapshot()",
            ("__import__('types').SimpleNamespace(get=self._store.get, scan=self._store.scan, close=lambda: None)"),
        ),
    ),
)
