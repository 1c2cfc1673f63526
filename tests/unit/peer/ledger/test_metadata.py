"""Keys are looked up for their metadata where some key has any, nowhere else, and no verdict is another for it."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.policies import encode_application_policy, encode_signature_policy
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.crypto import sha256
from privysharing.protocol.lifecycle import LIFECYCLE
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.reading import ReadTransaction
from privysharing.protocol.rwsets import (
    VALIDATION_PARAMETER,
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedWrite,
    MetadataWrite,
    NamespaceRwSet,
    Update,
    UpdateBatch,
    Version,
    Write,
)
from privysharing.protocol.signers import Signers, verify_all
from privysharing.protocol.transactions import ChaincodeId
from services.peer.commits import make_commit, replay
from services.peer.committer import store_genesis
from services.peer.endorsement.interest import interest_of
from services.peer.ledger import keys
from services.peer.ledger.ledger import STATE_FOLDER, Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.metadata import MetadataPlaces
from services.peer.ledger.types import LedgerPort, StateView
from services.peer.validation.validate import read_block, validate_block
from services.runtime.database import Database
from services.runtime.memorydatabase import MemoryDatabase, MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.support.judging import CHANNEL, CONFIG, GENESIS, PEER1, PEER2, Tx
from tests.support.peer_chains import PeerChannel

FOLDER = Path("/ledgersData/testchannel")
BOTH = "AND('Org1MSP.peer','Org2MSP.peer')"
EVENTS, EVENT_WEIGHTS = ("", "reopened", "rebuilt", "earlier release"), (12, 4, 1, 1)
COLLECTIONS = ["own", "secret"]
POLICIES = [encode_signature_policy(parse_policy(text)) for text in ("OR('Org1MSP.peer')", BOTH)]
OWN = encode_application_policy(parse_policy("OR('Org2MSP.peer')"))
KEYS = ["a", "b"]
HASHES = [sha256(key.encode()) for key in KEYS]
PLACES = [(namespace, of) for namespace in ("cc", "other", LIFECYCLE, "") for of in ("", "secret", "own")]

K = TypeVar("K")
ReadBlock = tuple[Block, tuple[ReadTransaction, ...], list[Signers]]


class OnDisk:
    """A ledger whose process ends now and then."""

    def __init__(self) -> None:
        disk = MemoryDisk()
        self.databases = MemoryDatabases(disk)
        self._open: Callable[[], Ledger] = lambda: Ledger.open(CHANNEL, FOLDER, disk, self.databases, replay)
        self.ledger = self._open()

    def reopen(self, between: Callable[[], object] = lambda: None) -> None:
        self.ledger.close()
        between()
        self.ledger = self._open()

    def rebuild(self) -> None:
        """Lose the state, and make it anew from the blocks."""
        self.reopen(lambda: self.databases.discard(FOLDER / STATE_FOLDER))

    def edit(self, change: Callable[[Database], object]) -> None:
        """Change the database while nobody has it open."""

        def changed() -> None:
            database = self.databases.open(FOLDER / STATE_FOLDER)
            change(database)
            database.close()

        self.reopen(changed)

    def marks(self) -> dict[bytes, bytes]:
        """All that the database has only for what is tested here."""
        found: dict[bytes, bytes] = {}
        self.edit(lambda database: found.update(marks_in(database)))
        return found


def marks_in(database: Database) -> dict[bytes, bytes]:
    entries = dict(database.scan(keys.METADATA, keys.after(keys.METADATA)))
    height = database.get(keys.METADATA_HEIGHT_KEY)
    return entries if height is None else {**entries, keys.METADATA_HEIGHT_KEY: height}


def by_an_earlier_release(of: OnDisk, deeds: Callable[[], object]) -> None:
    """What is done meanwhile leaves no marks."""
    before = of.marks()
    deeds()
    of.edit(
        lambda database: database.write(list(before.items()), [key for key in marks_in(database) if key not in before])
    )


class Histories:
    """What a seed says: blocks, and what happens to a peer before, or while, it commits each."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._with_metadata = self._some(["", *COLLECTIONS])

    def history(self) -> list[tuple[str, list[Tx]]]:
        events = self._random.choices(EVENTS, EVENT_WEIGHTS, k=self._random.randint(4, 10))
        return [(event, [self._transaction() for _ in range(self._random.randint(1, 3))]) for event in events]

    def _transaction(self) -> Tx:
        """Mostly endorsed by both organisations, which is enough everywhere; by one for the sake of some keys."""
        name = self._random.choice(["cc", "cc", "other"])
        namespace = NamespaceRwSet(
            name,
            writes=tuple(Write(key, b"value", self._one_in(8)) for key in self._some(KEYS)),
            metadata_writes=tuple(MetadataWrite(key, self._metadata()) for key in self._changing("")),
            collections=tuple(self._collection(each) for each in self._some(COLLECTIONS) if name == "cc"),
        )
        endorsers = self._random.choice([(PEER1, PEER2), (PEER1, PEER2), (PEER1,), (PEER2,)])
        return Tx(namespaces=(namespace,), called=name, chaincode=ChaincodeId(name, "1"), endorsers=endorsers)

    def _collection(self, name: str) -> CollectionHashedRwSet:
        changing = [sha256(key.encode()) for key in self._changing(name)]
        return CollectionHashedRwSet(
            name,
            writes=tuple(HashedWrite(key, sha256(b"value"), self._one_in(8)) for key in self._some(HASHES)),
            metadata_writes=tuple(HashedMetadataWrite(key, self._metadata()) for key in changing),
        )

    def _changing(self, place: str) -> list[str]:
        return self._some(KEYS) if place in self._with_metadata and self._one_in(4) else []

    def _metadata(self) -> tuple[tuple[str, bytes], ...]:
        if self._one_in(4):
            return ()
        return (("else" if self._one_in(4) else VALIDATION_PARAMETER, self._random.choice(POLICIES)),)

    def _some(self, values: Sequence[K]) -> list[K]:
        return [each for each in values if self._one_in(2)]

    def _one_in(self, n: int) -> bool:
        return self._random.randrange(n) == 0


