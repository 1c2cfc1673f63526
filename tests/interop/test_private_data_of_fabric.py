"""Blocks of a real Fabric network with private data: what its peers keep of them, ours keep, too."""

import hashlib
import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.codec.blocks import parse_filter
from privysharing.protocol.codec.private_sets import parse_tx_private_sets
from privysharing.protocol.codes import TxCode
from services.peer.commits import replay
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.peer.ledger.types import LedgerPort
from services.peer.private_data.store import PrivateStore
from services.peer.private_data.types import Place, PrivateSet
from services.peer.validation.validate import read_block
from services.runtime.memorydatabase import MemoryDatabases
from services.runtime.memorydisk import MemoryDisk
from tests.support.endorsing import private_store
from tests.support.oracle_private import CHAINCODE, ORG1, ORG2, private_sets
from tests.support.vectors import VECTORS, large_network

HEIGHT = 105  # when the network was asked what it keeps
VERSION_0 = b"\x00"

Answers = Mapping[Place, bytes]


def split(raw: bytes) -> Iterator[bytes]:
    while raw:
        size = int.from_bytes(raw[:4], "big")
        yield raw[4 : 4 + size]
        raw = raw[4 + size :]


def answers(org: int) -> Answers:
    """The sets that DeliverWithPrivateData gave to a member of Org1 or Org2."""
    found: dict[Place, bytes] = {}
    for record in split(lzma.decompress((VECTORS / "oracle.private.xz").read_bytes())):
        if record[0] == org:
            block_num, tx_num = int.from_bytes(record[1:5], "big"), int.from_bytes(record[5:9], "big")
            for name, rwset in parse_tx_private_sets(record[9:]).items():
                found[Place(block_num, tx_num, *name)] = rwset
    return found


def ledger(kind: str) -> LedgerPort:
    if kind == "memory":
        return MemoryLedger("mychannel")
    disk = MemoryDisk()
    return Ledger.open("mychannel", Path("/mychannel"), disk, MemoryDatabases(disk), replay)


def commit(into: LedgerPort, number: int, private: PrivateStore, known: Mapping[Place, PrivateSet]) -> None:
    """A block as a peer commits it that gets every set that anybody has."""
    block = large_network()[number]
    made = replay(block, into.state, into.commit_hash)  # raises if the commit hash is not Fabric's
    part = private.part(number, read_block(block), made.verdicts)
    if part.needed:
        private.add(made.block, part, known)
    into.append(made)
    private.settle(number, part, made.tx_ids)


def known_to(org: int) -> Mapping[Place, PrivateSet]:
    """Every set that a member of the organisation once had."""
    given = {place: PrivateSet(place.namespace, place.collection, rwset) for place, rwset in answers(org).items()}
    return {**given, **private_sets()}


def genesis_config() -> ChannelConfig:
    return ChannelConfig.from_block(large_network()[0])


def fabrics_hashes() -> list[tuple[str, bytes, bytes, bytes, bytes]]:
    """The private hashes of a Fabric peer's snapshot: space, key hash, value hash, metadata, version."""
    counts = (VECTORS / "oracle.hashes.metadata").read_bytes()[2:]
    data = (VECTORS / "oracle.hashes.data").read_bytes()[1:]
    found = []
    while counts:
        space, count = counts[1 : 1 + counts[0]].decode(), counts[1 + counts[0]]
        counts = counts[2 + counts[0] :]
        for _ in range(count):
            size, start = (data[0], 1) if data[0] < 128 else (data[0] - 128 + data[1] * 128, 2)
            fields = dict(_fields(data[start : start + size]))
            data = data[start + size :]
            found.append((space, fields[1], fields[2], fields.get(3, b""), fields[4]))
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    while message:
        number, size = message[0] >> 3, message[1]
        yield number, message[2 : 2 + size]
        message = message[2 + size :]


def order_preserving(number: int) -> bytes:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((len(raw),)) + raw


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_private_hashes_are_those_of_fabrics_snapshot_with_what_has_expired_and_what_was_purged(kind: str) -> None:
    into = ledger(kind)
    for number in range(HEIGHT):
        into.append(replay(large_network()[number], into.state, into.commit_hash))
    with into.snapshot() as state:
        found = [
            (
                f"{entry.namespace}$$h{entry.collection}",
                entry.key,
                entry.stored.value,
                entry.stored.metadata,
                order_preserving(entry.stored.version.block_num) + order_preserving(entry.stored.version.tx_num),
            )
            for entry in state.entries()
            if entry.collection is not None
        ]
    assert found == fabrics_hashes()
    into.close()


def test_a_hash_that_expires_goes_with_the_very_block_that_is_one_too_far() -> None:
    into = MemoryLedger("mychannel")
    key_hash = hashlib.sha256(b"sl1").digest()
    there = []
    for number in range(64):
        into.append(replay(large_network()[number], into.state, into.commit_hash))
        there.append(into.state.get_hashed(CHAINCODE, "shortlived", key_hash) is not None)
    assert [number for number, is_there in enumerate(there) if is_there] == [56, 57, 58, 59]  # block to live: 3


@pytest.mark.parametrize(("org", "msp_id"), [(1, ORG1), (2, ORG2)])
def test_a_member_has_of_every_block_what_fabric_shows_to_its_members(org: int, msp_id: str) -> None:
    into = ledger("disk")
    into.append(replay(large_network()[0], into.state, b""))
    private = private_store(into, genesis_config(), msp_id)
    for number in range(1, HEIGHT):
        commit(into, number, private, known_to(org))
    shown = {}
    for number in range(HEIGHT):
        codes = parse_filter(large_network()[number].metadata[2])
        for (tx_num, namespace, collection), kept in private.sets_of_block(number).items():
            assert codes[tx_num] is TxCode.VALID
            shown[Place(number, tx_num, namespace, collection)] = kept.rwset
    expected = answers(org)
    codes_at = {place: parse_filter(large_network()[place.block_num].metadata[2])[place.tx_num] for place in expected}
    assert shown == {place: rwset for place, rwset in expected.items() if codes_at[place] is TxCode.VALID}
    assert private.missing_count() == {}
    private.close()


def test_a_value_can_be_read_at_every_version_of_its_hash_and_not_by_others_than_members() -> None:
    into = MemoryLedger("mychannel")
    into.append(replay(large_network()[0], into.state, b""))
    member, other = (private_store(into, genesis_config(), msp_id) for msp_id in (ORG1, "Org3MSP"))
    key_hash = hashlib.sha256(b"pk2").digest()
    read = {}
    for number in range(1, 79):
        commit(into, number, member, known_to(1))
        commit_elsewhere(into, number, other)
        stored = into.state.get_hashed(CHAINCODE, "both", key_hash)
        if stored is not None:
            read[number] = member.find(CHAINCODE, "both", key_hash, stored)
            assert other.find(CHAINCODE, "both", key_hash, stored) is None
    # Block 77 changes the key's metadata only: its value stays, under a new version.
    assert read == {
        **dict.fromkeys(range(65, 78), ("pk2", b"secret two")),
        78: ("pk2", b"by org1"),
    }
    assert other.missing_count() == {}


def commit_elsewhere(into: LedgerPort, number: int, private: PrivateStore) -> None:
    block = large_network()[number]
    part = private.part(number, read_block(block), parse_filter(block.metadata[2]))
    assert part.needed == ()
    private.settle(number, part, ())
