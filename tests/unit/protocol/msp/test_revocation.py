"""Revocation: whom a list takes back, and whose list counts."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from privysharing.protocol.msp.config import InvalidMsp
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.msp.provider import Msp
from privysharing.protocol.msp.revocation import parse_revocation_list
from tests.support.authorities import START, YEAR, Holder, PrivateKey, msp_config, root

ROOT = root()
ALICE, BOB = ROOT.issue("alice", "client"), ROOT.issue("bob", "client")


def msp_with(*lists: bytes, **fields: object) -> Msp:
    return Msp(msp_config("Org", ROOT, revocation_list=lists, **fields))


def serial(holder: Holder) -> int:
    return holder.certificate.serial_number


def assert_revoked(msp: Msp, holder: Holder) -> None:
    with pytest.raises(InvalidIdentity, match="revoked"):
        msp.identity(holder.pem, b"")


def test_who_is_on_the_list_is_out_whatever_the_date_of_revocation_and_the_others_are_not() -> None:
    msp = msp_with(ROOT.revoke(serial(ALICE)))
    assert_revoked(msp, ALICE)
    msp.identity(BOB.pem, b"")


def test_a_list_may_be_der_and_there_may_be_several() -> None:
    lists = [ROOT.revoke(serial(holder)) for holder in (ALICE, BOB)]
    der = [x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER) for pem in lists]
    for msp in (msp_with(*lists), msp_with(*der)):
        assert_revoked(msp, ALICE)
        assert_revoked(msp, BOB)


def test_an_empty_list_takes_nobody_back() -> None:
    msp_with(ROOT.revoke()).identity(ALICE.pem, b"")


def test_another_authoritys_list_does_not_count() -> None:
    msp_with(root("other").revoke(serial(ALICE))).identity(ALICE.pem, b"")


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)],
    ids=["ecdsa", "rsa"],
)
def test_a_list_in_the_authoritys_name_that_somebody_else_signed_does_not_count(key: PrivateKey) -> None:
    msp_with(ROOT.revoke(serial(ALICE), key=key)).identity(ALICE.pem, b"")


def test_authorities_with_rsa_keys_take_back_too() -> None:
    top = root("rsa root", key=rsa.generate_private_key(65537, 2048))
    holder = top.issue("alice", "client")
    assert_revoked(Msp(msp_config("Org", top, revocation_list=(top.revoke(serial(holder)),))), holder)


def test_a_list_that_does_not_say_whose_it_is_lets_nobody_in() -> None:
    msp = msp_with(ROOT.revoke(names_authority=False))
    with pytest.raises(InvalidIdentity, match="does not say whose"):
        msp.identity(ALICE.pem, b"")


def test_a_revoked_intermediate_makes_the_whole_configuration_invalid() -> None:
    ca = ROOT.issue("ca", ca=True)
    with pytest.raises(InvalidMsp, match="revoked"):
        msp_with(ROOT.revoke(serial(ca)), intermediate_certs=(ca.pem,))


def test_a_root_does_not_revoke_what_its_intermediate_issued() -> None:
    ca = ROOT.issue("ca", ca=True)
    holder = ca.issue("alice", "client")
    msp_with(ROOT.revoke(serial(holder)), intermediate_certs=(ca.pem,)).identity(holder.pem, b"")
    assert_revoked(msp_with(ca.revoke(serial(holder)), intermediate_certs=(ca.pem,)), holder)


def test_a_listed_admin_stays_one_when_revoked_but_is_no_member() -> None:
    boss = ROOT.issue("boss", "admin")
    msp = msp_with(ROOT.revoke(serial(boss)), admins=(boss.pem,))
    identity = msp.deserialize(boss.pem, b"")
    assert msp.satisfies(identity, RolePrincipal("Org", MspRole.ADMIN))
    assert not msp.satisfies(identity, RolePrincipal("Org", MspRole.MEMBER))
    assert_revoked(msp, boss)


@pytest.mark.parametrize("raw", [b"", b"text", b"-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n"])
def test_what_is_no_list_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidMsp, match="cannot be read"):
        msp_with(raw)


def test_a_list_of_a_version_that_does_not_exist_is_refused() -> None:
    der = x509.load_pem_x509_crl(ROOT.revoke(7)).public_bytes(Encoding.DER)
    version = der.index(b"\x02\x01\x01")  # the first number in it
    with pytest.raises(InvalidMsp, match="cannot be read"):
        msp_with(der[: version + 2] + b"\x41" + der[version + 3 :])


def test_a_key_of_another_kind_signs_no_list() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateRevocationListBuilder().issuer_name(ROOT.certificate.subject)
    builder = builder.last_update(START).next_update(START + YEAR)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ROOT.key.public_key())
    entry = x509.RevokedCertificateBuilder().serial_number(serial(ALICE)).revocation_date(START).build()
    builder = builder.add_extension(identifier, critical=False).add_revoked_certificate(entry)
    crl = parse_revocation_list(builder.sign(key, None).public_bytes(Encoding.PEM))
    assert not crl.revokes(ALICE.certificate, ROOT.certificate)
