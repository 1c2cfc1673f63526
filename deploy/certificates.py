"""Keys and X.509 certificates: authorities, ledger identities and TLS certificates.

P-256 throughout, and every signature in low-S form: an MSP re-encodes a certificate whose issuer signed otherwise, and
then two forms of it are about.
"""

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from privysharing.protocol.crypto import to_low_s

LIFETIME = timedelta(days=3650)  # cryptogen's
BACKDATED = timedelta(minutes=5)  # cryptogen's: for nodes whose clocks run behind
ATTRIBUTES_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")  # fabric-ca: JSON {"attrs": {...}}


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key, PKCS#8, not encrypted: file permissions guard it, as in Fabric."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Chance:
    """Where what nobody may guess comes from. A simulation, which guards nothing, has its own to be repeatable."""

    key: Callable[[], ec.EllipticCurvePrivateKey] = _new_key
    serial_number: Callable[[], int] = x509.random_serial_number
    repeatable_signatures: bool = False  # RFC 6979


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA. `now` is the time at which everything that it issues begins to count."""

    credential: Credential
    organisation: str
    now: datetime
    chance: Chance = Chance()

    @classmethod
    def root(cls, common_name: str, organisation: str, now: datetime, chance: Chance = Chance()) -> "Authority":
        """A CA that certifies itself."""
        key = chance.key()
        builder = _ca(_certificate(_name(organisation, common_name), key, now), key, path_length=None)
        signed = _sign(builder.issuer_name(_name(organisation, common_name)), key, key, chance)
        return cls(signed, organisation, now, chance)

    def intermediate(self, common_name: str, organisation: str) -> "Authority":
        """A CA below this one that certifies no further CAs."""
        key = self.chance.key()
        builder = _ca(_certificate(_name(organisation, common_name), key, self.now), key, path_length=0)
        return Authority(self._issue(builder, key), organisation, self.now, self.chance)

    def identity(self, common_name: str, unit: str, attributes: Mapping[str, str] | None = None) -> Credential:
        """Somebody who signs on the ledger; `unit` is the node OU: client, peer, admin or orderer."""
        key = self.chance.key()
        builder = _leaf(_certificate(_name(self.organisation, common_name, unit), key, self.now), _usage(digital=True))
        if attributes:
            text = json.dumps({"attrs": dict(attributes)}, separators=(",", ":"), sort_keys=True)
            builder = builder.add_extension(x509.UnrecognizedExtension(ATTRIBUTES_OID, text.encode()), critical=False)
        return self._issue(builder, key)

    def tls(self, common_name: str, hosts: Sequence[str] = ()) -> Credential:
        """Either end of a TLS connection: nodes call each other with the certificate that they serve with."""
        key = self.chance.key()
        usage = _usage(digital=True, encipherment=True)
        builder = _leaf(_certificate(_name(self.organisation, common_name), key, self.now), usage).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return self._issue(builder, key)

    def _issue(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> Credential:
        issuer = self.credential
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.issuer_name(issuer.certificate.subject).add_extension(identifier, critical=False)
        return _sign(builder, key, issuer.key, self.chance)


def _certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + LIFETIME)
    )


def _sign(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    chance: Chance,
) -> Credential:
    """Sign until the signature is in low-S form, which every second one is."""
    while True:
        numbered = builder.serial_number(chance.serial_number())
        certificate = numbered.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=chance.repeatable_signatures)
        if to_low_s(certificate.signature) == certificate.signature:
            return Credential(certificate, key)


def _ca(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, path_length: int | None
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(digital=True, ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _leaf(builder: x509.CertificateBuilder, usage: x509.KeyUsage) -> x509.CertificateBuilder:
    return builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).add_extension(
        usage, critical=True
    )


def _usage(*, digital: bool = False, encipherment: bool = False, ca: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital,
        key_encipherment=encipherment,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organisation: str, common_name: str, unit: str = "") -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name)]
    if unit:
        parts.insert(1, (NameOID.ORGANIZATIONAL_UNIT_NAME, unit))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
