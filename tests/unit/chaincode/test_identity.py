"""Who calls is read from the certificate as Fabric's cid library reads it."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from privysharing.chaincode.identity import client_identity
from privysharing.protocol.codec.msps import encode_serialized_identity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.provider import Msp
from tests.support.authorities import msp_config, root
from tests.support.city import ATTRIBUTES_OID, City

AUTHORITY = root("ca.citizens")


def identity_of(*units, name="alice", attributes=None):
    extensions = [(x509.UnrecognizedExtension(ATTRIBUTES_OID, attributes), False)] if attributes is not None else []
    return encode_serialized_identity("CitizensMSP", AUTHORITY.issue(name, *units, extensions=extensions).pem)


def test_the_id_is_subject_and_issuer_with_values_of_one_kind_joined():
    caller = client_identity(identity_of("client", "north"))
    assert caller.id == "x509::CN=alice,OU=client+OU=north::CN=ca.citizens"
    assert (caller.msp_id, caller.enrollment_id) == ("CitizensMSP", "alice")
    assert caller.organizational_units == ("client", "north")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a,b", r"a\,b"),
        ("#a#", r"\#a#"),
        (" a ", r"\ a\ "),
        ('"+;<>\\', r"\"\+\;\<\>\\"),
        ("x,CN=root", r"x\,CN=root"),
    ],
)
def test_a_name_cannot_pretend_to_be_more_than_one(name, written):
    assert client_identity(identity_of(name=name)).id == f"x509::CN={written}::CN=ca.citizens"


def test_a_certificate_with_two_common_names_has_no_enrollment_id():
    twice = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("alice", "bob")])
    holder = AUTHORITY.issue()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(twice)
        .issuer_name(AUTHORITY.certificate.subject)
        .public_key(holder.certificate.public_key())
        .serial_number(7)
        .not_valid_before(holder.certificate.not_valid_before_utc)
        .not_valid_after(holder.certificate.not_valid_after_utc)
        .sign(AUTHORITY.key, holder.certificate.signature_hash_algorithm)
    )
    pem = type(holder)(certificate, holder.key).pem
    assert client_identity(encode_serialized_identity("CitizensMSP", pem)).enrollment_id == ""


def test_attributes_are_what_the_authority_put_into_the_certificate():
    caller = client_identity(identity_of(attributes=b'{"attrs":{"role":"auditor","hf.Type":"client"}}'))
    assert dict(caller.attributes) == {"role": "auditor", "hf.Type": "client"}
    assert dict(client_identity(identity_of()).attributes) == {}


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"attrs":1}', b"no json"])
def test_attributes_that_do_not_parse_are_an_error_not_none(content):
    with pytest.raises(ValueError, match=r"attrs|JSON"):
        client_identity(identity_of(attributes=content))


MALLORY, ALICE = AUTHORITY.issue("mallory", "client").pem, root("forger").issue("alice", "admin").pem


@pytest.mark.parametrize(
    "certificates",
    [
        MALLORY + ALICE,
        MALLORY.replace(b"CERTIFICATE", b"CERT") + ALICE,
        MALLORY.replace(b"CERTIFICATE", b"") + ALICE,
        b"any text\n" + MALLORY.replace(b"CERTIFICATE", b"X509 CERTIFICATE") + ALICE,
        MALLORY.replace(b"-----\n", b"-----\nname: value\n", 1) + ALICE,
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n" + MALLORY + ALICE,
    ],
)
def test_the_contract_sees_the_certificate_whose_signature_the_peer_has_checked(certificates):
    """A client chooses these bytes: to the peer and the contract they must be one and the same person."""
    serialized = encode_serialized_identity("CitizensMSP", certificates)
    checked = Msp(msp_config("CitizensMSP", AUTHORITY)).identity(certificates, serialized)
    assert checked.certificate.subject.rfc4514_string() in {"CN=mallory,OU=client", "OU=client,CN=mallory"}
    seen = client_identity(serialized)
    assert (seen.enrollment_id, seen.organizational_units) == ("mallory", ("client",))


def test_what_is_no_identity_is_refused():
    with pytest.raises(MalformedMessage):
        client_identity(b"\xff\xff")
    with pytest.raises(InvalidIdentity, match="PEM"):
        client_identity(encode_serialized_identity("CitizensMSP", b"no certificate"))


@pytest.mark.parametrize(
    ("attributes", "status", "code"), [(b"no json", 403, "BAD_CERTIFICATE"), (b'{"attrs":{"role":"mayor"}}', 200, "")]
)
def test_attributes_that_do_not_parse_are_a_refusal_to_the_caller(attributes, status, code):
    response, _ = City().simulate(identity_of("client", attributes=attributes), "ListMyAssets")
    assert response.status == status
    assert code in response.message
