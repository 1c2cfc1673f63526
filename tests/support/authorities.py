"""Certificate authorities for tests, which also issue what no honest authority would."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from privysharing.protocol.crypto import CURVE_ORDERS, SigningIdentity
from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier
from privysharing.protocol.msp.signing import load_signing_identity

START = datetime(2024, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
NODE_OUS = NodeOus(True, *(OuIdentifier(unit) for unit in ("client", "peer", "admin", "orderer")))

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Holder:
    """A certificate and its key; an authority when the certificate allows it."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def signer(self, msp_id: str) -> SigningIdentity:
        return load_signing_identity(self.pem, self.key_pem, msp_id)

    def issue(
        self,
        common_name: str = "somebody",
        *units: str,
        ca: bool = False,
        path_length: int | None = None,
        start: datetime = START,
        lifetime: timedelta = YEAR,
        extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
        key_identifier: bool = True,
        basic_constraints: bool = True,
        key: PrivateKey | None = None,
        high_s: bool | None = None,
        issuer: str | None = None,
        serial: int | None = None,
    ) -> "Holder":
        """A certificate below this one; `high_s` chooses the form of the signature on it.

        With `key` and `serial` it is the same one each time.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name, units))
            .issuer_name(_name(issuer, ()) if issuer else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number() if serial is None else serial)
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
        )
        if basic_constraints:
            builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
        if key_identifier:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return Holder(_sign(builder, self.key, high_s), key)

    def reissued(self, child: "Holder", *, high_s: bool) -> "Holder":
        """The same certificate of a child, this authority's signature in the other form."""
        order = CURVE_ORDERS["secp256r1"]
        r, s = utils.decode_dss_signature(child.certificate.signature)
        s = max(s, order - s) if high_s else min(s, order - s)
        raw, old = child.certificate.public_bytes(Encoding.DER), child.certificate.signature
        new = utils.encode_dss_signature(r, s)
        body = raw[4 : raw.index(old) - 3] + _der(0x03, b"\x00" + new)
        return Holder(x509.load_der_x509_certificate(_der(0x30, body)), child.key)

    def revoke(self, *serial_numbers: int, names_authority: bool = True, key: PrivateKey | None = None) -> bytes:
        """A PEM revocation list, signed with `key` or one's own."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(START).next_update(START + YEAR)
        if names_authority:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        for number in serial_numbers:
            revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(START + 100 * YEAR).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def root(common_name: str = "root", *, key: PrivateKey | None = None, **choices: object) -> Holder:
    """An authority that certifies itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, ())
    seed = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    seed = seed.serial_number(1).not_valid_before(START).not_valid_after(START + YEAR)
    itself = Holder(seed.sign(key, hashes.SHA256()), key)
    issue: Callable[..., Holder] = itself.issue
    return issue(common_name, **{"ca": True, "key": key, **choices})


def msp_config(name: str, *roots: Holder, **fields: object) -> MspConfig:
    """An MSP with node OUs (unless told otherwise) and these roots."""
    make: Callable[..., MspConfig] = MspConfig
    return make(name=name, root_certs=tuple(each.pem for each in roots), **{"node_ous": NODE_OUS, **fields})


def _name(common_name: str, units: Iterable[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _sign(builder: x509.CertificateBuilder, key: PrivateKey, high_s: bool | None) -> x509.Certificate:
    while True:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            return builder.sign(key, hashes.SHA256())
        certificate = builder.sign(key, hashes.SHA256(), ecdsa_deterministic=high_s is None)
        if high_s is None:
            return certificate
        _, s = utils.decode_dss_signature(certificate.signature)
        if (s > CURVE_ORDERS[key.curve.name] // 2) == high_s:
            return certificate


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
