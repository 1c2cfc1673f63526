"""msp.MSPConfig, msp.SerializedIdentity and msp.MSPPrincipal."""

from typing import Final, cast

from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier
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
from privysharing.wire.msp import identities_pb2, msp_config_pb2, msp_principal_pb2

X509_MSP_TYPE: Final = 0  # msp.FABRIC; 1 is Idemix
COMBINED_DEPTH_MAX: Final = 32  # Fabric has no limit; deeper nesting than this means nothing to anybody

_Kind = msp_principal_pb2.MSPPrincipal


def parse_serialized_identity(raw: bytes) -> tuple[str, bytes]:
    """Read an identity's MSP id and certificate (PEM)."""
    message = decode(identities_pb2.SerializedIdentity, raw)
    return message.mspid, message.id_bytes


def encode_serialized_identity(msp_id: str, id_bytes: bytes) -> bytes:
    """An identity as creators and endorsers are named."""
    return identities_pb2.SerializedIdentity(mspid=msp_id, id_bytes=id_bytes).SerializeToString()


def parse_msp_config(raw: bytes) -> MspConfig:
    """Read an MSPConfig of type X.509; its hash functions default to Fabric's."""
    outer = decode(msp_config_pb2.MSPConfig, raw)
    if outer.type != X509_MSP_TYPE:
        raise MalformedMessage(f"MSP type {outer.type} is not supported, only X.509 (0)")
    message = decode(msp_config_pb2.FabricMSPConfig, outer.config)
    nodes = message.fabric_node_ous
    return MspConfig(
        name=message.name,
        root_certs=tuple(message.root_certs),
        intermediate_certs=tuple(message.intermediate_certs),
        admins=tuple(message.admins),
        revocation_list=tuple(message.revocation_list),
        organizational_unit_identifiers=tuple(map(_ou, message.organizational_unit_identifiers)),
        signature_hash_family=message.crypto_config.signature_hash_family or "SHA2",
        identity_identifier_hash_function=message.crypto_config.identity_identifier_hash_function or "SHA256",
        tls_root_certs=tuple(message.tls_root_certs),
        tls_intermediate_certs=tuple(message.tls_intermediate_certs),
        node_ous=_node_ous(nodes) if message.HasField("fabric_node_ous") else None,
    )


def encode_msp_config(config: MspConfig) -> bytes:
    """An MSPConfig as configtxgen writes it into a channel's configuration."""
    message = msp_config_pb2.FabricMSPConfig(
        name=config.name,
        root_certs=config.root_certs,
        intermediate_certs=config.intermediate_certs,
        admins=config.admins,
        revocation_list=config.revocation_list,
        organizational_unit_identifiers=map(_ou_message, config.organizational_unit_identifiers),
        crypto_config=msp_config_pb2.FabricCryptoConfig(
            signature_hash_family=config.signature_hash_family,
            identity_identifier_hash_function=config.identity_identifier_hash_function,
        ),
        tls_root_certs=config.tls_root_certs,
        tls_intermediate_certs=config.tls_intermediate_certs,
        fabric_node_ous=None if config.node_ous is None else _node_ous_message(config.node_ous),
    )
    return msp_config_pb2.MSPConfig(type=X509_MSP_TYPE, config=message.SerializeToString()).SerializeToString()


def _ou(message: msp_config_pb2.FabricOUIdentifier) -> OuIdentifier:
    return OuIdentifier(message.organizational_unit_identifier, message.certificate)


def _ou_message(ou: OuIdentifier) -> msp_config_pb2.FabricOUIdentifier:
    return msp_config_pb2.FabricOUIdentifier(organizational_unit_identifier=ou.identifier, certificate=ou.certificate)


