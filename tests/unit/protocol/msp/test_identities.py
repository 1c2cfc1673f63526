"""Whom an MSP vouches for, and each reason for which it does not."""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.crypto import sha256
from privysharing.protocol.msp.certificates import decode_pem
from privysharing.protocol.msp.config import InvalidMsp, NodeOus, OuIdentifier
from privysharing.protocol.msp.identity import Identity, InvalidIdentity, distinct
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.msp.provider import Msp
from tests.support.authorities import START, YEAR, Holder, msp_config, root

ROOT = root(high_s=False)
MSP = Msp(msp_config("Org", ROOT))
HOLDER_DER = ROOT.issue("alice", "client", high_s=False).certificate.public_bytes(Encoding.DER)


def identify(msp: Msp, holder: Holder) -> Identity:
    return msp.identity(holder.pem, b"as received")


def refuse(msp: Msp, holder: Holder, why: str) -> None:
    with pytest.raises(InvalidIdentity, match=why):
        identify(msp, holder)


def pem(raw: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(raw) + b"-----END CERTIFICATE-----\n"


def key_usage(*, cert_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, cert_sign, False, False, False)


def test_a_certificate_below_the_root_is_an_identity() -> None:
    holder = ROOT.issue("alice", "client", "department1")
    identity = identify(MSP, holder)
    assert (identity.msp_id, identity.serialized, identity.fault) == ("Org", b"as received", None)
    assert identity.ous == ("client", "department1")
    assert identity.roles == {MspRole.MEMBER, MspRole.CLIENT}
    assert identity.certifiers_identifier == sha256(ROOT.certificate.public_bytes(Encoding.DER))
    assert identity.expires_at_ns == int((START + YEAR).timestamp()) * 10**9


def test_its_key_verifies_its_signatures_and_no_others() -> None:
    holder, other = ROOT.issue("alice", "client"), ROOT.issue("bob", "client")
    identity = identify(MSP, holder)
    assert identity.verify(b"message", holder.signer("Org").sign(b"message"))
    assert not identity.verify(b"message", other.signer("Org").sign(b"message"))


def test_p384_identities_sign_too() -> None:
    holder = ROOT.issue("alice", "client", key=ec.generate_private_key(ec.SECP384R1()))
    assert identify(MSP, holder).verify(b"message", holder.signer("Org").sign(b"message"))


@pytest.mark.parametrize("unit", ["client", "peer", "admin", "orderer"])
def test_each_node_unit_gives_its_role(unit: str) -> None:
    assert identify(MSP, ROOT.issue("x", unit)).roles == {MspRole.MEMBER, MspRole[unit.upper()]}


@pytest.mark.parametrize("units", [(), ("clients",), ("client", "peer"), ("client", "client")])
def test_exactly_one_node_unit_is_needed(units: tuple[str, ...]) -> None:
    refuse(MSP, ROOT.issue("x", *units), "only one of them")


def test_without_node_units_everybody_below_the_root_is_just_a_member() -> None:
    msp = Msp(msp_config("Org", ROOT, node_ous=None, admins=(ROOT.issue("boss").pem,)))
    assert identify(msp, ROOT.issue("x", "client", "peer")).roles == {MspRole.MEMBER}


@pytest.mark.parametrize("node_ous", [NodeOus(enable=False, client=OuIdentifier("client")), NodeOus(enable=True)])
def test_node_units_count_only_when_enabled_and_named(node_ous: NodeOus) -> None:
    msp = Msp(msp_config("Org", ROOT, node_ous=node_ous, admins=(ROOT.issue("boss").pem,)))
    assert identify(msp, ROOT.issue("x", "client")).roles == {MspRole.MEMBER}


def test_a_required_unit_must_be_there_below_the_very_ca_that_is_named() -> None:
    other = root("other root")
    units = (OuIdentifier("department1", ROOT.pem),)
    admins = (ROOT.issue("boss", "department1").pem,)
    config = msp_config("Org", ROOT, other, node_ous=None, organizational_unit_identifiers=units, admins=admins)
    msp = Msp(config)
    identify(msp, ROOT.issue("x", "department1"))
    refuse(msp, ROOT.issue("x", "department2"), "requires")
    refuse(msp, other.issue("x", "department1"), "requires")


def test_a_role_unit_can_be_tied_to_one_ca() -> None:
    other = root("other root")
    node_ous = NodeOus(True, OuIdentifier("client"), OuIdentifier("peer", ROOT.pem), OuIdentifier("admin"))
    msp = Msp(msp_config("Org", ROOT, other, node_ous=node_ous))
    assert MspRole.PEER in identify(msp, ROOT.issue("x", "peer")).roles
    identify(msp, other.issue("x", "client"))
    refuse(msp, other.issue("x", "peer"), "another CA")


def test_a_stranger_with_the_same_names_is_refused() -> None:
    refuse(MSP, root().issue("alice", "client"), "0 chains")


def test_a_certificate_that_claims_another_issuer_is_refused() -> None:
    refuse(MSP, ROOT.issue("alice", "client", issuer="somebody else"), "0 chains")


def test_a_certificate_that_signed_itself_is_refused() -> None:
    refuse(MSP, root("alice", ca=False), "0 chains")


def test_a_ca_cannot_be_an_identity() -> None:
    intermediate = ROOT.issue("intermediate", "client", ca=True)
    refuse(MSP, intermediate, "CA's certificate")
    refuse(Msp(msp_config("Org", ROOT, intermediate_certs=(intermediate.pem,))), intermediate, "CA's certificate")
    refuse(MSP, ROOT, "CA's certificate")


def test_a_certificate_below_an_identity_is_refused() -> None:
    refuse(MSP, ROOT.issue("alice", "client").issue("mallory", "client"), "0 chains")


def test_an_unlisted_intermediate_opens_no_chain() -> None:
    refuse(MSP, ROOT.issue("intermediate", ca=True).issue("alice", "client"), "0 chains")


def test_only_a_leaf_of_the_tree_of_cas_issues_identities() -> None:
    middle = ROOT.issue("middle", ca=True, high_s=False)
    low = middle.issue("low", ca=True, high_s=False)
    msp = Msp(msp_config("Org", ROOT, intermediate_certs=(middle.pem, low.pem)))
    identity = identify(msp, low.issue("alice", "client"))
    chain = [each.certificate.public_bytes(Encoding.DER) for each in (low, middle, ROOT)]
    assert identity.certifiers_identifier == sha256(*chain)
    for ca in (middle, ROOT):
        refuse(msp, ca.issue("alice", "client"), "stands above")


def test_expiry_plays_no_part() -> None:
    identify(MSP, ROOT.issue("alice", "client", lifetime=timedelta(seconds=1)))


def test_the_issuer_must_have_been_valid_when_the_certificate_began() -> None:
    refuse(MSP, ROOT.issue("early", "client", start=START - timedelta(days=1)), "0 chains")
    refuse(MSP, ROOT.issue("late", "client", start=START + YEAR), "0 chains")
    identify(MSP, ROOT.issue("just in time", "client", start=START + YEAR - timedelta(seconds=1)))


def test_a_certificate_that_ends_before_its_first_second_is_refused() -> None:
    refuse(MSP, ROOT.issue("alice", "client", lifetime=timedelta(0)), "never valid")


def test_an_unknown_critical_extension_is_refused_and_an_uncritical_one_is_not() -> None:
    attributes = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1"), b'{"attrs":{}}')
    identify(MSP, ROOT.issue("alice", "client", extensions=[(attributes, False)]))
    refuse(MSP, ROOT.issue("alice", "client", extensions=[(attributes, True)]), "critical")


@pytest.mark.parametrize("critical", [True, False])
def test_a_certificate_that_insists_on_policies_is_refused(critical: bool) -> None:
    constraints = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    refuse(MSP, ROOT.issue("alice", "client", extensions=[(constraints, critical)]), "policy constraints")


def test_an_extended_key_usage_must_allow_what_go_asks_for() -> None:
    def usage(*oids: x509.ObjectIdentifier) -> list[tuple[x509.ExtensionType, bool]]:
        return [(x509.ExtendedKeyUsage(oids), False)]

    identify(MSP, ROOT.issue("a", "client", extensions=usage(ExtendedKeyUsageOID.SERVER_AUTH)))
    identify(MSP, ROOT.issue("a", "client", extensions=usage(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)))
    refuse(MSP, ROOT.issue("a", "client", extensions=usage(ExtendedKeyUsageOID.CLIENT_AUTH)), "0 chains")


def test_an_authority_without_the_right_to_sign_certificates_issues_nothing() -> None:
    for may in (True, False):
        ca = ROOT.issue("ca", ca=True, extensions=[(key_usage(cert_sign=may), True)])
        msp = Msp(msp_config("Org", ROOT, intermediate_certs=(ca.pem,)))
        holder = ca.issue("alice", "client")
        if may:
            identify(msp, holder)
        else:
            refuse(msp, holder, "0 chains")


def test_a_path_length_is_kept() -> None:
    for length in (0, 1):
        top = root("top", path_length=length)
        ca = top.issue("ca", ca=True)
        config = msp_config("Org", top, intermediate_certs=(ca.pem,))
        if length:
            identify(Msp(config), ca.issue("alice", "client"))
        else:
            refuse(Msp(config), ca.issue("alice", "client"), "0 chains")


def test_two_chains_are_one_too_many() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    one, other = root("one"), root("other")
    both = (one.issue("ca", ca=True, key=key), other.issue("ca", ca=True, key=key))
    holder = both[0].issue("alice", "client")
    identify(Msp(msp_config("Org", one, other, intermediate_certs=(both[0].pem,))), holder)
    refuse(Msp(msp_config("Org", one, other, intermediate_certs=tuple(ca.pem for ca in both))), holder, "2 chains")


def test_a_repeated_ca_is_no_second_chain() -> None:
    ca = ROOT.issue("ca", ca=True)
    msp = Msp(msp_config("Org", ROOT, ROOT, intermediate_certs=(ca.pem, ca.pem, ROOT.pem)))
    identify(msp, ca.issue("alice", "client"))


def test_a_maze_of_cas_is_left_after_a_hundred_signatures() -> None:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    level = [root("level 0", key=key) for key in keys]
    roots, cas = level, []
    for depth in range(1, 7):
        issuers = {id(ca.key): ca for ca in level}.values()
        level = [ca.issue(f"level {depth}", ca=True, key=key) for ca in issuers for key in keys]
        cas += level
    deepest_first = tuple(ca.pem for ca in reversed(cas))
    with pytest.raises(InvalidMsp, match="too many signature checks"):
        Msp(msp_config("Org", *roots, intermediate_certs=deepest_first))


def test_both_forms_of_a_certificate_are_one_identity() -> None:
    low = ROOT.issue("alice", "client", high_s=False)
    high = ROOT.reissued(low, high_s=True)
    assert low.pem != high.pem
    one, other = identify(MSP, low), identify(MSP, high)
    assert one.dedupe_key == other.dedupe_key == ("Org", sha256(low.certificate.public_bytes(Encoding.DER)))
    assert other.certificate == low.certificate
    assert distinct([one, other, one]) == (one,)


def test_distinct_keeps_the_order_of_first_mention() -> None:
    one, two = (identify(MSP, ROOT.issue(name, "client")) for name in ("one", "two"))
    assert distinct([two, one, two]) == (two, one)


def test_cas_with_rsa_keys_may_certify_ecdsa_identities_only() -> None:
    top = root("rsa root", key=rsa.generate_private_key(65537, 2048))
    msp = Msp(msp_config("Org", top))
    identify(msp, top.issue("alice", "client"))
    refuse(msp, top.issue("alice", "client", key=rsa.generate_private_key(65537, 2048)), "not ECDSA")


def test_a_certificate_signed_over_sha1_is_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    top = root("rsa root", key=key)
    msp = Msp(msp_config("Org", top))
    with_sha256, with_sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    holder = top.issue("alice", "client")
    body = holder.certificate.tbs_certificate_bytes.replace(with_sha256, with_sha1)
    raw = holder.certificate.public_bytes(Encoding.DER).replace(with_sha256, with_sha1)
    raw = raw[: -len(holder.certificate.signature)] + key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    refuse(msp, Holder(x509.load_der_x509_certificate(raw), holder.key), "0 chains")


def test_ed25519_identities_are_refused_at_this_capability_level() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    holder = ROOT.issue("alice", "client", key=key)
    refuse(MSP, holder, "not ECDSA")


def test_an_identity_that_is_invalid_still_says_why() -> None:
    identity = MSP.deserialize(ROOT.issue("alice").pem, b"")
    assert identity.fault is not None
    assert identity.roles == frozenset()


def test_text_around_a_certificate_and_its_label_do_not_matter_to_go() -> None:
    text = ROOT.issue("alice", "client").pem
    lines = text.splitlines(keepends=True)
    accepted = [
        b"hello\n" + text + b"bye",
        text.replace(b"CERTIFICATE", b"ANYTHING"),
        lines[0] + b"Key: value\n\n" + b"".join(lines[1:]),
        text.replace(b"\n", b"\r\n"),
        text.rstrip(),
        b"-----BEGIN X-----\n!\n-----END X-----\n" + text,
        b"-----BEGIN X-----\nAAA\n-----END X-----\n" + text,
    ]
    for each in accepted:
        assert MSP.identity(each, b"").fault is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END OTHER-----\n",
        b"x-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_certificate_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidIdentity, match=r"not PEM|cannot be read"):
        MSP.identity(text, b"")


def test_trailing_bytes_in_a_certificate_are_refused() -> None:
    raw = ROOT.issue("alice", "client").certificate.public_bytes(Encoding.DER)
    text = pem(raw + b"\x00")
    assert decode_pem(text) == raw + b"\x00"
    with pytest.raises(InvalidIdentity, match="cannot be read"):
        MSP.identity(text, b"")


def test_unused_bits_of_a_signature_make_no_second_identity() -> None:
    while True:
        raw = ROOT.issue("alice", "client", high_s=False).certificate.public_bytes(Encoding.DER)
        if raw[-1] % 2 == 0:
            break
    signature = x509.load_der_x509_certificate(raw).signature
    MSP.identity(pem(raw), b"")
    with pytest.raises(InvalidIdentity, match="more than one form"):
        MSP.identity(pem(raw.replace(b"\x00" + signature, b"\x01" + signature)), b"")


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_negative_serial_number_is_refused_as_in_go() -> None:
    holder = ROOT.issue("alice", "client", high_s=False)
    body = bytearray(holder.certificate.tbs_certificate_bytes)
    version = b"\xa0\x03\x02\x01\x02"
    body[body.index(version) + len(version) + 2] = 0x90  # the serial number's first byte
    raw = holder.certificate.public_bytes(Encoding.DER).replace(holder.certificate.tbs_certificate_bytes, bytes(body))
    with pytest.raises(InvalidIdentity, match="negative"):
        MSP.identity(pem(raw), b"")


@given(st.binary(max_size=300))
def test_garbage_raises_nothing_but_invalid_identity(garbage: bytes) -> None:
    with pytest.raises(InvalidIdentity):
        MSP.identity(garbage, garbage)


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(st.integers(0, len(HOLDER_DER) - 1), st.integers(1, 255))
def test_a_certificate_with_a_changed_byte_is_refused(place: int, change: int) -> None:
    raw = bytearray(HOLDER_DER)
    raw[place] ^= change
    with pytest.raises(InvalidIdentity):
        MSP.identity(pem(bytes(raw)), b"")
