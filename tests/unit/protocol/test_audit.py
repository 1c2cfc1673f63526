"""What an auditor finds in a chain whose maker cheats: orderers who sign again what they changed, peers who lie."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from privysharing.protocol.audit import BlockReport, verify_chain
from privysharing.protocol.blocks import (
    Block,
    BlockHeader,
    BlockSignature,
    MetadataIndex,
    data_hash,
    header_bytes,
    header_hash,
)
from privysharing.protocol.build import endorse
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import ConfigEnvelope, ConfigPolicy, ConfigValue
from privysharing.protocol.codec.blocks import (
    encode_block,
    encode_commit_hash,
    encode_filter,
    encode_last_config,
    encode_orderer_metadata,
    encode_orderer_metadata_value,
)
from privysharing.protocol.codec.configs import encode_config_envelope
from privysharing.protocol.codec.envelopes import (
    encode_envelope,
    encode_payload,
    encode_signature_header,
    parse_envelope,
    split_payload,
)
from privysharing.protocol.codec.policies import encode_channel_policy
from privysharing.protocol.codes import TxCode
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import SignatureHeader
from privysharing.protocol.msp.principals import IdentityPrincipal
from privysharing.protocol.policies.signature import NOutOf, SignaturePolicy, SignedBy
from privysharing.protocol.rwsets import NamespaceRwSet, Read, Version, Write
from privysharing.protocol.transactions import Endorsement
from privysharing.wire.common import common_pb2, configuration_pb2
from services.peer.commits import make_commit
from services.peer.ledger.memory import MemoryLedger
from services.peer.validation.validate import accept_genesis, read_block
from tests.support.judging import CLIENT2, CONFIG, GENESIS, ORDERER, ORDERER_CA, PEER1, PEER2, DictView, Tx, judge

VALID = TxCode.VALID


def tx(key: str = "k", **parts: object) -> Tx:
    plain = Tx(namespaces=(NamespaceRwSet("cc", writes=(Write(key, b"v"),)),))
    return replace(plain, **parts)  # type: ignore[arg-type]


def sign(header: BlockHeader, signer: SigningIdentity = ORDERER, last_config: int = 0) -> bytes:
    value = encode_orderer_metadata_value(last_config, b"")
    signature_header = encode_signature_header(SignatureHeader(signer.serialized, b"nonce"))
    signature = signer.sign(value + signature_header + header_bytes(header))
    return encode_orderer_metadata(value, [BlockSignature(signature_header, signature)])


def ordered(previous: Block, *envelopes: bytes, signer: SigningIdentity = ORDERER, last_config: int = 0) -> Block:
    """The next block as an orderer delivers it, whatever is in it."""
    header = BlockHeader(previous.header.number + 1, header_hash(previous.header), data_hash(envelopes))
    return Block(header, envelopes, (sign(header, signer, last_config), b"", b"", b"", b""))


class Chain:
    """A ledger whose keeper writes what verdicts it likes, with commit hashes to match."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger("city")
        genesis = accept_genesis(GENESIS)
        self.ledger.append(make_commit(GENESIS, read_block(GENESIS), genesis.verdicts, genesis.updates, b""))
        self.newest = GENESIS
        self.blocks: list[bytes] = []

    def add(self, *envelopes: bytes, verdicts: Sequence[TxCode] | None = None) -> None:
        view = DictView()
        view.define("cc")
        block = ordered(self.newest, *envelopes)
        judged = judge(view, *envelopes, number=block.header.number)
        given = judged.verdicts if verdicts is None else tuple(verdicts)
        commit = make_commit(block, read_block(block), given, judged.updates, self.ledger.commit_hash)
        self.ledger.append(commit)
        self.newest = block
        self.blocks.append(encode_block(commit.block))

    def reports(self) -> list[BlockReport]:
        return list(verify_chain(GENESIS, self.blocks))