def committed(history: list[tuple[str, list[Tx]]]) -> tuple[MemoryLedger, list[ReadBlock]]:
    """What the chain comes to in memory, and its blocks behind the genesis block as they were ordered."""
    channel = PeerChannel()
    collections = (CollectionConfig(name="secret"), CollectionConfig(name="own", endorsement_policy=OWN))
    channel.add(channel.define("cc", BOTH, *collections), channel.define("other", BOTH))
    for _, block in history:
        channel.add(*(tx.raw for tx in block))
    blocks = []
    for raw in channel.ordered[1:]:
        ordered = parse_block(raw)
        read = read_block(ordered)
        blocks.append((ordered, read, verify_all(read, CHANNEL, CONFIG.msps)))
    return channel.ledger, blocks


def judge_and_store(ledger: LedgerPort, read: ReadBlock) -> None:
    block, transactions, signers = read
    judged = validate_block(block.header.number, transactions, signers, CONFIG, ledger.state)
    ledger.append(make_commit(block, transactions, judged.verdicts, judged.updates, ledger.commit_hash, judged.fresh))


def interests(ledger: LedgerPort, read: ReadBlock) -> list[bytes]:
    """What clients are told about who has to endorse what the transactions of a block write."""
    rwsets = [tx.endorsed.rwset for tx in read[1] if tx.endorsed is not None]
    return [interest_of(rwset, ledger.view, [("cc", "secret")]) for rwset in rwsets]


