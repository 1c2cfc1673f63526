"""Which MSP configurations are taken in, and which are refused as a whole."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from privysharing.protocol.codec.msps import encode_msp_config, parse_msp_config
from privysharing.protocol.crypto import sha256
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.config import InvalidMsp, MspConfig, NodeOus, OuIdentifier
from privysharing.protocol.msp.principals import MspRole
from privysharing.protocol.msp.provider import Msp
from privysharing.wire.msp import msp_config_pb2
from tests.support.authorities import NODE_OUS, START, YEAR, msp_config, root

ROOT = root()


def refuse(config: MspConfig, why: str) -> None:
    with pytest.raises(InvalidMsp, match=why):
        Msp(config)


def test_a_root_with_node_units_is_all_that_is_needed() -> None:
    msp = Msp(msp_config("Org", ROOT))
    assert (msp.name, msp.tls_root_certs, msp.tls_intermediate_certs) == ("Org", (), ())


def test_there_must_be_a_root() -> None:
    refuse(msp_config("Org"), "MSP Org: expected at least one CA certificate")


def test_only_fabrics_default_hash_functions_are_known() -> None:
    config = msp_config("Org", ROOT)
    refuse(replace(config, signature_hash_family="SHA3"), "SHA3")
    refuse(replace(config, identity_identifier_hash_function="SHA384"), "SHA384")


@pytest.mark.parametrize("high_s", [True, False])
def test_a_root_in_either_form_certifies_under_one_name(high_s: bool) -> None:
    top = root(high_s=False)
    given = top.reissued(top, high_s=high_s)
    node_ous = replace(NODE_OUS, peer=OuIdentifier("peer", top.pem), client=OuIdentifier("client", given.pem))
    msp = Msp(msp_config("Org", given, node_ous=node_ous))
    peer = msp.identity(top.issue("peer0", "peer").pem, b"")
    assert peer.certifiers_identifier == sha256(top.certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize("high_s", [True, False])
def test_an_intermediate_in_either_form_certifies_under_one_name(high_s: bool) -> None:
    top = root(high_s=False)
    low = top.issue("ca", ca=True, high_s=False)
    given = top.reissued(low, high_s=high_s)
    node_ous = replace(NODE_OUS, peer=OuIdentifier("peer", low.pem))
    msp = Msp(msp_config("Org", top, intermediate_certs=(given.pem,), node_ous=node_ous))
    chain = [each.certificate.public_bytes(Encoding.DER) for each in (low, top)]
    assert msp.identity(low.issue("peer0", "peer").pem, b"").certifiers_identifier == sha256(*chain)


def test_a_root_must_have_signed_itself() -> None:
    refuse(msp_config("Org", ROOT.issue("ca", ca=True)), "not signed by itself")


def test_below_rsa_a_root_need_not_have_signed_itself() -> None:
    above = root("above", key=rsa.generate_private_key(65537, 2048))
    ca = above.issue("ca", ca=True)
    msp = Msp(msp_config("Org", ca))
    assert msp.identity(ca.issue("alice", "client").pem, b"").roles == {MspRole.MEMBER, MspRole.CLIENT}


def test_every_authority_must_be_one() -> None:
    refuse(msp_config("Org", root(ca=False)), "0 chains|CA attribute|not signed by itself")
    leaf = ROOT.issue("leaf")
    refuse(msp_config("Org", ROOT, intermediate_certs=(leaf.pem,)), "did not have the CA attribute")
    refuse(msp_config("Org", ROOT, intermediate_certs=(root("stranger").issue("x", ca=True).pem,)), "0 chains")
    refuse(msp_config("Org", ROOT, intermediate_certs=(root("stranger").pem,)), "0 chains")
    refuse(msp_config("Org", ROOT, intermediate_certs=(b"text",)), "not PEM")


def test_every_authority_must_have_a_key_identifier() -> None:
    refuse(msp_config("Org", root(key_identifier=False)), "no subject key identifier")
    bare = ROOT.issue("ca", ca=True, key_identifier=False)
    refuse(msp_config("Org", ROOT, intermediate_certs=(bare.pem,)), "no subject key identifier")


def test_name_constraints_are_refused_since_nobody_here_keeps_them() -> None:
    constraints = x509.NameConstraints([x509.DNSName("example.com")], None)
    refuse(msp_config("Org", root(extensions=[(constraints, False)])), "name constraints")
    refuse(msp_config("Org", root(extensions=[(constraints, True)])), "name constraints")


def test_an_authority_that_was_never_valid_is_refused() -> None:
    refuse(msp_config("Org", root(lifetime=timedelta(0))), "never valid")
    late = ROOT.issue("ca", ca=True, start=START + 2 * YEAR)
    refuse(msp_config("Org", ROOT, intermediate_certs=(late.pem,)), "0 chains")


def test_tls_authorities_are_a_tree_of_their_own() -> None:
    tls = root("tls root")
    below = tls.issue("tls ca", ca=True)
    config = msp_config("Org", ROOT, tls_root_certs=(tls.pem,), tls_intermediate_certs=(below.pem,))
    msp = Msp(config)
    assert (msp.tls_root_certs, msp.tls_intermediate_certs) == ((tls.pem,), (below.pem,))
    refuse(replace(config, tls_root_certs=(ROOT.pem,)), "0 chains")
    refuse(replace(config, tls_root_certs=(tls.pem, ROOT.issue("leaf").pem)), "CA attribute")
    refuse(replace(config, revocation_list=(tls.revoke(below.certificate.serial_number),)), "revoked")


def test_somebody_must_be_able_to_administer() -> None:
    no_admin_unit = replace(NODE_OUS, admin=None)
    refuse(msp_config("Org", ROOT, node_ous=no_admin_unit), "administrators must be declared")
    refuse(msp_config("Org", ROOT, node_ous=None), "administrators must be declared")
    refuse(msp_config("Org", ROOT, node_ous=replace(NODE_OUS, enable=False)), "administrators must be declared")
    admins = (ROOT.issue("boss", "client").pem,)
    Msp(msp_config("Org", ROOT, node_ous=no_admin_unit, admins=admins))
    Msp(msp_config("Org", ROOT, node_ous=None, admins=admins))


def test_a_listed_admin_must_be_a_client_or_an_admin() -> None:
    for unit in ("client", "admin"):
        Msp(msp_config("Org", ROOT, admins=(ROOT.issue("boss", unit).pem,)))
    refuse(msp_config("Org", ROOT, admins=(ROOT.issue("boss", "peer").pem,)), "admin 0 is invalid")
    refuse(msp_config("Org", ROOT, admins=(ROOT.issue("boss").pem,)), "admin 0 is invalid")
    refuse(msp_config("Org", ROOT, admins=(root().issue("boss", "admin").pem,)), "0 chains")


def test_without_node_units_a_listed_admin_must_be_valid() -> None:
    boss = ROOT.issue("boss")
    config = msp_config("Org", ROOT, node_ous=None, admins=(boss.pem,))
    assert Msp(config).identity(boss.pem, b"").roles == {MspRole.MEMBER, MspRole.ADMIN}
    refuse(replace(config, admins=(ROOT.issue("boss", ca=True).pem,)), "admin 0 is invalid: a CA")
    refuse(replace(config, revocation_list=(ROOT.revoke(boss.certificate.serial_number),)), "admin 0 is invalid")


def test_a_listed_admin_may_have_a_key_that_verifies_nothing() -> None:
    boss = ROOT.issue("boss", "client", key=rsa.generate_private_key(65537, 2048))
    identity = Msp(msp_config("Org", ROOT, admins=(boss.pem,))).deserialize(boss.pem, b"")
    assert identity.roles == {MspRole.ADMIN}
    assert identity.fault == "public key is not ECDSA"


def test_a_unit_can_only_name_a_ca_of_the_msp_that_issues_identities() -> None:
    ca = ROOT.issue("ca", ca=True)
    low = ca.issue("low", ca=True)
    config = msp_config("Org", ROOT, intermediate_certs=(ca.pem, low.pem))

    def tied(pem: bytes) -> MspConfig:
        return replace(config, node_ous=replace(NODE_OUS, peer=OuIdentifier("peer", pem)))

    for pem in (ROOT.pem, low.pem):
        Msp(tied(pem))
    refuse(tied(ca.pem), "certifies nobody")
    refuse(tied(ROOT.issue("unlisted", ca=True).pem), "none of the MSP's CAs")
    refuse(tied(root("stranger").pem), "none of the MSP's CAs")
    Msp(tied(b""))  # no certificate: any CA of the MSP will do


def test_a_required_unit_must_name_a_ca() -> None:
    units = (OuIdentifier("department1"),)
    refuse(msp_config("Org", ROOT, organizational_unit_identifiers=units), "not PEM")


def test_a_configuration_is_the_same_after_writing_and_reading() -> None:
    config = MspConfig(
        name="Org",
        root_certs=(b"a", b"b"),
        intermediate_certs=(b"c",),
        admins=(b"d",),
        revocation_list=(b"e",),
        organizational_unit_identifiers=(OuIdentifier("f", b"g"), OuIdentifier("h")),
        tls_root_certs=(b"i",),
        tls_intermediate_certs=(b"j",),
        node_ous=NodeOus(True, None, OuIdentifier("k", b"l"), None, OuIdentifier("m")),
    )
    for each in (config, replace(config, node_ous=None), replace(config, node_ous=replace(NODE_OUS, enable=False))):
        assert parse_msp_config(encode_msp_config(each)) == each


def test_hash_functions_that_are_left_out_are_fabrics_defaults() -> None:
    inner = msp_config_pb2.FabricMSPConfig(name="Org").SerializeToString()
    config = parse_msp_config(msp_config_pb2.MSPConfig(config=inner).SerializeToString())
    assert (config.signature_hash_family, config.identity_identifier_hash_function) == ("SHA2", "SHA256")


def test_idemix_and_garbage_are_refused() -> None:
    with pytest.raises(MalformedMessage, match="MSP type 1"):
        parse_msp_config(msp_config_pb2.MSPConfig(type=1).SerializeToString())
    for raw in (b"\xff", msp_config_pb2.MSPConfig(config=b"\xff").SerializeToString()):
        with pytest.raises(MalformedMessage):
            parse_msp_config(raw)
