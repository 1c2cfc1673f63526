"""Principals: who is meant, and who only looks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.msps import (
    COMBINED_DEPTH_MAX,
    encode_serialized_identity,
    principal_message,
    read_principal,
)
from privysharing.protocol.msp.identity import Identity
from privysharing.protocol.msp.principals import (
    AnonymityPrincipal,
    CombinedPrincipal,
    IdentityPrincipal,
    MspPrincipal,
    MspRole,
    OuPrincipal,
    RolePrincipal,
    UnknownPrincipal,
)
from privysharing.protocol.msp.provider import Msp
from privysharing.wire.msp import msp_principal_pb2
from tests.support.authorities import Holder, msp_config, root

ROOT = root()
MSP = Msp(msp_config("Org", ROOT))
ALICE = ROOT.issue("alice", "client", "department1", high_s=False)
NOBODY = MSP.deserialize(ROOT.issue("nobody", "department1").pem, b"")  # has no role: known, but not valid


def identity(holder: Holder, msp_id: str = "Org") -> Identity:
    return MSP.identity(holder.pem, encode_serialized_identity(msp_id, holder.pem))


def satisfied(principal: MspPrincipal, by: Identity | None = None) -> bool:
    return MSP.satisfies(by or identity(ALICE), principal)


@pytest.mark.parametrize("role", list(MspRole))
@pytest.mark.parametrize("unit", ["client", "peer", "admin", "orderer"])
def test_everybody_is_a_member_and_what_its_unit_says(unit: str, role: MspRole) -> None:
    expected = role is MspRole.MEMBER or role.name.lower() == unit
    assert satisfied(RolePrincipal("Org", role), identity(ROOT.issue("x", unit))) == expected


@pytest.mark.parametrize("role", list(MspRole))
def test_a_role_in_another_msp_is_another_role(role: MspRole) -> None:
    assert not satisfied(RolePrincipal("Other", role))
    assert not satisfied(RolePrincipal("Org", role), NOBODY)


@pytest.mark.parametrize("role", [MspRole.CLIENT, MspRole.PEER, MspRole.ADMIN, MspRole.ORDERER])
def test_without_node_units_nobody_has_a_role_but_listed_admins(role: MspRole) -> None:
    boss = ROOT.issue("boss", "peer")
    msp = Msp(msp_config("Org", ROOT, node_ous=None, admins=(boss.pem,)))
    assert not msp.satisfies(msp.identity(ALICE.pem, b""), RolePrincipal("Org", role))
    assert msp.satisfies(msp.identity(boss.pem, b""), RolePrincipal("Org", role)) == (role is MspRole.ADMIN)


def test_an_admin_is_listed_or_has_the_unit() -> None:
    listed, other = ROOT.issue("boss", "client", high_s=False), ROOT.issue("other", "client")
    msp = Msp(msp_config("Org", ROOT, admins=(ROOT.reissued(listed, high_s=True).pem,)))
    admin = RolePrincipal("Org", MspRole.ADMIN)
    assert msp.satisfies(msp.identity(listed.pem, b""), admin)
    assert msp.satisfies(msp.identity(ROOT.issue("x", "admin").pem, b""), admin)
    assert not msp.satisfies(msp.identity(other.pem, b""), admin)


def test_a_unit_is_meant_with_its_certifiers() -> None:
    alice = identity(ALICE)
    assert satisfied(OuPrincipal("Org", "department1", alice.certifiers_identifier))
    assert not satisfied(OuPrincipal("Org", "department1", b""))
    assert not satisfied(OuPrincipal("Org", "department2", alice.certifiers_identifier))
    assert not satisfied(OuPrincipal("Other", "department1", alice.certifiers_identifier))
    assert not satisfied(OuPrincipal("Org", "department1", alice.certifiers_identifier), NOBODY)


def test_one_identity_is_meant_in_whatever_encoding() -> None:
    high = ROOT.reissued(ALICE, high_s=True)
    for text in (ALICE.pem, high.pem, b"text\n" + ALICE.pem):
        assert satisfied(IdentityPrincipal(encode_serialized_identity("Org", text)))


def test_another_identity_is_not_meant() -> None:
    bob = ROOT.issue("bob", "client")
    for raw in (
        encode_serialized_identity("Org", bob.pem),
        encode_serialized_identity("Other", ALICE.pem),
        encode_serialized_identity("Org", b"no certificate"),
        b"\xff",
    ):
        assert not satisfied(IdentityPrincipal(raw))
    nobody = IdentityPrincipal(encode_serialized_identity("Org", b""))
    assert not satisfied(nobody, NOBODY)


def test_x509_identities_show_a_name() -> None:
    assert satisfied(AnonymityPrincipal(anonymous=False))
    assert satisfied(AnonymityPrincipal(anonymous=False), NOBODY)
    assert not satisfied(AnonymityPrincipal(anonymous=True))


def test_a_combination_asks_for_all_of_its_parts() -> None:
    client, peer = RolePrincipal("Org", MspRole.CLIENT), RolePrincipal("Org", MspRole.PEER)
    unit = OuPrincipal("Org", "department1", identity(ALICE).certifiers_identifier)
    assert satisfied(CombinedPrincipal((client, CombinedPrincipal((unit,)))))
    assert not satisfied(CombinedPrincipal((client, peer)))
    assert not satisfied(CombinedPrincipal((client, CombinedPrincipal(()))))
    assert not satisfied(CombinedPrincipal(()))
    assert not satisfied(CombinedPrincipal((client, UnknownPrincipal(9, b""))))


names = st.text(max_size=8)
simple = st.one_of(
    st.builds(RolePrincipal, names, st.sampled_from(MspRole)),
    st.builds(OuPrincipal, names, names, st.binary(max_size=8)),
    st.builds(IdentityPrincipal, st.binary(max_size=8)),
    st.builds(AnonymityPrincipal, st.booleans()),
    st.builds(UnknownPrincipal, st.integers(5, 100), st.binary(max_size=8)),
)
principals = st.recursive(simple, lambda parts: st.builds(CombinedPrincipal, st.lists(parts, max_size=3).map(tuple)))


@given(principals)
def test_a_principal_is_the_same_after_writing_and_reading(principal: MspPrincipal) -> None:
    raw = principal_message(principal).SerializeToString()
    assert read_principal(msp_principal_pb2.MSPPrincipal.FromString(raw)) == principal


@given(st.integers(0, 6), st.binary(max_size=20))
def test_no_principal_is_too_strange_to_be_read_and_written_back(kind: int, raw: bytes) -> None:
    message = msp_principal_pb2.MSPPrincipal.FromString(b"\x08" + bytes((kind,)) + b"\x12" + bytes((len(raw),)) + raw)
    principal = read_principal(message)
    satisfied(principal)
    assert read_principal(principal_message(principal)) == principal


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (0, b"\xff"),
        (0, b"\x10\x05"),  # a sixth role
        (1, b"\xff"),
        (3, b"\x08\x02"),  # a third kind of anonymity
        (4, b"\xff"),
        (5, b""),
    ],
)
def test_what_cannot_be_read_is_kept_and_satisfied_by_nobody(kind: int, raw: bytes) -> None:
    message = msp_principal_pb2.MSPPrincipal(principal=raw)
    message.MergeFromString(b"\x08" + bytes((kind,)))
    principal = read_principal(message)
    assert principal == UnknownPrincipal(kind, raw)
    assert not satisfied(principal)


def test_combinations_nest_only_so_deep() -> None:
    principal: MspPrincipal = RolePrincipal("Org", MspRole.CLIENT)
    for _ in range(COMBINED_DEPTH_MAX):
        principal = CombinedPrincipal((principal,))
    assert satisfied(read_principal(principal_message(principal)))
    assert not satisfied(read_principal(principal_message(CombinedPrincipal((principal,)))))
