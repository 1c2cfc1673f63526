"""The MSPs of a channel together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.msps import encode_serialized_identity, parse_serialized_identity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.manager import IDENTITIES_CACHED_MAX, MspManager
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.msp.provider import Msp
from tests.support.authorities import msp_config, root

A, B = root("a"), root("b")
MANAGER = MspManager([Msp(msp_config("A", A)), Msp(msp_config("B", B))])
ALICE = A.issue("alice", "client")
SERIALIZED = encode_serialized_identity("A", ALICE.pem)


def test_an_identity_is_looked_up_in_the_msp_that_it_names() -> None:
    identity = MANAGER.identity(SERIALIZED)
    assert (identity.msp_id, identity.serialized) == ("A", SERIALIZED)
    assert MANAGER.msp_ids == ("A", "B")


def test_the_signers_own_serialized_form_is_found() -> None:
    signer = ALICE.signer("A")
    assert MANAGER.identity(signer.serialized).verify(b"message", signer.sign(b"message"))


@pytest.mark.parametrize("msp_id", ["B", "C", ""])
def test_no_other_msp_vouches_for_it(msp_id: str) -> None:
    with pytest.raises(InvalidIdentity):
        MANAGER.identity(encode_serialized_identity(msp_id, ALICE.pem))


def test_an_unknown_msp_is_named() -> None:
    with pytest.raises(InvalidIdentity, match="MSP C is not defined on channel"):
        MANAGER.msp("C")


def test_the_same_bytes_are_looked_up_once_and_the_same_certificate_in_other_bytes_again() -> None:
    other = encode_serialized_identity("A", b"text\n" + ALICE.pem)
    assert MANAGER.identity(SERIALIZED) is MANAGER.identity(bytes(bytearray(SERIALIZED)))
    assert MANAGER.identity(other) is not MANAGER.identity(SERIALIZED)
    assert MANAGER.identity(other).dedupe_key == MANAGER.identity(SERIALIZED).dedupe_key


def test_the_cache_is_bounded_and_holds_no_failures() -> None:
    manager = MspManager([Msp(msp_config("A", A))])
    with pytest.raises(InvalidIdentity):
        manager.identity(b"\xff")
    assert manager.deserialize.cache_info().currsize == 0
    assert manager.deserialize.cache_info().maxsize == IDENTITIES_CACHED_MAX


def test_a_known_but_invalid_identity_is_only_deserialized() -> None:
    nobody = encode_serialized_identity("A", A.issue("nobody").pem)
    identity = MANAGER.deserialize(nobody)
    assert identity.fault is not None
    assert not MANAGER.satisfies(identity, RolePrincipal("A", MspRole.MEMBER))
    with pytest.raises(InvalidIdentity, match="only one of them"):
        MANAGER.identity(nobody)


def test_each_identity_is_asked_of_its_own_msp() -> None:
    bob = MANAGER.identity(encode_serialized_identity("B", B.issue("bob", "peer").pem))
    assert MANAGER.satisfies(bob, RolePrincipal("B", MspRole.PEER))
    assert not MANAGER.satisfies(bob, RolePrincipal("A", MspRole.PEER))


@given(st.binary(max_size=60))
def test_garbage_raises_nothing_but_invalid_identity(garbage: bytes) -> None:
    with pytest.raises(InvalidIdentity):
        MANAGER.identity(garbage)


@given(st.text(), st.binary())
def test_a_serialized_identity_is_the_same_after_writing_and_reading(msp_id: str, id_bytes: bytes) -> None:
    assert parse_serialized_identity(encode_serialized_identity(msp_id, id_bytes)) == (msp_id, id_bytes)
    with pytest.raises(MalformedMessage):
        parse_serialized_identity(b"\xff")
