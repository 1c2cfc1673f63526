"""Broken keeping of private data: who gets it, who believes whom, and what a crash or a purge leaves of it."""

from typing import Final

from tests.simulation.mutants.mutation import Mutant, mutant

ROOM = "services.peer.private_data"
SETS = f"{ROOM}.sets:judge"
SIDEDB = f"{ROOM}.sidedb:SideDb"

MUTANTS: Final[tuple[Mutant, ...]] = (
    mutant(
        "Nobody asks who is a member",
        (f"{ROOM}.membership:may_hold", "is_peer(who, config) and is_member(who, collection, config)", "True"),
    ),
    mutant(
        "What fellows give is not held against its hash",
        (f"{ROOM}.pulling:Puller.pull", "elif sha256(found.rwset) == want.rwset_hash:", "elif True:"),
        (SETS, "whole = is_whole(raw, hashed)", "whole = True"),
        (f"{ROOM}.sets:fitting", "if not _fits(", "if False and not _fits("),
    ),
    mutant(
        "What purges have left of a set is not held against the hashes of its keys",
        (f"{ROOM}.sets:fitting", "if not _fits(", "if False and not _fits("),
    ),
    mutant(
        "What a fellow says was purged is done without",
        (SETS, "if not whole and not all(map(is_purged, written - _key_hashes(found))):", "if False:"),
    ),
    mutant(
        "Private sets are synced neither before their endorsement nor before their block",
        ("services.runtime.journal:Journal.append", "self._log.sync()", "pass"),
    ),
    mutant(
        "What is missing stays so",
        (f"{ROOM}.reconciler:Reconciler._store", "self._private.reconciled, found", "tuple"),
    ),
    mutant("A purge is only a delete", (f"{SIDEDB}.settle", "changes.purge(purge)", "pass")),
    mutant(
        "Reconciliation knows of no purges",
        (
            f"{SIDEDB}.reconcile",
            "self._is_purged_at(place, Changes(self._database, place.block_num))",
            "lambda _: False",
        ),
        (f"{ROOM}.changes:Changes._trim", "if raw is not None and all(", "if raw is not None and not raw and all("),
    ),
)