def only_fault(reports: Sequence[BlockReport]) -> str:
    (fault,) = [report.fault for report in reports if report.fault is not None]
    return fault.check


def audit(*blocks: Block) -> list[BlockReport]:
    return list(verify_chain(GENESIS, [encode_block(block) for block in blocks]))


def test_an_honest_chain_verifies() -> None:
    chain = Chain()
    chain.add(tx("a").raw, tx("b").raw)
    chain.add(tx("c").raw)
    assert [(r.number, r.fault, r.commit_hash_checked, r.orderers) for r in chain.reports()] == [
        (1, None, True, ("OrdererMSP",)),
        (2, None, True, ("OrdererMSP",)),
    ]


def test_an_empty_chain_verifies() -> None:
    assert audit() == []


# --- the orderer's part


def changed(block: Block, **parts: object) -> Block:
    """A block whose header says something else, signed again by its orderer."""
    header = replace(block.header, **parts)  # type: ignore[arg-type]
    return replace(block, header=header, metadata=(sign(header), *block.metadata[1:]))


@pytest.mark.parametrize(
    ("part", "check"),
    [
        ({"number": 2}, "header"),
        ({"previous_hash": b"0" * 32}, "header"),
        ({"previous_hash": b""}, "header"),
        ({"data_hash": b"0" * 32}, "data"),
    ],
)
def test_a_header_that_lies_is_found_though_it_is_signed(part: dict[str, object], check: str) -> None:
    assert only_fault(audit(changed(ordered(GENESIS, tx().raw), **part))) == check


def test_a_header_that_nobody_signed_again_is_found() -> None:
    block = ordered(GENESIS, tx().raw)
    other = tx().raw
    moved = replace(block, header=replace(block.header, data_hash=data_hash([other])), data=(other,))
    assert only_fault(audit(moved)) == "orderer_signature"


@pytest.mark.parametrize("signer", [PEER1, CLIENT2, ORDERER_CA.issue("guest").signer("OrdererMSP")])
def test_a_block_signed_by_somebody_else_is_found(signer: SigningIdentity) -> None:
    assert only_fault(audit(ordered(GENESIS, tx().raw, signer=signer))) == "orderer_signature"


def with_orderer_metadata(block: Block, entry: bytes) -> Block:
    return block.with_metadata(MetadataIndex.SIGNATURES, entry)


def test_a_block_without_signatures_is_found() -> None:
    block = ordered(GENESIS, tx().raw)
    unsigned = encode_orderer_metadata(encode_orderer_metadata_value(0, b""))
    assert only_fault(audit(with_orderer_metadata(block, unsigned))) == "orderer_signature"
    assert only_fault(audit(with_orderer_metadata(block, b""))) == "orderer_signature"
    assert only_fault(audit(with_orderer_metadata(block, b"\xff"))) == "metadata"


def test_a_bad_signature_beside_a_good_one_is_found() -> None:
    block = ordered(GENESIS, tx().raw)
    metadata = common_pb2.Metadata.FromString(block.metadata[0])
    metadata.signatures.add(signature_header=metadata.signatures[0].signature_header, signature=b"bad")
    assert only_fault(audit(with_orderer_metadata(block, metadata.SerializeToString()))) == "orderer_signature"


def test_a_wrong_last_configuration_is_found_though_it_is_signed() -> None:
    assert only_fault(audit(ordered(GENESIS, tx().raw, last_config=1))) == "last_config"
    block = ordered(GENESIS, tx().raw).with_metadata(MetadataIndex.LAST_CONFIG, encode_last_config(1))
    assert only_fault(audit(block)) == "metadata"


def test_metadata_that_is_missing_is_found() -> None:
    block = ordered(GENESIS, tx().raw)
    assert only_fault(audit(replace(block, metadata=block.metadata[:4]))) == "metadata"


def test_what_is_no_part_of_a_block_is_found() -> None:
    raw = encode_block(ordered(GENESIS, tx().raw))
    (report,) = verify_chain(GENESIS, [raw + b"\x7a\x00"])
    assert report.fault is not None
    assert report.fault.check == "encoding"