def marked(state: StateView) -> set[tuple[str, str]]:
    return {place for place in PLACES if state.may_have_metadata(*place)}


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_different_from_a_ledger_that_always_looks(seed: int) -> None:
    """However its state came about. Once an earlier release has written to it, it looks too, until it is rebuilt."""
    history = Histories(seed).history()
    reference, blocks = committed(history)
    of, always_looks = OnDisk(), OnDisk()
    for each in (of, always_looks):
        store_genesis(each.ledger, GENESIS)
    always_looks.edit(lambda database: database.write([], [keys.METADATA_HEIGHT_KEY]))
    complete = True
    for event, read in zip(["", *(event for event, _ in history)], blocks, strict=True):
        if event == "rebuilt":
            of.rebuild()
            complete = True
        elif event == "reopened":
            of.reopen()
        assert interests(of.ledger, read) == interests(always_looks.ledger, read)
        judge_and_store(always_looks.ledger, read)
        if event == "earlier release":
            by_an_earlier_release(of, lambda read=read: judge_and_store(of.ledger, read))
            complete = False
        else:
            judge_and_store(of.ledger, read)
        number = read[0].header.number
        assert of.ledger.block(number) == always_looks.ledger.block(number) == reference.block(number)
    for ledger in (of.ledger, always_looks.ledger):
        with ledger.snapshot() as snapshot, reference.snapshot() as expected:
            assert list(snapshot.entries()) == list(expected.entries())
    assert marked(always_looks.ledger.view) == set(PLACES)
    assert marked(of.ledger.view) == (marked(reference.view) if complete else set(PLACES))


def batch(namespace: str, metadata: bytes) -> UpdateBatch:
    return UpdateBatch({namespace: {"k": Update(b"v", Version(1, 0), metadata)}}, {})


def test_a_place_is_known_before_anybody_can_read_what_makes_it_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever endorses asks with an older or a newer state, on another thread."""
    policy = NamespaceRwSet("cc", metadata_writes=(MetadataWrite("a", ((VALIDATION_PARAMETER, POLICIES[0]),)),))
    put = NamespaceRwSet("cc", writes=(Write("a", b"value"),))
    _, blocks = committed([("", [Tx(namespaces=(put,))]), ("", [Tx(namespaces=(policy,))])])
    of = OnDisk()
    store_genesis(of.ledger, GENESIS)
    write, known = MemoryDatabase.write, []

    def watched(database: MemoryDatabase, *batch: Any) -> None:
        known.append(of.ledger.view.may_have_metadata("cc"))
        write(database, *batch)

    monkeypatch.setattr(MemoryDatabase, "write", watched)
    with of.ledger.snapshot() as before:
        for read in blocks:
            judge_and_store(of.ledger, read)
        assert known == [False, False, True]
        assert before.may_have_metadata("cc")  # which he may believe: he looks once more than he has to


def test_a_place_stays_one_when_its_last_metadata_is_gone() -> None:
    database = MemoryDatabases(MemoryDisk()).open(Path("/state"))
    places = MetadataPlaces(database, 0)
    database.write(places.add(batch("cc", b""), 1), [])
    assert not places.may_include("cc", "")
    database.write(places.add(batch("cc", b"metadata"), 2), [])
    database.write(places.add(batch("cc", b""), 3), [])
    for each in (places, MetadataPlaces(database, 3)):
        assert each.may_include("cc", "")
        assert not each.may_include("other", "")


@pytest.mark.parametrize("height", [1, 2, 4])
def test_marks_that_some_block_may_have_left_out_are_not_relied_on(height: int) -> None:
    database = MemoryDatabases(MemoryDisk()).open(Path("/state"))
    places = MetadataPlaces(database, 0)
    for number in range(1, 4):
        database.write(places.add(batch("cc", b""), number), [])
    assert not MetadataPlaces(database, 3).may_include("cc", "")
    unsure = MetadataPlaces(database, height)
    assert unsure.may_include("cc", "")
    assert unsure.add(batch("cc", b"metadata"), height + 1) == []
