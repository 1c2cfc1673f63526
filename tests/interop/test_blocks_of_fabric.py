"""Blocks that a real Fabric network produced: read, written, judged and audited as Fabric does."""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from privysharing.protocol.audit import BlockReport, verify_chain
from privysharing.protocol.blocks import Block, MetadataIndex, header_hash
from privysharing.protocol.codec.blocks import (
    encode_block,
    encode_filter,
    encode_orderer_metadata,
    parse_block,
    parse_commit_hash,
    parse_filter,
    parse_orderer_metadata,
)
from privysharing.protocol.codec.envelopes import (
    canonical_envelope,
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
    parse_envelope,
    parse_payload,
)
from privysharing.protocol.codec.rwsets import encode_tx_rwset, parse_tx_rwset
from privysharing.protocol.codec.transactions import (
    encode_chaincode_action,
    encode_endorser_transaction,
    encode_invocation,
    encode_proposal_payload,
    parse_chaincode_action,
    parse_endorser_transaction,
    parse_proposal_payload,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.commit_hash import next_commit_hash
from privysharing.protocol.describe import describe_block
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.signers import verify_all
from privysharing.protocol.transactions import ChaincodeId
from services.peer.validation.validate import accept_genesis, read_block, validate_block
from tests.support.judging import DictView
from tests.support.vectors import large_network, small_network

# The cryptography library warns of certificates that a flipped bit has made odd.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

VECTORS = Path(__file__).parent / "vectors"
DELIVERED = [(VECTORS / f"blk{number}.block").read_bytes() for number in range(4)]
STORED = [(VECTORS / f"pblk{number}.block").read_bytes() for number in range(6)]
ALL = [*DELIVERED, *STORED]
GENESIS = parse_block(DELIVERED[0])


def faults(genesis: Block, blocks: list[bytes]) -> list[str]:
    return [report.fault.check for report in verify_chain(genesis, blocks) if report.fault]


@pytest.mark.parametrize("raw", ALL)
def test_every_layer_is_written_as_it_was_read(raw: bytes) -> None:
    block = parse_block(raw)
    assert encode_block(block) == raw
    metadata = parse_orderer_metadata(block)
    assert encode_orderer_metadata(metadata.value, metadata.signatures) == block.metadata[MetadataIndex.SIGNATURES]
    for data in block.data:
        envelope = parse_envelope(data)
        assert canonical_envelope(data) == encode_envelope(envelope.payload, envelope.signature) == data
        payload = parse_payload(envelope.payload)
        header = payload.header
        assert encode_payload(header.channel_bytes, header.signature_bytes, payload.data) == envelope.payload
        assert encode_channel_header(header.channel) == header.channel_bytes
        assert encode_signature_header(header.signature) == header.signature_bytes
        if header.channel.type == HeaderType.ENDORSER_TRANSACTION:
            check_transaction(payload.data)


def check_transaction(data: bytes) -> None:
    tx = parse_endorser_transaction(data)
    written = encode_endorser_transaction(tx.action_header, tx.proposal_payload, tx.response_payload, tx.endorsements)
    assert written == data
    action = parse_chaincode_action(tx.action_bytes)
    assert encode_chaincode_action(action) == tx.action_bytes
    assert encode_tx_rwset(parse_tx_rwset(action.results)) == action.results
    if action.chaincode is not None and action.chaincode.name != "_lifecycle":  # whose client leaves the type out
        invocation = encode_invocation(ChaincodeId(action.chaincode.name), parse_proposal_payload(tx.proposal_payload))
        assert encode_proposal_payload(invocation) == tx.proposal_payload


def test_orderer_and_peer_agree_on_every_header() -> None:
    for delivered, stored in zip(DELIVERED, STORED, strict=False):
        assert header_hash(parse_block(delivered).header) == header_hash(parse_block(stored).header)


@pytest.mark.parametrize("network", [small_network, large_network])
def test_our_verdicts_and_commit_hashes_are_fabrics(network: Callable[[], tuple[Block, ...]]) -> None:
    genesis, *blocks = network()
    view, commit_hash = DictView(), b""
    judgement = accept_genesis(genesis)
    config = judgement.config
    assert config is not None
    view.apply(judgement.updates)
    for block in blocks:
        transactions = read_block(block)
        signers = verify_all(transactions, config.channel_id, config.msps)
        judgement = validate_block(block.header.number, transactions, signers, config, view)
        view.apply(judgement.updates)
        view.ids.update(tx.tx_id for tx in transactions)
        config = judgement.config or config
        assert judgement.verdicts == parse_filter(block.metadata[MetadataIndex.TRANSACTIONS_FILTER]), (
            block.header.number
        )
        verdicts = encode_filter(judgement.verdicts)
        commit_hash = next_commit_hash(block.header.number, commit_hash, verdicts, judgement.updates)
        assert commit_hash == parse_commit_hash(block.metadata[MetadataIndex.COMMIT_HASH])


def test_a_long_chain_with_new_configurations_verifies() -> None:
    genesis, *_ = blocks = large_network()
    reports = list(verify_chain(genesis, map(encode_block, blocks)))
    assert [report.fault for report in reports] == [None] * len(blocks)
    assert all(report.commit_hash_checked for report in reports[1:])
    assert reports[-1].config_sequence == 2
    noted = [note for report in reports for note in report.notes]
    assert noted == ["transaction 6: 2 of 3 endorsements count", "transaction 7: 2 of 3 endorsements count"]


def test_what_a_peer_will_refuse_is_noted_on_blocks_that_none_has_judged() -> None:
    genesis, *blocks = large_network()
    delivered = [
        encode_block(
            block.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, b"").with_metadata(MetadataIndex.COMMIT_HASH, b"")
        )
        for block in blocks
    ]
    reports = list(verify_chain(genesis, delivered))
    assert [report.fault for report in reports] == [None] * len(blocks)
    foreseen = {note.rpartition(" ")[2] for report in reports for note in report.notes if "will be" in note}
    assert {"BAD_PROPOSAL_TXID", "BAD_COMMON_HEADER", "DUPLICATE_TXID", "BAD_RWSET"} <= foreseen


