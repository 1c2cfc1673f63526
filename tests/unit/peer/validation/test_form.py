"""What form alone decides: each code beside the transaction that differs from a valid one in one place."""

from dataclasses import replace

import pytest

from privysharing.protocol.build import make_header, make_payload, signed
from privysharing.protocol.codec.envelopes import encode_envelope, encode_payload, encode_signature_header
from privysharing.protocol.codec.transactions import (
    encode_chaincode_event,
    encode_chaincode_header_extension,
    encode_endorser_transaction,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.envelopes import SignatureHeader, TxId
from privysharing.protocol.rwsets import NamespaceRwSet, Write
from privysharing.protocol.transactions import ChaincodeEvent, ChaincodeId
from privysharing.wire.peer import transaction_pb2
from tests.support.judging import CHANNEL, CLIENT1, CLIENT2, PEER1, DictView, Tx, judge

GARBAGE = b"\xff\xff\xff"
WRITE = (NamespaceRwSet("cc", writes=(Write("k", b"v"),)),)
VALID = Tx(namespaces=WRITE)


@pytest.fixture
def view() -> DictView:
    view = DictView()
    view.define("cc")
    return view


def only(view: DictView, envelope: bytes) -> TxCode:
    (code,) = judge(view, envelope).verdicts
    return code


def test_a_well_formed_transaction_is_valid_and_writes(view: DictView) -> None:
    judgement = judge(view, VALID.raw)
    assert judgement.verdicts == (TxCode.VALID,)
    assert judgement.updates.public["cc"]["k"].value == b"v"


def test_bytes_that_are_no_envelope(view: DictView) -> None:
    assert only(view, GARBAGE) is TxCode.INVALID_OTHER_REASON


def test_a_payload_that_is_none(view: DictView) -> None:
    assert only(view, encode_envelope(GARBAGE, b"signature")) is TxCode.BAD_PAYLOAD


def test_an_empty_envelope_has_no_header(view: DictView) -> None:
    assert only(view, b"") is TxCode.BAD_COMMON_HEADER


@pytest.mark.parametrize(
    "broken",
    [
        replace(VALID, epoch=1),
        replace(VALID, nonce=b""),
        replace(VALID, creator_bytes=b""),
        replace(VALID, channel_header=GARBAGE),
        *(replace(VALID, type=kind) for kind in (0, 4, 5, 6, 99)),
    ],
)
def test_a_bad_common_header(view: DictView, broken: Tx) -> None:
    assert only(view, broken.raw) is TxCode.BAD_COMMON_HEADER


def test_a_signature_header_that_is_none(view: DictView) -> None:
    payload = encode_payload(VALID.header.channel_bytes, GARBAGE, b"")
    assert only(view, encode_envelope(payload, b"signature")) is TxCode.BAD_COMMON_HEADER


@pytest.mark.parametrize(
    "broken",
    [
        replace(VALID, signature=b""),
        replace(VALID, signature=CLIENT1.sign(b"something else")),
        replace(VALID, creator=CLIENT2, creator_bytes=CLIENT1.serialized),
        replace(VALID, creator_bytes=GARBAGE),
        replace(VALID, creator_bytes=PEER1.certificate_pem),
    ],
)
def test_a_creator_who_did_not_sign(view: DictView, broken: Tx) -> None:
    assert only(view, broken.raw) is TxCode.BAD_CREATOR_SIGNATURE


def test_an_envelope_of_another_channel_has_no_creator_here(view: DictView) -> None:
    assert only(view, replace(VALID, channel_id="village").raw) is TxCode.BAD_CREATOR_SIGNATURE


def test_a_bad_signature_is_told_before_a_bad_id(view: DictView) -> None:
    assert only(view, replace(VALID, tx_id="0" * 64, signature=b"x").raw) is TxCode.BAD_CREATOR_SIGNATURE


@pytest.mark.parametrize("tx_id", ["", "0" * 64])
def test_an_id_that_does_not_come_from_nonce_and_creator(view: DictView, tx_id: str) -> None:
    assert only(view, replace(VALID, tx_id=tx_id).raw) is TxCode.BAD_PROPOSAL_TXID


def test_a_bad_id_is_told_before_what_it_names(view: DictView) -> None:
    assert only(view, replace(VALID, tx_id="", data=GARBAGE).raw) is TxCode.BAD_PROPOSAL_TXID


def two_actions() -> bytes:
    one = encode_endorser_transaction(b"", b"", b"", ())
    return one + one


NO_ACTION = transaction_pb2.Transaction(
    actions=[transaction_pb2.TransactionAction(header=VALID.header.signature_bytes)]
).SerializeToString()


@pytest.mark.parametrize(
    "broken",
    [
        replace(VALID, data=b""),
        replace(VALID, data=GARBAGE),
        replace(VALID, data=two_actions()),
        replace(VALID, data=NO_ACTION),
        replace(VALID, action_header=b""),
        replace(VALID, action_header=GARBAGE),
        replace(VALID, action_header=encode_signature_header(SignatureHeader(b"somebody", b""))),
        replace(VALID, response_payload=GARBAGE),
        replace(VALID, response_payload=b""),
        replace(VALID, hash=b"0" * 32),
        Tx(proposal_payload=b""),  # though its hash is right
    ],
)
def test_an_invalid_endorser_transaction(view: DictView, broken: Tx) -> None:
    assert only(view, broken.raw) is TxCode.INVALID_ENDORSER_TRANSACTION


def test_the_proposal_hash_is_over_the_headers_of_the_action(view: DictView) -> None:
    somebody = encode_signature_header(SignatureHeader(b"somebody", b"else"))
    assert only(view, replace(VALID, action_header=somebody).raw) is TxCode.VALID


def test_configuration_updates_belong_to_orderers(view: DictView) -> None:
    header = make_header(HeaderType.CONFIG_UPDATE, CHANNEL, CLIENT1.serialized, nonce=b"n", timestamp_ns=1)
    assert only(view, signed(make_payload(header, b"update"), CLIENT1).raw) is TxCode.UNSUPPORTED_TX_PAYLOAD


def test_a_configuration_without_data(view: DictView) -> None:
    header = make_header(HeaderType.CONFIG, CHANNEL, CLIENT1.serialized, nonce=b"n", timestamp_ns=1)
    assert only(view, signed(make_payload(header, b""), CLIENT1).raw) is TxCode.INVALID_CONFIG_TRANSACTION


def event(chaincode: str) -> bytes:
    return encode_chaincode_event(ChaincodeEvent(chaincode, TxId(""), "happened", b""))


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        (TxCode.BAD_HEADER_EXTENSION, replace(VALID, extension=GARBAGE)),
        (TxCode.BAD_RESPONSE_PAYLOAD, replace(VALID, action=b"")),
        (TxCode.BAD_RESPONSE_PAYLOAD, replace(VALID, action=GARBAGE)),
        (TxCode.BAD_RWSET, replace(VALID, results=GARBAGE)),
        (TxCode.BAD_RWSET, replace(VALID, results=b"\x12\x05\x12\x03" + GARBAGE)),
        (TxCode.INVALID_OTHER_REASON, replace(VALID, extension=b"")),
        (TxCode.INVALID_OTHER_REASON, replace(VALID, chaincode=None)),
        (TxCode.INVALID_CHAINCODE, replace(VALID, extension=encode_chaincode_header_extension(ChaincodeId("")))),
        (TxCode.INVALID_CHAINCODE, replace(VALID, called="other")),
        (TxCode.INVALID_CHAINCODE, replace(VALID, chaincode=ChaincodeId("other", "1"))),
        (TxCode.INVALID_CHAINCODE, replace(VALID, chaincode=ChaincodeId("cc", ""))),
        (TxCode.INVALID_OTHER_REASON, replace(VALID, events=GARBAGE)),
        (TxCode.INVALID_OTHER_REASON, replace(VALID, events=event("other"))),
        (TxCode.ILLEGAL_WRITESET, replace(VALID, namespaces=(*WRITE, NamespaceRwSet("cc")))),
        (TxCode.VALID, replace(VALID, events=event("cc"))),
        (TxCode.VALID, replace(VALID, chaincode=ChaincodeId("cc", "another version"))),
        (TxCode.VALID, replace(VALID, results=b"", namespaces=())),
    ],
)
def test_what_the_action_says_against_itself(view: DictView, code: TxCode, broken: Tx) -> None:
    assert only(view, broken.raw) is code


def test_a_used_id_is_told_before_what_is_wrong_with_the_action(view: DictView) -> None:
    broken = replace(VALID, results=GARBAGE)
    view.ids.add(broken.header.channel.tx_id)
    assert only(view, broken.raw) is TxCode.DUPLICATE_TXID


def test_unreadable_parts_are_told_in_order(view: DictView) -> None:
    assert only(view, replace(VALID, extension=GARBAGE, action=GARBAGE).raw) is TxCode.BAD_HEADER_EXTENSION
    assert only(view, replace(VALID, results=GARBAGE, chaincode=None).raw) is TxCode.BAD_RWSET
    assert only(view, replace(VALID, chaincode=None, events=GARBAGE).raw) is TxCode.INVALID_OTHER_REASON


def test_a_bad_transaction_changes_nothing(view: DictView) -> None:
    assert judge(view, replace(VALID, tx_id="").raw).updates.public == {}
