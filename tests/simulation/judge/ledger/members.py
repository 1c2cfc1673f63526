"""Who somebody is to an organisation's MSP (msp/mspimpl.go, mspimplvalidate.go), under one configuration of it.

Certificates are judged as of one second after they begin, so none ever expires here: that is for doors to check.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulation.judge.ledger.messages import Unreadable, identities, msp_config, principals, read
from tests.simulation.judge.ledger.signatures import ORDERS, is_signed, signature_numbers

ATTRIBUTES = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")  # where a Fabric CA writes an identity's attributes
_NODE_OUS = ("client", "peer", "admin", "orderer")

Extension = TypeVar("Extension", bound=x509.ExtensionType)
_PEM = re.compile(rb"^-----BEGIN .*?^-----END [^\n]*?-----[ \t\r]*$", re.MULTILINE | re.DOTALL)


class NoMember(Exception):
    """Nobody whom the MSP can make anything of."""


@dataclass(frozen=True, eq=False)
class Member:
    """Somebody with a certificate below the MSP's own. `fault` says why the MSP does not vouch for him all the same."""

    msp_id: str
    certificate: x509.Certificate = field(repr=False)
    public_key: bytes = field(repr=False)
    same: bytes = field(repr=False)  # equal for every form of one certificate
    units: tuple[str, ...]
    certifiers: bytes = field(repr=False)
    roles: frozenset[int]  # of MSPRole.MSPRoleType
    fault: str

    def signed(self, message: bytes, signature: bytes) -> bool:
        return is_signed(self.public_key, message, signature)

    @cached_property
    def common_name(self) -> str:
        return str(self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)

    @cached_property
    def attributes(self) -> dict[str, str]:
        """What the CA wrote into the certificate besides."""
        try:
            found = self.certificate.extensions.get_extension_for_oid(ATTRIBUTES).value
        except x509.ExtensionNotFound:
            return {}
        assert isinstance(found, x509.UnrecognizedExtension)
        return dict(json.loads(found.value)["attrs"])


