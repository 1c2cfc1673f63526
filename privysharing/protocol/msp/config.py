"""What an organisation states about itself in a channel's configuration."""

from dataclasses import dataclass

from privysharing.protocol.errors import ProtocolError


class InvalidMsp(ProtocolError):
    """An MSP configuration that no membership can be derived from."""


@dataclass(frozen=True, slots=True)
class OuIdentifier:
    """msp.FabricOUIdentifier: an organizational unit, and the CA (PEM) that must have certified it, if any."""

    identifier: str
    certificate: bytes = b""


@dataclass(frozen=True, slots=True)
class NodeOus:
    """msp.FabricNodeOUs: the organizational units that tell clients, peers, admins and orderers apart."""

    enable: bool
    client: OuIdentifier | None = None
    peer: OuIdentifier | None = None
    admin: OuIdentifier | None = None
    orderer: OuIdentifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MspConfig:
    """msp.FabricMSPConfig without its signing identity, which is nobody else's business. Certificates are PEM."""

    name: str
    root_certs: tuple[bytes, ...]
    intermediate_certs: tuple[bytes, ...] = ()
    admins: tuple[bytes, ...] = ()
    revocation_list: tuple[bytes, ...] = ()  # CRLs, PEM or DER
    organizational_unit_identifiers: tuple[OuIdentifier, ...] = ()
    signature_hash_family: str = "SHA2"
    identity_identifier_hash_function: str = "SHA256"
    tls_root_certs: tuple[bytes, ...] = ()
    tls_intermediate_certs: tuple[bytes, ...] = ()
    node_ous: NodeOus | None = None