def test_an_empty_block_is_found() -> None:
    assert only_fault(audit(ordered(GENESIS))) == "data"


def test_envelopes_with_something_hidden_in_them_are_found() -> None:
    raw = tx().raw
    for bad in (b"\x12\x00" + raw, encode_envelope(b"", b"signature"), encode_envelope(b"payload", b""), b"\xff"):
        assert only_fault(audit(ordered(GENESIS, bad))) == "data"


def test_a_configuration_that_nobody_agreed_to_is_found() -> None:
    parts = split_payload(parse_envelope(GENESIS.data[0]).payload)
    assert parts is not None
    (_, _, data) = parts
    header = Tx(type=1, creator=ORDERER).header
    payload = encode_payload(header.channel_bytes, header.signature_bytes, data)
    envelope = encode_envelope(payload, ORDERER.sign(payload))
    assert only_fault(audit(ordered(GENESIS, envelope, last_config=1))) == "config"


# --- the creator's and the endorsers' part, under verdicts that say they are fine


def one_bad(tx: Tx) -> Tx:
    """A transaction with one good endorsement and one bad."""
    endorsed = read_block(Block(GENESIS.header, (tx.raw,), ()))[0].endorsed
    assert endorsed is not None
    good = endorse(endorsed.transaction.response_payload, PEER1)
    return replace(tx, endorsements=(good, Endorsement(PEER2.serialized, good.signature)))


@pytest.mark.parametrize(
    ("envelope", "check"),
    [
        (tx(signature=b"bad").raw, "creator_signature"),
        (tx(creator=CLIENT2, creator_bytes=PEER1.serialized).raw, "creator_signature"),
        (tx(tx_id="0" * 64).raw, "tx_id"),
        (tx(hash=b"0" * 32).raw, "proposal_hash"),
        (tx(endorsements=(Endorsement(PEER1.serialized, b"bad"),)).raw, "endorsement"),
        (tx(epoch=1).raw, "filter"),
        (tx(results=b"\xff").raw, "filter"),
    ],
)
def test_a_bad_transaction_marked_as_valid_is_found(envelope: bytes, check: str) -> None:
    chain = Chain()
    chain.add(envelope, verdicts=[VALID])
    assert only_fault(chain.reports()) == check


def test_the_same_transactions_marked_as_what_they_are_verify() -> None:
    chain = Chain()
    chain.add(tx(signature=b"bad").raw, tx(tx_id="0" * 64).raw, tx(hash=b"0" * 32).raw, tx(results=b"\xff").raw)
    (report,) = chain.reports()
    assert report.fault is None
    assert report.verdicts == (
        TxCode.BAD_CREATOR_SIGNATURE,
        TxCode.BAD_PROPOSAL_TXID,
        TxCode.INVALID_ENDORSER_TRANSACTION,
        TxCode.BAD_RWSET,
    )


def test_a_good_transaction_marked_as_malformed_is_found() -> None:
    for code in (TxCode.BAD_CREATOR_SIGNATURE, TxCode.BAD_PROPOSAL_TXID, TxCode.BAD_RWSET):
        chain = Chain()
        chain.add(tx().raw, verdicts=[code])
        assert only_fault(chain.reports()) == "filter"


def test_verdicts_that_depend_on_the_state_are_left_to_the_commit_hash() -> None:
    stale = tx(namespaces=(NamespaceRwSet("cc", reads=(Read("k", Version(1, 1)),)),))
    chain = Chain()
    chain.add(stale.raw, tx("x", endorsers=(PEER1,)).raw)
    (report,) = chain.reports()
    assert report.fault is None
    assert report.verdicts == (TxCode.MVCC_READ_CONFLICT, TxCode.ENDORSEMENT_POLICY_FAILURE)


