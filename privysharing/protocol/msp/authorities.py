"""An MSP's certificate authorities once they are checked, and what they say about a certificate."""

from dataclasses import dataclass

from cryptography import x509

from privysharing.protocol.crypto import sha256
from privysharing.protocol.msp.certificates import (
    ECDSA_SIGNATURES,
    der,
    extension,
    is_ca,
    parse_certificate,
    sanitize,
    subject_key_identifier,
)
from privysharing.protocol.msp.chains import Authorities, Chain, may_sign, signed_by
from privysharing.protocol.msp.config import InvalidMsp, MspConfig
from privysharing.protocol.msp.identity import InvalidIdentity
from privysharing.protocol.msp.revocation import RevocationList, parse_revocation_list


@dataclass(frozen=True, slots=True)
class TrustedAuthorities:
    """Roots and intermediates in low-S form, the ones that have a CA below them, and the revocation lists."""

    authorities: Authorities
    inner: frozenset[bytes]  # DER of every CA that stands above an intermediate
    revocation_lists: tuple[RevocationList, ...]

    def unique_chain(self, certificate: x509.Certificate) -> Chain:
        """The one chain above a certificate."""
        return self.authorities.unique_chain(certificate)

    def issuer_fault(self, issuer: x509.Certificate) -> str | None:
        """Only the leaves of the tree of CAs may issue identities (msp getValidationChain)."""
        return "issued by a CA that stands above another one of the MSP" if der(issuer) in self.inner else None

    def revocation_fault(self, certificate: x509.Certificate, issuer: x509.Certificate) -> str | None:
        """Whether a list takes the certificate back (msp validateCertAgainstChain)."""
        for revocations in self.revocation_lists:
            if not revocations.names_authority:
                return "the MSP has a revocation list that does not say whose it is"
            if revocations.revokes(certificate, issuer):
                return "revoked"
        return None

    def certifiers_identifier(self, pem: bytes) -> bytes:
        """Hash of the chain that begins with one of these CAs (msp getCertifiersIdentifier)."""
        certificate = _sanitized(parse_certificate(pem), self.authorities)
        if certificate in self.authorities.roots:
            return chain_identifier((certificate,))
        if certificate not in self.authorities.intermediates:
            raise InvalidMsp("an organizational unit names a certificate that is none of the MSP's CAs")
        if fault := self.issuer_fault(certificate):
            raise InvalidMsp(f"an organizational unit names a CA that certifies nobody: {fault}")
        return chain_identifier(self.unique_chain(certificate))


def chain_identifier(issuers: Chain) -> bytes:
    """The name of a chain of CAs: the hash of their certificates, the nearest first."""
    return sha256(*map(der, issuers))


def trusted_authorities(config: MspConfig) -> TrustedAuthorities:
    """Check and take in an MSP's CAs (msp setupCAs, setupCRLs, finalizeSetupCAs)."""
    if not config.root_certs:
        raise InvalidMsp("expected at least one CA certificate")
    given = Authorities(_read(config.root_certs), _read(config.intermediate_certs))
    roots = tuple(_sanitized(certificate, given) for certificate in given.roots)
    intermediates = tuple(_sanitized(certificate, given) for certificate in given.intermediates)
    authorities = Authorities(roots, intermediates)
    lists = tuple(map(parse_revocation_list, config.revocation_list))
    trusted = TrustedAuthorities(authorities, _inner(authorities), lists)
    for certificate in (*roots, *intermediates):
        _check_authority(certificate, trusted)
    return trusted


def check_tls_authorities(config: MspConfig, trusted: TrustedAuthorities) -> None:
    """The CAs for TLS form a tree of their own, under the same revocation lists (msp setupTLSCAs)."""
    authorities = Authorities(_read(config.tls_root_certs), _read(config.tls_intermediate_certs))
    tls = TrustedAuthorities(authorities, frozenset(), trusted.revocation_lists)
    for certificate in (*authorities.roots, *authorities.intermediates):
        _check_authority(certificate, tls)


def _read(pems: tuple[bytes, ...]) -> tuple[x509.Certificate, ...]:
    """The certificates, each once: a repeated one opens no second chain."""
    return tuple(dict.fromkeys(map(parse_certificate, pems)))


def _sanitized(certificate: x509.Certificate, authorities: Authorities) -> x509.Certificate:
    """A CA's certificate in low-S form, a root's by its own key (msp sanitizeCert)."""
    if may_sign(certificate) and signed_by(certificate, certificate):
        return sanitize(certificate, certificate)
    chain = authorities.unique_chain(certificate)
    if len(chain) > 1:
        return sanitize(certificate, chain[1])
    if certificate.signature_algorithm_oid in ECDSA_SIGNATURES:
        raise InvalidMsp("a root certificate is not signed by itself")
    return certificate


def _inner(authorities: Authorities) -> frozenset[bytes]:
    chains = map(authorities.unique_chain, authorities.intermediates)
    return frozenset(der(above) for chain in chains for above in chain[1:])


def _check_authority(certificate: x509.Certificate, trusted: TrustedAuthorities) -> None:
    """A CA has a key identifier, a chain, and has not been revoked by the CA above it."""
    serial = f"CA certificate {certificate.serial_number:x}"
    if not is_ca(certificate):
        raise InvalidMsp(f"{serial} did not have the CA attribute")
    if subject_key_identifier(certificate) is None:
        raise InvalidMsp(f"{serial} has no subject key identifier")
    if extension(certificate, x509.NameConstraints) is not None:
        raise InvalidMsp(f"{serial} has name constraints, which this implementation does not enforce")
    try:
        chain = trusted.unique_chain(certificate)
    except InvalidIdentity as refusal:
        raise InvalidMsp(f"{serial} is not valid: {refusal}") from None
    if len(chain) > 1 and (fault := trusted.revocation_fault(certificate, chain[1])):
        raise InvalidMsp(f"{serial} is not valid: {fault}")
