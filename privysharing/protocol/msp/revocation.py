"""Certificate revocation lists, as an MSP configuration carries them. The time of a revocation plays no part."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from privysharing.protocol.msp.certificates import decode_pem, subject_key_identifier
from privysharing.protocol.msp.config import InvalidMsp


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One list: which serial numbers it takes back, and the identifier of the key that claims to have signed it."""

    crl: x509.CertificateRevocationList
    serial_numbers: frozenset[int]
    authority: bytes | None
    names_authority: bool  # whether there is such an extension at all

    def revokes(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Whether `issuer` says on this list that it takes `certificate` back."""
        if self.authority != subject_key_identifier(issuer):
            return False
        return certificate.serial_number in self.serial_numbers and _signed_by(self.crl, issuer)


def parse_revocation_list(raw: bytes) -> RevocationList:
    """Read a PEM or DER list."""
    der = decode_pem(raw) if raw.startswith(b"-----BEGIN X509 CRL") else raw
    try:
        crl = x509.load_der_x509_crl(der or b"")
        serial_numbers = frozenset(entry.serial_number for entry in crl)
        authority = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return RevocationList(crl, serial_numbers, None, names_authority=False)
    except Exception:
        # The library refuses in many ways (ValueError, its own exceptions): to us they mean one thing.
        raise InvalidMsp("revocation list cannot be read") from None
    return RevocationList(crl, serial_numbers, authority, names_authority=True)


def _signed_by(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return False
    try:
        return crl.is_signature_valid(key)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