def test_a_repeated_transaction_marked_as_valid_is_found() -> None:
    raw = tx().raw
    chain = Chain()
    chain.add(raw)
    chain.add(raw, verdicts=[VALID])
    assert only_fault(chain.reports()) == "tx_id"


def test_twins_in_one_block_of_which_both_are_marked_as_valid_are_found() -> None:
    raw = tx().raw
    honest, lying = Chain(), Chain()
    honest.add(raw, raw)
    lying.add(raw, raw, verdicts=[VALID, VALID])
    (report,) = honest.reports()
    assert (report.fault, report.verdicts) == (None, (VALID, TxCode.DUPLICATE_TXID))
    assert only_fault(lying.reports()) == "tx_id"


def test_a_bad_endorsement_beside_a_good_one_is_noted_as_a_peer_passes_it_over() -> None:
    chain = Chain()
    chain.add(one_bad(tx()).raw, verdicts=[VALID])
    assert chain.reports()[0].notes == ["transaction 0: 1 of 2 endorsements count"]


# --- the peer's part


def rewritten(raw: bytes, index: MetadataIndex, entry: bytes) -> bytes:
    block = common_pb2.Block.FromString(raw)
    block.metadata.metadata[index] = entry
    return block.SerializeToString()


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.add(tx("a").raw, tx("b").raw)
    chain.add(tx("c").raw)
    return chain


@pytest.mark.parametrize(
    ("index", "entry", "check"),
    [
        (MetadataIndex.TRANSACTIONS_FILTER, encode_filter([VALID, TxCode.MVCC_READ_CONFLICT]), "commit_hash"),
        (MetadataIndex.TRANSACTIONS_FILTER, encode_filter([VALID]), "filter"),
        (MetadataIndex.TRANSACTIONS_FILTER, bytes((0, 77)), "filter"),
        (MetadataIndex.COMMIT_HASH, encode_commit_hash(b"0" * 32), "commit_hash"),
        (MetadataIndex.COMMIT_HASH, encode_commit_hash(b"0" * 32) + b"\x7a\x00", "metadata"),
        (MetadataIndex.COMMIT_HASH, b"\xff", "metadata"),
    ],
)
def test_a_changed_verdict_or_commit_hash_is_found(
    chain: Chain, index: MetadataIndex, entry: bytes, check: str
) -> None:
    chain.blocks[0] = rewritten(chain.blocks[0], index, entry)
    reports = chain.reports()
    assert only_fault(reports) == check
    assert len(reports) == 1


def test_a_commit_hash_taken_out_of_a_chain_is_found(chain: Chain) -> None:
    chain.blocks[1] = rewritten(chain.blocks[1], MetadataIndex.COMMIT_HASH, b"")
    assert only_fault(chain.reports()) == "commit_hash"


def test_a_chain_from_before_there_were_commit_hashes_verifies_without(chain: Chain) -> None:
    chain.blocks = [rewritten(raw, MetadataIndex.COMMIT_HASH, b"") for raw in chain.blocks]
    assert [(report.fault, report.commit_hash_checked) for report in chain.reports()] == [(None, False)] * 2


def test_a_copy_of_the_genesis_block_must_be_one(chain: Chain) -> None:
    genesis = encode_block(GENESIS.with_metadata(MetadataIndex.TRANSACTIONS_FILTER, b"\0"))
    assert [r.fault for r in verify_chain(GENESIS, [genesis, *chain.blocks])] == [None] * 3
    for index, entry, check in (
        (MetadataIndex.TRANSACTIONS_FILTER, b"\x01", "filter"),
        (MetadataIndex.SIGNATURES, b"", "metadata"),
        (MetadataIndex.COMMIT_HASH, encode_commit_hash(b"0" * 32), "commit_hash"),
    ):
        assert only_fault(list(verify_chain(GENESIS, [rewritten(genesis, index, entry)]))) == check


