"""From a certificate up to a root: the rules of Go's x509.Certificate.Verify as Fabric's MSP calls it.

Time stands still at one second after the certificate's NotBefore, so expiry never plays a part afterwards
(msp getValidityOptsForCert); the certificates above must have been valid at that time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from privysharing.protocol.msp.certificates import extension, is_ca
from privysharing.protocol.msp.identity import InvalidIdentity

Chain = tuple[x509.Certificate, ...]  # the certificate itself first, a root last

SIGNATURE_CHECKS_MAX: Final = 100  # Go maxChainSignatureChecks: what one certificate may cost
_KNOWN_EXTENSIONS: Final = frozenset(
    {
        x509.OID_AUTHORITY_INFORMATION_ACCESS,
        x509.OID_AUTHORITY_KEY_IDENTIFIER,
        x509.OID_BASIC_CONSTRAINTS,
        x509.OID_CERTIFICATE_POLICIES,
        x509.OID_CRL_DISTRIBUTION_POINTS,
        x509.OID_EXTENDED_KEY_USAGE,
        x509.OID_KEY_USAGE,
        x509.OID_SUBJECT_ALTERNATIVE_NAME,
        x509.OID_SUBJECT_KEY_IDENTIFIER,
    }
)
_WEAK_HASHES: Final = (hashes.SHA1, hashes.MD5)
# Go asks for server authentication when the caller does not say what for, and Fabric does not.
_ACCEPTED_USAGES: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


@dataclass(frozen=True, slots=True)
class Authorities:
    """The certificate authorities of one MSP."""

    roots: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()

    def unique_chain(self, certificate: x509.Certificate) -> Chain:
        """The one chain from `certificate` to a root; none, or more than one, raises InvalidIdentity."""
        at = certificate.not_valid_before_utc + timedelta(seconds=1)
        if not _acceptable(certificate, at):
            raise InvalidIdentity(
                "certificate is never valid, or has extensions (critical, or policy constraints) that nobody here knows"
            )
        if certificate in self.roots:
            chains: list[Chain] = [(certificate,)]
        else:
            chains = list(self._extended((certificate,), at, _Budget(SIGNATURE_CHECKS_MAX)))
        chains = [chain for chain in chains if all(map(_usable, chain))]
        if len(chains) != 1:
            raise InvalidIdentity(f"certificate has {len(chains)} chains to the MSP's roots instead of one")
        return chains[0]

    def _extended(self, chain: Chain, at: datetime, budget: "_Budget") -> Iterator[Chain]:
        for root in self.roots:
            if _issued(root, chain, at, budget):
                yield (*chain, root)
        for intermediate in self.intermediates:
            if _issued(intermediate, chain, at, budget):
                yield from self._extended((*chain, intermediate), at, budget)


class _Budget:
    """How many more signatures may be checked."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InvalidIdentity("certificate takes too many signature checks")


def _issued(parent: x509.Certificate, chain: Chain, at: datetime, budget: _Budget) -> bool:
    """Whether `parent` may stand above the last certificate of `chain`."""
    child = chain[-1]
    if child.issuer != parent.subject or any(_same_owner(parent, below) for below in chain):
        return False
    if not may_sign(parent) or not _acceptable(parent, at):
        return False
    constraints = extension(parent, x509.BasicConstraints)
    limit = None if constraints is None else constraints.path_length
    if limit is not None and len(chain) - 1 > limit:
        return False
    budget.spend()
    return signed_by(child, parent)


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates: a CA's, with that key usage if it lists any (Go CheckSignatureFrom)."""
    usage = extension(certificate, x509.KeyUsage)
    return is_ca(certificate) and (usage is None or usage.key_cert_sign)


def signed_by(child: x509.Certificate, parent: x509.Certificate) -> bool:
    """Whether `parent` carries the name and the key behind `child`'s signature."""
    try:
        if isinstance(child.signature_hash_algorithm, _WEAK_HASHES):
            return False
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _acceptable(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether it was in force at that time, all of its critical extensions are known, and it demands no policies."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        return False
    # Go weighs policies against each other; a certificate that insists on them is refused here instead.
    demands_policies = extension(certificate, x509.PolicyConstraints) is not None
    return not demands_policies and all(e.oid in _KNOWN_EXTENSIONS for e in certificate.extensions if e.critical)


def _usable(certificate: x509.Certificate) -> bool:
    usages = extension(certificate, x509.ExtendedKeyUsage)
    return usages is None or not _ACCEPTED_USAGES.isdisjoint(usages)


def _same_owner(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Same subject, key and alternative names: such a certificate never stands twice in a chain."""
    return one.subject == other.subject and _owner(one) == _owner(other)


def _owner(certificate: x509.Certificate) -> tuple[bytes, x509.SubjectAlternativeName | None]:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key, extension(certificate, x509.SubjectAlternativeName)
