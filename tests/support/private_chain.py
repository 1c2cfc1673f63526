"""A chain whose transactions write private data, and members' stores of it: what tests of stores run on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from privysharing.protocol.blocks import Block
from privysharing.protocol.codec.policies import encode_signature_policy
from privysharing.protocol.codec.private_sets import encode_private_set
from privysharing.protocol.collections import CollectionConfig
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.policies import parse_policy
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedWrite,
    NamespaceRwSet,
    PrivateRwSet,
    Write,
)
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.resolving import kept_sets
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Place, PrivateSet
from services.peer.validation.validate import read_block
from services.runtime.database import Databases
from services.runtime.disk import Disk
from tests.support.judging import CHANNEL, CONFIG, Tx
from tests.support.peer_chains import PeerChannel

CHAINCODE = "cc"
ORG1 = "Org1MSP"
BOTH = encode_signature_policy(parse_policy("OR('Org1MSP.member', 'Org2MSP.member')"))
ORG2_ONLY = encode_signature_policy(parse_policy("OR('Org2MSP.member')"))
COLLECTIONS = (
    CollectionConfig(name="kept", member_orgs_policy=BOTH),
    CollectionConfig(name="short", member_orgs_policy=BOTH, block_to_live=2),
    CollectionConfig(name="others", member_orgs_policy=ORG2_ONLY),
)


@dataclass(frozen=True)
class Put:
    """One private write. No value: a delete, or a purge. `policy` writes the key's metadata, if need be alone."""

    key: str
    value: bytes = b""
    collection: str = "kept"
    purge: bool = False
    policy: bytes | None = None


