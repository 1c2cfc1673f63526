"""A peer's word that a value is gone: verified offline, against the channel's configuration alone."""

from dataclasses import replace

import pytest

from privysharing.protocol.codec.private_data import encode_purge_statement
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.private_data import PurgeStatement, SignedPurgeStatement
from privysharing.protocol.purge_statements import BadStatement, sign_statement, verify_statement
from tests.support.authorities import root
from tests.support.judging import ADMIN1, CHANNEL, CONFIG, ORDERER, PEER1, PEER2

MADE = PurgeStatement(
    CHANNEL, "cc", "secrets", b"k" * 32, 7, 1, PEER1.serialized, CONFIG.msps.identity(PEER1.serialized).expires_at_ns
)


def test_a_statement_names_its_peer_and_verifies() -> None:
    signed = sign_statement(MADE, PEER1)
    peer, found = verify_statement(signed, CONFIG)
    assert found == MADE
    assert peer.msp_id == "Org1MSP"


@pytest.mark.parametrize(
    "changes",
    [{"key_hash": b"l" * 32}, {"block_num": 8}, {"tx_num": 0}, {"collection": "others"}, {"namespace": "c"}],
    ids=str,
)
def test_a_changed_statement_is_refused(changes: dict[str, object]) -> None:
    other = encode_purge_statement(replace(MADE, **changes))  # type: ignore[arg-type]
    with pytest.raises(BadStatement, match="not signed by the peer"):
        verify_statement(SignedPurgeStatement(other, sign_statement(MADE, PEER1).signature), CONFIG)


@pytest.mark.parametrize(
    ("statement", "signer", "why"),
    [
        (MADE, PEER2, "not signed by the peer"),
        (replace(MADE, channel_id="other"), PEER1, "about channel other"),
        (replace(MADE, peer=ADMIN1.serialized), ADMIN1, "no peer"),
        (replace(MADE, peer=ORDERER.serialized), ORDERER, "no peer"),
        (replace(MADE, peer=b"nobody"), PEER1, "does not count"),
        (replace(MADE, time_ns=2**62), PEER1, "has expired"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_of_somebody_else_is_refused(statement: PurgeStatement, signer: SigningIdentity, why: str) -> None:
    with pytest.raises(BadStatement, match=why):
        verify_statement(sign_statement(statement, signer), CONFIG)


def test_a_stranger_states_nothing() -> None:
    stranger = root("elsewhere").issue("peer", "peer").signer("Org1MSP")
    with pytest.raises(BadStatement, match="does not count"):
        verify_statement(sign_statement(replace(MADE, peer=stranger.serialized), stranger), CONFIG)


def test_bytes_that_are_no_statement_are_refused() -> None:
    for raw in (b"\xff", b""):
        with pytest.raises(BadStatement):
            verify_statement(SignedPurgeStatement(raw, b""), CONFIG)
