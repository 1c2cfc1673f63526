"""Keys and certificates: what is in them, and how their files lie."""

import ssl
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.certificates import ATTRIBUTES_OID
from deploy.material import Material
from deploy.topology import Topology, load_topology
from privysharing.protocol.crypto import to_low_s
from tests.support.generated import NOW


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load_topology("demo")


@pytest.fixture(scope="module")
def material(topology: Topology) -> Material:
    return Material.make(topology, NOW)


@pytest.fixture(scope="module")
def folder(topology: Topology, material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    material.write(topology, folder)
    return folder


def certificates(material: Material) -> Iterator[x509.Certificate]:
    yield material.root_ca.credential.certificate
    for org in material.organisations.values():
        yield org.ca.credential.certificate
        yield org.tls_ca.credential.certificate
        yield org.application.certificate
        for keys in (*org.nodes.values(), *org.users.values()):
            yield keys.identity.certificate
            yield keys.tls.certificate


def test_every_certificate_is_signed_in_low_s_form(material: Material) -> None:
    assert all(to_low_s(each.signature) == each.signature for each in certificates(material))


def test_a_chain_leads_from_everybody_over_his_organisations_ca_to_the_one_root(material: Material) -> None:
    for org in material.organisations.values():
        for keys in (*org.nodes.values(), *org.users.values()):
            chain = (keys.identity, org.ca.credential, material.root_ca.credential)
            for lower, upper in pairwise(chain):
                lower.certificate.verify_directly_issued_by(upper.certificate)


def test_an_organisations_ca_makes_no_further_cas(material: Material) -> None:
    for org in material.organisations.values():
        constraints = org.ca.credential.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_organizational_unit_says_what_somebody_is(material: Material) -> None:
    def unit(org: str, name: str) -> list[str | bytes]:
        keys = {**material.organisations[org].users, **material.organisations[org].nodes}[name]
        subject = keys.identity.certificate.subject
        return [each.value for each in subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)]

    assert unit("citizens", "alice") == ["client"]
    assert unit("citizens", "Admin") == ["admin"]
    assert unit("citizens", "peer0.citizens.city") == ["peer"]
    assert unit("ministry", "orderer0.ministry.city") == ["orderer"]


def test_a_user_carries_fabric_cas_attributes(material: Material) -> None:
    certificate = material.organisations["citizens"].users["alice"].identity.certificate
    extension = certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID).value
    assert isinstance(extension, x509.UnrecognizedExtension)
    assert extension.value == b'{"attrs":{"hf.Affiliation":"","hf.EnrollmentID":"alice","hf.Type":"client"}}'


def test_a_node_serves_and_calls_under_its_name_and_on_loopback(material: Material) -> None:
    extensions = material.organisations["medical"].nodes["peer0.medical.city"].tls.certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["peer0.medical.city", "localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_who_may_connect_is_not_who_may_sign(material: Material) -> None:
    org = material.organisations["medical"]
    with pytest.raises(ValueError, match=r"[Ii]ssuer"):
        org.nodes["peer0.medical.city"].tls.certificate.verify_directly_issued_by(org.ca.credential.certificate)


def test_private_keys_are_for_their_owner_alone(folder: Path) -> None:
    keys = [path for path in folder.rglob("*") if path.name == "priv_sk" or path.suffix == ".key"]
    assert len(keys) > 40
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    private = [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert sorted(private) == sorted(keys)


def test_a_nodes_msp_folder_lies_as_cryptogen_lays_it(folder: Path) -> None:
    peer = folder / "crypto/peerOrganizations/medical.city/peers/peer0.medical.city"
    assert sorted(str(path.relative_to(peer)) for path in peer.rglob("*") if path.is_file()) == [
        "msp/cacerts/root.ministry.city-cert.pem",
        "msp/config.yaml",
        "msp/intermediatecerts/ca.medical.city-cert.pem",
        "msp/keystore/priv_sk",
        "msp/signcerts/peer0.medical.city-cert.pem",
        "msp/tlscacerts/tlsca.medical.city-cert.pem",
        "tls/ca.crt",
        "tls/server.crt",
        "tls/server.key",
    ]
    assert (peer / "msp/admincerts").is_dir()


def test_the_msp_folder_says_which_units_count_and_under_which_ca(folder: Path) -> None:
    msp = folder / "crypto/peerOrganizations/medical.city/msp"
    units = yaml.safe_load((msp / "config.yaml").read_text())["NodeOUs"]
    assert units.pop("Enable") is True
    assert {name: entry["OrganizationalUnitIdentifier"] for name, entry in units.items()} == {
        "ClientOUIdentifier": "client",
        "PeerOUIdentifier": "peer",
        "AdminOUIdentifier": "admin",
        "OrdererOUIdentifier": "orderer",
    }
    assert all((msp / entry["Certificate"]).is_file() for entry in units.values())


def test_an_organisation_without_peers_lies_with_the_orderers(folder: Path) -> None:
    assert (
        folder / "crypto/ordererOrganizations/ministry.city/users/mint@ministry.city/msp/keystore/priv_sk"
    ).is_file()
    assert not (folder / "crypto/peerOrganizations/ministry.city").exists()


def test_key_and_certificate_belong_together(folder: Path) -> None:
    user = folder / "crypto/peerOrganizations/citizens.city/users/alice@citizens.city"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(user / "tls/client.crt", user / "tls/client.key")
    certificate = x509.load_pem_x509_certificate((user / "msp/signcerts/alice@citizens.city-cert.pem").read_bytes())
    key = serialization.load_pem_private_key((user / "msp/keystore/priv_sk").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