def _node_ous(message: msp_config_pb2.FabricNodeOUs) -> NodeOus:
    return NodeOus(
        enable=message.enable,
        client=_ou(message.client_ou_identifier) if message.HasField("client_ou_identifier") else None,
        peer=_ou(message.peer_ou_identifier) if message.HasField("peer_ou_identifier") else None,
        admin=_ou(message.admin_ou_identifier) if message.HasField("admin_ou_identifier") else None,
        orderer=_ou(message.orderer_ou_identifier) if message.HasField("orderer_ou_identifier") else None,
    )


def _node_ous_message(nodes: NodeOus) -> msp_config_pb2.FabricNodeOUs:
    return msp_config_pb2.FabricNodeOUs(
        enable=nodes.enable,
        client_ou_identifier=None if nodes.client is None else _ou_message(nodes.client),
        peer_ou_identifier=None if nodes.peer is None else _ou_message(nodes.peer),
        admin_ou_identifier=None if nodes.admin is None else _ou_message(nodes.admin),
        orderer_ou_identifier=None if nodes.orderer is None else _ou_message(nodes.orderer),
    )


def read_principal(message: msp_principal_pb2.MSPPrincipal, depth: int = 0) -> MspPrincipal:
    """A principal out of its message; an UnknownPrincipal when it cannot be read, as Fabric notices only when asked."""
    unknown = UnknownPrincipal(int(message.principal_classification), message.principal)
    try:
        return _read_known_principal(message.principal_classification, message.principal, depth) or unknown
    except MalformedMessage:
        return unknown


def _read_known_principal(kind: int, raw: bytes, depth: int) -> MspPrincipal | None:
    match kind:
        case _Kind.ROLE:
            role = decode(msp_principal_pb2.MSPRole, raw)
            known = {each.value: each for each in MspRole}.get(role.role)
            return None if known is None else RolePrincipal(role.msp_identifier, known)
        case _Kind.ORGANIZATION_UNIT:
            unit = decode(msp_principal_pb2.OrganizationUnit, raw)
            name = unit.organizational_unit_identifier
            return OuPrincipal(unit.msp_identifier, name, unit.certifiers_identifier)
        case _Kind.IDENTITY:
            return IdentityPrincipal(raw)
        case _Kind.ANONYMITY:
            anonymity = decode(msp_principal_pb2.MSPIdentityAnonymity, raw).anonymity_type
            return AnonymityPrincipal(bool(anonymity)) if anonymity in (0, 1) else None
        case _Kind.COMBINED if depth < COMBINED_DEPTH_MAX:
            combined = decode(msp_principal_pb2.CombinedPrincipal, raw)
            return CombinedPrincipal(tuple(read_principal(each, depth + 1) for each in combined.principals))
        case _:
            return None


def principal_message(principal: MspPrincipal) -> msp_principal_pb2.MSPPrincipal:
    """The message of a principal."""
    kind, raw = _encode_principal(principal)
    return _Kind(principal_classification=cast("_Kind.Classification", kind), principal=raw)


def _encode_principal(principal: MspPrincipal) -> tuple[int, bytes]:
    match principal:
        case RolePrincipal(msp_id, role):
            return _Kind.ROLE, msp_principal_pb2.MSPRole(msp_identifier=msp_id, role=role.name).SerializeToString()
        case OuPrincipal(msp_id, unit, certifiers):
            message = msp_principal_pb2.OrganizationUnit(
                msp_identifier=msp_id, organizational_unit_identifier=unit, certifiers_identifier=certifiers
            )
            return _Kind.ORGANIZATION_UNIT, message.SerializeToString()
        case IdentityPrincipal(serialized):
            return _Kind.IDENTITY, serialized
        case AnonymityPrincipal(anonymous):
            name = "ANONYMOUS" if anonymous else "NOMINAL"
            kind = msp_principal_pb2.MSPIdentityAnonymity(anonymity_type=name)
            return _Kind.ANONYMITY, kind.SerializeToString()
        case CombinedPrincipal(principals):
            combined = msp_principal_pb2.CombinedPrincipal(principals=map(principal_message, principals))
            return _Kind.COMBINED, combined.SerializeToString()
        case UnknownPrincipal(classification, raw):
            return classification, raw