def test_a_genesis_block_is_taken_on_trust_though_nobody_signed_it() -> None:
    assert read_transaction(GENESIS.data[0]).fault_before_signature is TxCode.BAD_COMMON_HEADER
    assert faults(GENESIS, DELIVERED) == []


@pytest.mark.parametrize("blocks", [DELIVERED, DELIVERED[1:], STORED, STORED[1:], [*DELIVERED[:2], *STORED[2:]]])
def test_a_chain_verifies_from_its_genesis_block(blocks: list[bytes]) -> None:
    reports = list(verify_chain(GENESIS, blocks))
    assert [report.fault for report in reports] == [None] * len(blocks)
    assert [report.number for report in reports] == [parse_block(raw).header.number for raw in blocks]
    assert all(json.dumps(report.as_dict()) for report in reports)


def test_commit_hashes_are_checked_where_every_verdict_is_known() -> None:
    def checked(blocks: list[bytes]) -> list[bool]:
        return [report.commit_hash_checked for report in verify_chain(GENESIS, blocks)]

    assert checked(STORED) == [False] + [True] * 5
    assert checked([*DELIVERED[:2], *STORED[2:]]) == [False] * 6
    (report,) = verify_chain(GENESIS, DELIVERED[1:2])
    assert report.notes == ["commit hash not checked: the verdicts so far are not all known"]


def test_the_genesis_block_of_another_network_verifies_nothing() -> None:
    foreign = parse_block(STORED[0]).with_metadata(MetadataIndex.TRANSACTIONS_FILTER, b"")
    other = Block(foreign.header, (foreign.data[0] + b"\x1a\x00",), foreign.metadata)
    assert faults(other, STORED) == ["data"]
    assert faults(parse_block(STORED[1]), STORED) == ["genesis"]


def test_blocks_out_of_order_missing_or_repeated_are_found() -> None:
    for blocks in ([STORED[2]], [STORED[1], STORED[3]], [STORED[1], STORED[1]], [STORED[1], STORED[0]]):
        assert faults(GENESIS, blocks) == ["header"]


def test_what_follows_a_fault_is_not_looked_at() -> None:
    reports = list(verify_chain(GENESIS, [STORED[1], b"\xff", STORED[2]]))
    assert [report.fault is None for report in reports] == [True, False]
    assert reports[1].as_dict()["fault"] == {"check": "encoding", "detail": "not a common.Block"}


def flipped(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes((raw[position] ^ 1 << position % 8,)) + raw[position + 1 :]


def reports_of(blocks: list[bytes]) -> list[BlockReport]:
    return list(verify_chain(GENESIS, blocks))


@pytest.mark.parametrize("number", [1, 4])
def test_any_flipped_bit_of_a_stored_block_is_found(number: int) -> None:
    """One bit of every 67th byte: each byte is under some hash, signature or comparison."""
    for position in range(number, len(STORED[number]), 67):
        blocks = [*STORED[:number], flipped(STORED[number], position), *STORED[number + 1 :]]
        assert any(report.fault for report in reports_of(blocks)), position


def test_any_flipped_bit_of_the_newest_delivered_block_is_found() -> None:
    for position in range(3, len(DELIVERED[3]), 53):
        blocks = [*DELIVERED[:3], flipped(DELIVERED[3], position)]
        assert any(report.fault for report in reports_of(blocks)), position


def test_any_flipped_bit_of_a_copy_of_the_genesis_block_is_found() -> None:
    for position in chain(
        range(0, 400, 7), range(400, len(STORED[0]), 997), range(len(STORED[0]) - 20, len(STORED[0]))
    ):
        assert reports_of([flipped(STORED[0], position)])[0].fault, position


@pytest.mark.parametrize("raw", ALL)
def test_every_block_can_be_shown(raw: bytes) -> None:
    shown = describe_block(parse_block(raw))
    assert json.loads(json.dumps(shown)) == shown
