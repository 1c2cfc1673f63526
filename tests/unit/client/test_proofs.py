"""A proof that values are gone is what peers of every member have signed, about these keys and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.private_data import PurgeStatement, SignedPurgeStatement
from privysharing.protocol.purge_statements import sign_statement
from services.client.network.proofs import BadProof, Proof, verify_proof
from tests.support.judging import ADMIN1, CHANNEL, CONFIG, PEER1, PEER2

KEYS = (b"k" * 32, b"l" * 32)
NOW = CONFIG.msps.identity(PEER1.serialized).expires_at_ns


def stated(peer: SigningIdentity, *keys: bytes, **changes: object) -> list[SignedPurgeStatement]:
    made = (PurgeStatement(CHANNEL, "cc", "critical", key, 7, 1, peer.serialized, NOW) for key in keys)
    return [sign_statement(replace(each, **changes), peer) for each in made]  # type: ignore[arg-type]


def proof(statements: Sequence[SignedPurgeStatement]) -> Proof:
    empty = Proof(CHANNEL, "cc", "critical", "alice@CitizensMSP/alcohol", ("Org1MSP", "Org2MSP"), KEYS)
    return empty.with_statements(statements)


WHOLE = proof([*stated(PEER1, *KEYS), *stated(PEER2, *KEYS)])


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    WHOLE.save(tmp_path / "proof.json")
    assert Proof.load(tmp_path / "proof.json") == WHOLE


def test_peers_of_every_member_have_confirmed_every_key() -> None:
    rows, lacking = verify_proof(WHOLE, CONFIG)
    assert [(row.msp_id, row.keys, row.time_ns) for row in rows] == [("Org1MSP", 2, NOW), ("Org2MSP", 2, NOW)]
    assert not lacking


@pytest.mark.parametrize(
    ("statements", "lacking"),
    [
        ([], {"Org1MSP": 2, "Org2MSP": 2}),
        (stated(PEER1, *KEYS), {"Org2MSP": 2}),
        ([*stated(PEER1, *KEYS), *stated(PEER2, KEYS[0])], {"Org2MSP": 1}),
        ([*stated(PEER1, *KEYS), *stated(PEER2, KEYS[0], KEYS[0])], {"Org2MSP": 1}),
    ],
)
def test_a_member_that_lacks_a_statement_is_named(
    statements: list[SignedPurgeStatement], lacking: dict[str, int]
) -> None:
    assert verify_proof(proof(statements), CONFIG)[1] == lacking


@pytest.mark.parametrize(
    "statements",
    [
        stated(PEER1, b"m" * 32),
        stated(PEER1, KEYS[0], collection="others"),
        stated(PEER1, KEYS[0], namespace="other"),
        stated(PEER1, KEYS[0], channel_id="other"),
        stated(ADMIN1, KEYS[0]),
        [SignedPurgeStatement(each.statement, each.signature[:-1] + b"!") for each in stated(PEER1, KEYS[0])],
        [SignedPurgeStatement(b"\xff", b"")],
    ],
)
def test_a_statement_of_somebody_else_or_about_something_else_spoils_it(
    statements: list[SignedPurgeStatement],
) -> None:
    with pytest.raises(BadProof):
        verify_proof(proof([*WHOLE.statements, *statements]), CONFIG)


def test_a_proof_about_no_key_proves_nothing() -> None:
    with pytest.raises(BadProof, match="no key"):
        verify_proof(replace(WHOLE, key_hashes=(), statements=()), CONFIG)


@given(st.data())
def test_a_file_that_is_no_proof_is_refused_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("proof") / "proof.json"
    WHOLE.save(file)
    facts = json.loads(file.read_text())
    place = data.draw(st.sampled_from([*facts]))
    junk = st.one_of(
        st.none(), st.integers(), st.text(max_size=3), st.lists(st.text(max_size=2), min_size=1, max_size=2)
    )
    facts[place] = data.draw(junk)
    file.write_text(json.dumps(facts))
    try:
        _, lacking = verify_proof(Proof.load(file), CONFIG)
    except BadProof:
        return
    assert place == "asset" or (place == "members" and lacking)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"1", b"{}", b"[" * 5000, b'{"format": 2}'])
def test_bytes_that_are_no_proof_are_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(content)
    with pytest.raises(BadProof):
        Proof.load(file)
