"""One organisation's membership service provider (msp/mspimpl.go at MSPv1_4_3, which channel level V2_0 brings)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from privysharing.protocol.codec.msps import parse_serialized_identity
from privysharing.protocol.crypto import VerifyingKey, sha256
from privysharing.protocol.errors import ProtocolError
from privysharing.protocol.msp.authorities import chain_identifier, check_tls_authorities, trusted_authorities
from privysharing.protocol.msp.certificates import der, is_ca, organizational_units, parse_certificate, sanitize
from privysharing.protocol.msp.chains import Chain
from privysharing.protocol.msp.config import InvalidMsp, MspConfig
from privysharing.protocol.msp.identity import Identity, InvalidIdentity
from privysharing.protocol.msp.principals import (
    AnonymityPrincipal,
    CombinedPrincipal,
    IdentityPrincipal,
    MspPrincipal,
    MspRole,
    OuPrincipal,
    RolePrincipal,
    UnknownPrincipal,
)
from privysharing.protocol.msp.units import Units, read_units

PRINCIPAL_IDENTITIES_CACHED_MAX: Final = 256  # certificates that policies name one by one
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Msp:
    """Says who belongs to one organisation. Immutable: a new configuration makes a new one."""

    def __init__(self, config: MspConfig) -> None:
        """Check the configuration as a whole; raises InvalidMsp."""
        self.name = config.name
        self.tls_root_certs = config.tls_root_certs
        self.tls_intermediate_certs = config.tls_intermediate_certs
        hash_functions = (config.signature_hash_family, config.identity_identifier_hash_function)
        if hash_functions != ("SHA2", "SHA256"):
            raise InvalidMsp(f"MSP {config.name} wants hash functions {hash_functions}; only SHA2 with SHA256 is known")
        try:
            self._trusted = trusted_authorities(config)
            check_tls_authorities(config, self._trusted)
            self._units: Units = read_units(config, self._trusted)
            self._admins: frozenset[bytes] = frozenset()
            self._admins = self._read_admins(config)
        except ProtocolError as error:
            raise InvalidMsp(f"MSP {config.name}: {error}") from error
        self._principal_identity = lru_cache(PRINCIPAL_IDENTITIES_CACHED_MAX)(self._parse_principal_identity)

    def identity(self, id_bytes: bytes, serialized: bytes) -> Identity:
        """The valid identity behind a PEM certificate; anything else raises InvalidIdentity (Validate)."""
        identity = self.deserialize(id_bytes, serialized)
        if identity.fault is not None:
            raise InvalidIdentity(f"MSP {self.name}: {identity.fault}")
        return identity

    def deserialize(self, id_bytes: bytes, serialized: bytes) -> Identity:
        """The identity behind a PEM certificate, valid or not; raises InvalidIdentity where no CA of ours signed it.

        Fabric's DeserializeIdentity: a certificate on the list of admins is an admin's even after it was revoked.
        """
        certificate = parse_certificate(id_bytes)
        chain = self._trusted.unique_chain(certificate)
        if len(chain) > 1:
            certificate = sanitize(certificate, chain[1])
        chain = (certificate, *chain[1:])
        fault = self._issuing_fault(chain)
        ous, certifiers = ((), b"") if fault else (organizational_units(certificate), chain_identifier(chain[1:]))
        fault = fault or self._trusted.revocation_fault(certificate, chain[1]) or self._units.fault(ous, certifiers)
        public_key = certificate.public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            fault = "public key is not ECDSA"
        raw = der(certificate)
        return Identity(
            msp_id=self.name,
            serialized=serialized,
            certificate=certificate,
            public_key=VerifyingKey(public_key),
            dedupe_key=(self.name, sha256(raw)),
            expires_at_ns=(certificate.not_valid_after_utc - _EPOCH) // timedelta(microseconds=1) * 1000,
            ous=ous,
            certifiers_identifier=certifiers,
            roles=self._roles(raw, ous, valid=fault is None),
            fault=fault,
        )

    def satisfies(self, identity: Identity, principal: MspPrincipal) -> bool:
        """Whether an identity of this MSP is whom a policy asks for (SatisfiesPrincipal)."""
        match principal:
            case RolePrincipal(msp_id, role):
                return msp_id == self.name == identity.msp_id and role in identity.roles
            case CombinedPrincipal(principals):
                return bool(principals) and all(self.satisfies(identity, each) for each in principals)
            case OuPrincipal(msp_id, unit, certifiers):
                belongs = msp_id == self.name == identity.msp_id and identity.fault is None
                return belongs and unit in identity.ous and certifiers == identity.certifiers_identifier
            case IdentityPrincipal(serialized):
                return identity.fault is None and self._is_same(identity, serialized)
            case AnonymityPrincipal(anonymous):
                return not anonymous
            case UnknownPrincipal():
                return False

    def _issuing_fault(self, chain: Chain) -> str | None:
        if is_ca(chain[0]):
            return "a CA's certificate cannot be used as an identity"
        if len(chain) < 2:
            return "expected a chain of length at least 2"
        return self._trusted.issuer_fault(chain[1])

    def _roles(self, raw: bytes, ous: tuple[str, ...], *, valid: bool) -> frozenset[MspRole]:
        roles = {MspRole.MEMBER, *self._units.roles(ous)} if valid else set()
        return frozenset(roles | {MspRole.ADMIN}) if raw in self._admins else frozenset(roles)

    def _read_admins(self, config: MspConfig) -> frozenset[bytes]:
        """The listed admins' certificates; each is a client or an admin by its units, or valid where there are none."""
        if not config.admins and not self._units.tells_admins:
            raise InvalidMsp("administrators must be declared when no admin ou classification is set")
        admins = [self.deserialize(pem, b"") for pem in config.admins]
        for number, admin in enumerate(admins):
            if self._units.enforced:
                fits = not self._units.roles(admin.ous).isdisjoint({MspRole.CLIENT, MspRole.ADMIN})
            else:
                fits = admin.fault is None
            if not fits:
                raise InvalidMsp(f"admin {number} is invalid: {admin.fault or 'neither client nor admin'}")
        return frozenset(der(admin.certificate) for admin in admins)

    def _is_same(self, identity: Identity, serialized: bytes) -> bool:
        if serialized == identity.serialized:
            return True
        try:
            return self._principal_identity(serialized) == identity.dedupe_key
        except ProtocolError:
            return False

    def _parse_principal_identity(self, serialized: bytes) -> tuple[str, bytes]:
        msp_id, id_bytes = parse_serialized_identity(serialized)
        if msp_id != self.name:
            raise InvalidIdentity(f"expected MSP ID {self.name}, received {msp_id}")
        return self.deserialize(id_bytes, serialized).dedupe_key