def test_a_genesis_block_that_is_none_verifies_nothing() -> None:
    raw = tx().raw
    for genesis, check in (
        (ordered(GENESIS, raw), "genesis"),
        (Block(replace(GENESIS.header, data_hash=data_hash([raw])), (raw,), GENESIS.metadata), "genesis"),
        (replace(GENESIS, data=(raw,)), "data"),
    ):
        assert only_fault(list(verify_chain(genesis, []))) == check


# --- BFT: several orderers sign under numbers


@pytest.fixture(scope="module")
def consenters() -> list[SigningIdentity]:
    return [ORDERER_CA.issue(f"orderer{number}", "orderer").signer("OrdererMSP") for number in range(4)]


@pytest.fixture(scope="module")
def bft_genesis(consenters: list[SigningIdentity]) -> Block:
    """The genesis block of a channel that four orderers sign for, three at a time."""
    mapping = configuration_pb2.Orderers(
        consenter_mapping=[consenter_message(number + 1, signer) for number, signer in enumerate(consenters)]
    )
    rule = NOutOf(3, tuple(map(SignedBy, range(4))))
    policy = SignaturePolicy(rule, tuple(IdentityPrincipal(signer.serialized) for signer in consenters))
    kind, value = encode_channel_policy(policy)
    root = CONFIG.config.root
    orderer = root.groups["Orderer"]
    orderer = replace(
        orderer,
        values={**orderer.values, "Orderers": ConfigValue(mapping.SerializeToString(), mod_policy="Admins")},
        policies={**orderer.policies, "BlockValidation": ConfigPolicy(kind, value, mod_policy="Admins")},
    )
    config = replace(CONFIG.config, root=replace(root, groups={**root.groups, "Orderer": orderer}))
    parts = split_payload(parse_envelope(GENESIS.data[0]).payload)
    assert parts is not None
    payload = encode_payload(parts[0], parts[1], encode_config_envelope(ConfigEnvelope(config, None)))
    data = (encode_envelope(payload, b""),)
    genesis = Block(replace(GENESIS.header, data_hash=data_hash(data)), data, GENESIS.metadata)
    assert ChannelConfig.from_block(genesis).orderer.consenters
    return genesis


def consenter_message(number: int, signer: SigningIdentity) -> configuration_pb2.Consenter:
    return configuration_pb2.Consenter(
        id=number, host="localhost", port=1, msp_id=signer.msp_id, identity=signer.certificate_pem
    )


def bft_block(genesis: Block, signers: Sequence[tuple[int, SigningIdentity]]) -> bytes:
    block = ordered(genesis, tx().raw)
    value = encode_orderer_metadata_value(0, b"view metadata")
    signatures = []
    for number, signer in signers:
        identifier = common_pb2.IdentifierHeader(identifier=number, nonce=b"n" * 24).SerializeToString()
        signature = signer.sign(value + identifier + header_bytes(block.header))
        signatures.append(BlockSignature(b"", signature, identifier))
    return encode_block(with_orderer_metadata(block, encode_orderer_metadata(value, signatures)))


def test_enough_numbered_orderers_are_enough(bft_genesis: Block, consenters: list[SigningIdentity]) -> None:
    numbered = [(number + 1, signer) for number, signer in enumerate(consenters)]
    for signers in (numbered[:3], numbered[1:], numbered):
        (report,) = verify_chain(bft_genesis, [bft_block(bft_genesis, signers)])
        assert report.fault is None
        assert len(report.orderers) == len(signers)


def test_too_few_or_wrongly_numbered_orderers_are_found(bft_genesis: Block, consenters: list[SigningIdentity]) -> None:
    first, second, third, fourth = consenters
    for signers in (
        [(1, first), (2, second)],
        [(1, first), (2, second), (2, second)],
        [(1, first), (2, second), (4, third)],
        [(1, first), (2, second), (9, third)],
        [(1, first), (2, second), (3, third), (3, fourth)],
    ):
        assert only_fault(list(verify_chain(bft_genesis, [bft_block(bft_genesis, signers)]))) == "orderer_signature"