@dataclass
class PrivateChain:
    """Blocks on a channel that defines `COLLECTIONS`, and the private sets behind them."""

    sets: dict[Place, PrivateSet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._channel = PeerChannel()
        assert self._channel.add(self._channel.define(CHAINCODE, "OR('Org1MSP.peer')", *COLLECTIONS)) == (0,)

    def redefine(self, members: bytes) -> int:
        """Other organisations are members of the collections from now on; the block that says so."""
        collections = [replace(each, member_orgs_policy=members) for each in COLLECTIONS]
        assert self._channel.add(self._channel.define(CHAINCODE, "OR('Org1MSP.peer')", *collections, sequence=2)) == (
            0,
        )
        return self.height - 1

    @property
    def height(self) -> int:
        return self._channel.ledger.height

    def block(self, number: int) -> Block:
        found = self._channel.ledger.block(number)
        assert found is not None
        return found

    def add(self, *transactions: Sequence[Put]) -> int:
        """A block of transactions, each of some writes; its number."""
        number = self.height
        raws = []
        for tx_num, puts in enumerate(transactions):
            collections = []
            for name in sorted({put.collection for put in puts}):
                hashed, private = _written(name, [put for put in puts if put.collection == name])
                collections.append(hashed)
                self.sets[Place(number, tx_num, CHAINCODE, name)] = PrivateSet(CHAINCODE, name, private)
            raws.append(Tx(namespaces=(NamespaceRwSet(CHAINCODE, collections=tuple(collections)),)).raw)
        verdicts = self._channel.add(*raws)
        assert not any(verdicts), verdicts
        return number

    def put(self, key: str, value: bytes, collection: str = "kept") -> Place:
        """A block of one write; where its set belongs."""
        return Place(self.add([Put(key, value, collection)]), 0, CHAINCODE, collection)

    def put_badly(self, key: str, value: bytes, endorsed: bytes) -> Place:
        """A block of one write, whose endorsers agreed on other bytes than those that it comes to."""
        place = Place(self.height, 0, CHAINCODE, "kept")
        hashed = replace(_written("kept", [Put(key, value)])[0], private_rwset_hash=hashlib.sha256(endorsed).digest())
        self.sets[place] = PrivateSet(CHAINCODE, "kept", endorsed)
        assert self._channel.add(Tx(namespaces=(NamespaceRwSet(CHAINCODE, collections=(hashed,)),)).raw) == (0,)
        return place

    def purge(self, key: str, collection: str = "kept") -> int:
        """A block that purges a key."""
        return self.add([Put(key, collection=collection, purge=True)])


@dataclass
class Member:
    """A peer's ledger and its private data, of one organisation."""

    ledger: LedgerPort
    private: PrivateStore

    def follow(
        self, chain: PrivateChain, sets: Mapping[Place, PrivateSet] | None = None, to: int | None = None
    ) -> None:
        """Commit what it has not; `sets` are those that can be found: all unless told otherwise."""
        found = chain.sets if sets is None else sets
        for number in range(self.ledger.height, chain.height if to is None else to):
            commit = replay(chain.block(number), self.ledger.state, self.ledger.commit_hash)
            part = self.private.part(number, read_block(commit.block), commit.verdicts)
            if part.needed:
                here, _ = kept_sets(self.private.transient, [needed.missing for needed in part.needed])
                self.private.add(commit.block, part, {**found, **here})
            self.ledger.append(commit)
            self.private.settle(number, part, commit.tx_ids)

    def read(self, key: str, collection: str = "kept") -> bytes | None:
        """A value as a simulation on the newest state would read it."""
        key_hash = hashlib.sha256(key.encode()).digest()
        stored = self.ledger.state.get_hashed(CHAINCODE, collection, key_hash)
        found = None if stored is None else self.private.find(CHAINCODE, collection, key_hash, stored)
        assert found is None or found[0] == key
        return None if found is None else found[1]

    def close(self) -> None:
        self.private.close()
        self.ledger.close()


def stored_member(disk: Disk, databases: Databases, root: Path = Path("/"), msp_id: str = ORG1) -> Member:
    """A member whose ledger is in `root/ledger`, and its private data in `root/private`."""
    ledger = Ledger.open(CHANNEL, root / "ledger", disk, databases, replay)
    return _member(ledger, root, disk, databases, msp_id)


def member(disk: Disk, databases: Databases, chain: PrivateChain, msp_id: str = ORG1) -> Member:
    """A member with a ledger in memory that has the chain's blocks but for their private data."""
    ledger = MemoryLedger(CHANNEL)
    for number in range(chain.height):
        ledger.append(replay(chain.block(number), ledger.state, ledger.commit_hash))
    return _member(ledger, Path("/"), disk, databases, msp_id)


def _member(ledger: LedgerPort, root: Path, disk: Disk, databases: Databases, msp_id: str) -> Member:
    try:
        return Member(ledger, PrivateStore.open(ledger, root / "private", disk, databases, CONFIG, msp_id))
    except BaseException:
        ledger.close()
        raise


def tx_id_at(chain: PrivateChain, place: Place) -> TxId:
    return read_block(chain.block(place.block_num))[place.tx_num].tx_id


def _written(name: str, puts: Sequence[Put]) -> tuple[CollectionHashedRwSet, bytes]:
    """What endorsers make of some writes to a collection."""
    ordered = sorted(puts, key=lambda put: put.key)
    written = [put for put in ordered if put.value or put.policy is None]
    entitled = [put for put in ordered if put.policy is not None]
    private = encode_private_set(
        PrivateRwSet(
            tuple(Write(put.key, put.value, not put.value) for put in written), tuple(put.key for put in entitled)
        )
    )
    hashed = CollectionHashedRwSet(
        name,
        writes=tuple(
            HashedWrite(
                _sha256(put.key), hashlib.sha256(put.value).digest() if put.value else b"", not put.value, put.purge
            )
            for put in written
        ),
        metadata_writes=tuple(
            HashedMetadataWrite(_sha256(put.key), (("VALIDATION_PARAMETER", put.policy or b""),)) for put in entitled
        ),
    )
    return replace(hashed, private_rwset_hash=hashlib.sha256(private).digest()), private


def _sha256(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
