"""What a peer stores of a block is what a real Fabric peer stored."""

from pathlib import Path

import pytest

from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codec.blocks import encode_commit_hash, parse_block
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId
from privysharing.protocol.reading import read_transaction
from services.peer.commits import indexed_id, replay
from services.peer.ledger.errors import LedgerFault
from services.peer.ledger.ledger import Ledger
from services.peer.ledger.memory import MemoryLedger
from services.runtime.database import LevelDatabases
from services.runtime.disk import RealDisk

VECTORS = Path(__file__).parents[2] / "interop" / "vectors"
BLOCKS: list[Block] = [parse_block((VECTORS / f"pblk{number}.block").read_bytes()) for number in range(6)]


def test_replayed_blocks_of_a_fabric_peer_have_its_commit_hashes() -> None:
    ledger = MemoryLedger("fabric")
    for block in BLOCKS:
        commit = replay(block, ledger.state, ledger.commit_hash)
        assert commit.block == block
        ledger.append(commit)
    assert ledger.commit_hash.hex().startswith("da235b93dade5798")
    assert [entry.is_delete for entry in ledger.history("kv", "a")] == [False, False]


def test_a_commit_hash_that_does_not_follow_stops_the_ledger() -> None:
    ledger = MemoryLedger("fabric")
    ledger.append(replay(BLOCKS[0], ledger.state, b""))
    forged = BLOCKS[1].with_metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(b"\x00" * 32))
    with pytest.raises(LedgerFault, match="commit hash of stored block 1"):
        replay(forged, ledger.state, b"")


def test_an_id_is_found_under_a_header_that_cannot_be_read_as_a_whole() -> None:
    named = encode_channel_header(ChannelHeader(3, "fabric", TxId("somebody else's")))
    for signature_header, payload in ((b"\xff", b"x"), (encode_signature_header(SignatureHeader(b"c", b"n")), b"")):
        raw = encode_envelope(encode_payload(named, signature_header, payload), b"s")
        assert indexed_id(read_transaction(raw)) == "somebody else's"
    assert indexed_id(read_transaction(encode_envelope(encode_payload(b"\xff", b"\xff", b""), b"s"))) == ""
    assert indexed_id(read_transaction(encode_envelope(b"\xff", b"s"))) == ""


def test_a_lost_database_comes_back_with_the_same_state(tmp_path: Path) -> None:
    ledger = Ledger.open("fabric", tmp_path, RealDisk(), LevelDatabases(), replay)
    for block in BLOCKS:
        ledger.append(replay(block, ledger.state, ledger.commit_hash))
    with ledger.snapshot() as snapshot:
        before = list(snapshot.entries())
    ledger.close()
    (tmp_path / "DOUBT").touch()
    ledger = Ledger.open("fabric", tmp_path, RealDisk(), LevelDatabases(), replay)
    with ledger.snapshot() as snapshot:
        assert list(snapshot.entries()) == before
    ledger.close()