class Msp:
    """One organisation's MSP, from its msp.FabricMSPConfig."""

    def __init__(self, config: Any) -> None:
        self.msp_id: str = config.name
        self._roots = [_certificate(pem) for pem in config.root_certs]
        self._intermediates = [_certificate(pem) for pem in config.intermediate_certs]
        self._revoked = [x509.load_pem_x509_crl(pem) for pem in config.revocation_list]
        self._admins = [_same(self._only_chain(_certificate(pem))) for pem in config.admins]
        chains = [self._only_chain(each) for each in self._intermediates]
        self._inner = {_der(above) for chain in chains for above in chain[1:]}  # they have others issue for them
        self._node_ous = _node_ous(config.fabric_node_ous)
        self._required_ous = list(config.organizational_unit_identifiers)
        self._members: dict[bytes, Member | None] = {}

    def member(self, pem: bytes) -> Member:
        """Whom a certificate names (DeserializeIdentity, then Validate). Raises NoMember."""
        if pem not in self._members:
            try:
                self._members[pem] = self._make_member(_certificate(pem))
            except NoMember:
                self._members[pem] = None
        found = self._members[pem]
        if found is None:
            raise NoMember
        return found

    def satisfies(self, member: Member, principal: Any) -> bool:
        """Whether a member is whom a policy asks for (SatisfiesPrincipal). Raises Unreadable."""
        kind, raw = principal.principal_classification, principal.principal
        if kind == principals.MSPPrincipal.ROLE:
            msp_id, role = _role(raw)
            return msp_id == self.msp_id and role in member.roles
        if kind == principals.MSPPrincipal.ORGANIZATION_UNIT:
            unit = read(principals.OrganizationUnit, raw)
            named = (unit.organizational_unit_identifier, unit.certifiers_identifier)
            asked = [(name, member.certifiers) for name in member.units]
            return bool(unit.msp_identifier == self.msp_id and not member.fault and named in asked)
        if kind == principals.MSPPrincipal.IDENTITY:
            return self._is(member, read(identities.SerializedIdentity, raw))
        if kind == principals.MSPPrincipal.COMBINED:
            parts = read(principals.CombinedPrincipal, raw).principals
            return bool(parts) and all(self.satisfies(member, part) for part in parts)
        if kind == principals.MSPPrincipal.ANONYMITY:
            anonymity = read(principals.MSPIdentityAnonymity, raw).anonymity_type
            return bool(anonymity == principals.MSPIdentityAnonymity.NOMINAL)
        return False

    def _is(self, member: Member, identity: Any) -> bool:
        try:
            other = self.member(identity.id_bytes)
        except NoMember:
            return False
        return bool(identity.mspid == self.msp_id) and other.same == member.same and not other.fault

    def _make_member(self, certificate: x509.Certificate) -> Member:
        chain = self._only_chain(certificate)
        units = _units(certificate)
        certifiers = _certifiers(chain[1:])
        fault = self._fault(certificate, chain, units, certifiers)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        same = _same(chain)
        roles = self._roles(units, is_admin=same in self._admins, valid=not fault)
        return Member(self.msp_id, certificate, key, same, units, certifiers, roles, fault)

    def _fault(
        self, certificate: x509.Certificate, chain: list[x509.Certificate], units: tuple[str, ...], certifiers: bytes
    ) -> str:
        """validateIdentity."""
        if not isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
            return "a key that is not ECDSA"
        if _is_ca(certificate):
            return "a certificate authority"
        if _der(chain[1]) in self._inner:
            return "issued by an authority that has others issue for it"
        if any(_revokes(each, chain[1], certificate) for each in self._revoked):
            return "revoked"
        if self._required_ous and not any(self._has(units, certifiers, each) for each in self._required_ous):
            return "in none of the units that the organisation asks for"
        return self._node_ou_fault(units, certifiers)

    def _node_ou_fault(self, units: tuple[str, ...], certifiers: bytes) -> str:
        """validateIdentityOUsV142: exactly one of the units that tell clients, peers, admins and orderers apart."""
        if not self._node_ous:
            return ""
        by_unit = {each.organizational_unit_identifier: each for each in self._node_ous.values()}
        found = [by_unit[unit] for unit in units if unit in by_unit]
        if len(found) != 1:
            return f"{len(found)} node units"
        return "" if self._has(units, certifiers, found[0]) else "a node unit of another certifier"

    def _has(self, units: tuple[str, ...], certifiers: bytes, identifier: Any) -> bool:
        if identifier.organizational_unit_identifier not in units:
            return False
        return not identifier.certificate or self._certifiers_of(identifier.certificate) == certifiers

    @lru_cache(64)  # noqa: B019  (an MSP lives as long as the process)
    def _certifiers_of(self, pem: bytes) -> bytes:
        return _certifiers(self._only_chain(_certificate(pem)))

    def _roles(self, units: tuple[str, ...], *, is_admin: bool, valid: bool) -> frozenset[int]:
        """satisfiesPrincipalInternalV142: an admin who is listed is one, valid or not."""
        role = principals.MSPRole
        found = {role.MEMBER} if valid else set()
        for name, number in zip(_NODE_OUS, (role.CLIENT, role.PEER, role.ADMIN, role.ORDERER), strict=True):
            if valid and name in self._node_ous and self._node_ous[name].organizational_unit_identifier in units:
                found.add(number)
        return frozenset(found | ({role.ADMIN} if is_admin else set()))

    def _only_chain(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """The chain up to a root (getUniqueValidationChain); two would leave open who owns the identity."""
        moment = certificate.not_valid_before_utc + timedelta(seconds=1)
        chains = [[certificate]] if _der(certificate) in map(_der, self._roots) else self._chains([certificate], moment)
        if len(chains) != 1:
            raise NoMember(f"{len(chains)} chains")
        return chains[0]

    def _chains(self, chain: list[x509.Certificate], moment: datetime) -> list[list[x509.Certificate]]:
        found = [[*chain, each] for each in self._roots if _issued(each, chain, moment)]
        for each in self._intermediates:
            if each not in chain and _issued(each, chain, moment):
                found += self._chains([*chain, each], moment)
        return found


@lru_cache(1 << 12)
def msp(config: bytes) -> Msp:
    """The MSP of a marshalled msp.MSPConfig, the same object for the same bytes. Raises Unreadable, NoMember."""
    outer = read(msp_config.MSPConfig, config)
    if outer.type != 0:
        raise Unreadable("an MSP that is not of X.509 certificates")
    return Msp(read(msp_config.FabricMSPConfig, outer.config))


@lru_cache(1 << 10)
def _role(raw: bytes) -> tuple[str, int]:
    role = read(principals.MSPRole, raw)
    return role.msp_identifier, role.role


def _issued(parent: x509.Certificate, chain: list[x509.Certificate], moment: datetime) -> bool:
    """Whether a CA is next in a chain (crypto/x509 isValid and CheckSignatureFrom)."""
    if not _is_ca(parent) or not parent.not_valid_before_utc <= moment <= parent.not_valid_after_utc:
        return False
    constraints, usage = _extension(parent, x509.BasicConstraints), _extension(parent, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return False
    if constraints and constraints.path_length is not None and len(chain) - 1 > constraints.path_length:
        return False
    try:
        chain[-1].verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _revokes(crl: x509.CertificateRevocationList, issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """validateCertAgainstChain: times in the list do not matter."""
    authority, subject = _extension(crl, x509.AuthorityKeyIdentifier), _extension(issuer, x509.SubjectKeyIdentifier)
    if authority is None or subject is None or authority.key_identifier != subject.digest:
        return False
    if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is None:
        return False
    key: Any = issuer.public_key()
    return crl.is_signature_valid(key)


def _node_ous(config: Any) -> dict[str, Any]:
    """By role, the units that tell roles apart; none where they are not enforced (setupNodeOUsV142)."""
    named = {name: f"{name}_ou_identifier" for name in _NODE_OUS}
    return {name: getattr(config, field) for name, field in named.items() if config.enable and config.HasField(field)}


def _certificate(pem: bytes) -> x509.Certificate:
    """Go's encoding/pem sees a block only in lines of its own; the library sees one anywhere."""
    block = _PEM.search(pem)
    try:
        certificate = x509.load_pem_x509_certificate(block[0] if block else b"")
        _ = certificate.extensions, certificate.public_key()
    except Exception as error:  # the library refuses in many ways, which mean one thing
        raise NoMember("not a certificate") from error
    return certificate


def _same(chain: list[x509.Certificate]) -> bytes:
    """What stays when the signature on a certificate takes its other form, with the other s (sanitizeCert)."""
    certificate, key = chain[0], chain[:2][-1].public_key()
    numbers = signature_numbers(certificate.signature)
    if numbers is None or not isinstance(key, ec.EllipticCurvePublicKey):
        return certificate.tbs_certificate_bytes + certificate.signature
    r, s = numbers
    return certificate.tbs_certificate_bytes + f"{r} {min(s, ORDERS[key.curve.name] - s)}".encode()


def _certifiers(chain: Iterable[x509.Certificate]) -> bytes:
    """getCertificationChainIdentifierFromChain."""
    return hashlib.sha256(b"".join(map(_der, chain))).digest()


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _units(certificate: x509.Certificate) -> tuple[str, ...]:
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
    return tuple(str(each.value) for each in found)


def _is_ca(certificate: x509.Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _extension(holder: Any, kind: type[Extension]) -> Extension | None:
    try:
        found = holder.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(found, kind)
    return found
