"""Blocks shown as JSON: everything that is in one, readable where it can be, and never an exception."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.blocks import Block, MetadataIndex
from privysharing.protocol.codec.blocks import encode_commit_hash
from privysharing.protocol.codec.transactions import encode_chaincode_event
from privysharing.protocol.describe import describe_block
from privysharing.protocol.describe.config import describe_rule
from privysharing.protocol.describe.values import describe_bytes, describe_key, describe_time
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.policies.dsl import parse_policy
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedMetadataWrite,
    HashedRead,
    HashedWrite,
    MerkleSummary,
    MetadataWrite,
    NamespaceRwSet,
    RangeQuery,
    Read,
    Version,
    Write,
)
from privysharing.protocol.transactions import ChaincodeEvent
from tests.support.judging import GENESIS, Tx

# The cryptography library warns of certificates that a changed byte has made odd.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

EVERYTHING = NamespaceRwSet(
    "cc",
    reads=(Read("k", Version(3, 1)), Read("missing", None)),
    range_queries=(
        RangeQuery("a", "b", True, reads=(Read("a", Version(1, 0)),)),
        RangeQuery("c", "d", False, summary=MerkleSummary(50, 1, (b"\x01" * 32,))),
    ),
    writes=(Write("k", b"v"), Write("\0asset\x00a1\0", b"\xff"), Write("gone", b"", True)),
    metadata_writes=(MetadataWrite("k", (("P", b"1"),)),),
    collections=(
        CollectionHashedRwSet(
            "c",
            (HashedRead(b"\x01", None),),
            (HashedWrite(b"\x01", b"\x02"), HashedWrite(b"\x03", b"", True, True)),
            (HashedMetadataWrite(b"\x01", ()),),
            b"\x05",
        ),
    ),
)
TX = Tx(namespaces=(EVERYTHING,), events=encode_chaincode_event(ChaincodeEvent("cc", TxId(""), "shared", b"x")))
RAW = TX.raw  # signed once: signatures are random


def block(*envelopes: bytes) -> Block:
    filled = replace(GENESIS, data=envelopes).with_metadata(MetadataIndex.TRANSACTIONS_FILTER, bytes(len(envelopes)))
    return filled.with_metadata(MetadataIndex.COMMIT_HASH, encode_commit_hash(b"\xab"))


def shown(*envelopes: bytes) -> list[dict[str, object]]:
    described = describe_block(block(*envelopes))
    assert json.loads(json.dumps(described)) == described
    transactions = described["transactions"]
    assert isinstance(transactions, list)
    return transactions


def test_a_transaction_is_shown_whole() -> None:
    (tx,) = shown(TX.raw)
    assert (tx["code"], tx["type"], tx["tx_id"]) == ("VALID", "ENDORSER_TRANSACTION", TX.header.channel.tx_id)
    assert tx["malformed"] is None
    assert tx["args"] == ["f"]
    assert tx["event"] == {"chaincode": "cc", "name": "shared", "payload": "x"}
    assert tx["rwset"] == [
        {
            "namespace": "cc",
            "reads": [{"key": "k", "version": [3, 1]}, {"key": "missing", "version": None}],
            "ranges": [
                {"start": "a", "end": "b", "exhausted": True, "reads": [{"key": "a", "version": [1, 0]}]},
                {
                    "start": "c",
                    "end": "d",
                    "exhausted": False,
                    "summary": {"max_degree": 50, "max_level": 1, "hashes": ["01" * 32]},
                },
            ],
            "writes": [
                {"key": "k", "value": "v"},
                {"key": ["asset", "a1"], "value": {"base64": "/w=="}},
                {"key": "gone", "delete": True},
            ],
            "metadata_writes": [{"key": "k", "entries": {"P": "1"}}],
            "collections": [
                {
                    "collection": "c",
                    "reads": [{"key_hash": "01", "version": None}],
                    "writes": [
                        {"key_hash": "01", "value_hash": "02"},
                        {"key_hash": "03", "delete": True, "purge": True},
                    ],
                    "metadata_writes": [{"key_hash": "01", "entries": {}}],
                    "private_rwset_hash": "05",
                }
            ],
        }
    ]


def test_what_is_malformed_says_so_and_the_rest_goes_on() -> None:
    broken = [
        b"\xff",
        replace(TX, epoch=1).raw,
        replace(TX, tx_id="").raw,
        replace(TX, results=b"\xff").raw,
        replace(TX, action=b"\xff").raw,
        replace(TX, events=b"\xff").raw,
        replace(TX, proposal_payload=b"\xff").raw,
        replace(TX, creator_bytes=b"\xff").raw,
        replace(TX, creator_bytes=b"\x0a\x01O\x12\x01x").raw,
        replace(TX, type=99).raw,
        replace(TX, type=1, data=b"\xff").raw,
        replace(TX, chaincode=None).raw,
        TX.raw,
    ]
    transactions = shown(*broken)
    assert [tx["malformed"] for tx in transactions[:4]] == [
        "INVALID_OTHER_REASON",
        "BAD_COMMON_HEADER",
        "BAD_PROPOSAL_TXID",
        "BAD_RWSET",
    ]
    assert transactions[9]["type"] == 99
    assert transactions[-1]["malformed"] is None


def test_a_genesis_block_shows_its_configuration() -> None:
    described: Any = describe_block(GENESIS)
    (tx,) = described["transactions"]
    assert (tx["code"], tx["malformed"], tx["creator"]) == (None, None, None)
    channel = tx["config"]["channel_group"]
    orderer, application = channel["groups"]["Orderer"], channel["groups"]["Application"]
    assert orderer["values"]["BatchTimeout"]["value"] == "100ms"
    assert application["policies"]["Endorsement"]["rule"] == "MAJORITY Endorsement"
    org = application["groups"]["Org1"]
    assert org["policies"]["Endorsement"]["rule"] == "OutOf(1, 'Org1MSP.peer')"
    assert org["values"]["MSP"]["value"]["root_certs"][0]["subject"] == "CN=ca1"


def test_policies_are_shown_in_the_language_in_which_they_are_written() -> None:
    rule = "OutOf(2, 'A.peer', OutOf(1, 'B.member', 'C.admin'))"
    assert describe_rule(parse_policy(rule)) == rule


def test_bytes_keys_and_times() -> None:
    assert describe_bytes("grüße\n".encode()) == "grüße\n"
    assert describe_bytes(b"\x00") == {"base64": "AA=="}
    assert describe_key("plain") == "plain"
    assert describe_time(1_000_000_001) == "1970-01-01T00:00:01.000000001Z"
    assert describe_time(None) is None
    assert describe_time(10**30) == "1000000000000000000000.000000000"


@given(st.data())
def test_no_block_is_too_odd_to_be_shown(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from([RAW, GENESIS.data[0]]))
    position = data.draw(st.integers(0, len(raw) - 1))
    changed = raw[:position] + bytes((data.draw(st.integers(0, 255)),)) + raw[position + 1 :]
    metadata = tuple(data.draw(st.lists(st.binary(max_size=20), max_size=6)))
    json.dumps(describe_block(replace(GENESIS, data=(changed,), metadata=metadata)))
