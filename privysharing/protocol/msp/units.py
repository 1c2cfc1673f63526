"""Organizational units: which of them an MSP requires, and which tell a node's or a person's role."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from privysharing.protocol.msp.authorities import TrustedAuthorities
from privysharing.protocol.msp.config import MspConfig, OuIdentifier
from privysharing.protocol.msp.principals import MspRole


@dataclass(frozen=True, slots=True)
class RoleUnit:
    """A unit that gives a role; with a certifiers identifier, only below that very chain of CAs."""

    unit: str
    certifiers_identifier: bytes


@dataclass(frozen=True, slots=True)
class Units:
    """What an MSP makes of the organizational units of a certificate."""

    required: frozenset[tuple[str, bytes]] = frozenset()  # (unit, certifiers); any one of them will do
    enforced: bool = False  # whether everybody has exactly one role
    role_units: Mapping[MspRole, RoleUnit] = field(default_factory=dict)

    @property
    def tells_admins(self) -> bool:
        """Whether some unit makes an admin."""
        return self.enforced and MspRole.ADMIN in self.role_units

    def roles(self, ous: tuple[str, ...]) -> frozenset[MspRole]:
        """The roles that these units give (msp hasOURole)."""
        if not self.enforced:
            return frozenset()
        return frozenset(role for role, unit in self.role_units.items() if unit.unit in ous)

    def fault(self, ous: tuple[str, ...], certifiers: bytes) -> str | None:
        """Why a certificate with these units, below these CAs, is not valid (msp validateIdentityOUsV142)."""
        if self.required and self.required.isdisjoint((unit, certifiers) for unit in ous):
            return "none of the organizational units that the MSP requires"
        if not self.enforced:
            return None
        by_name = {unit.unit: unit for unit in self.role_units.values()}
        telling = [by_name[unit] for unit in ous if unit in by_name][:2]
        if any(unit.certifiers_identifier not in (b"", certifiers) for unit in telling):
            return "a role's organizational unit is certified by another CA than the MSP says"
        if len(telling) != 1:
            return "must be a client, a peer, an orderer or an admin identity, and only one of them"
        return None


def read_units(config: MspConfig, trusted: TrustedAuthorities) -> Units:
    """Take in an MSP's units (msp setupOUs, setupNodeOUsV142)."""
    required = frozenset(
        (ou.identifier, trusted.certifiers_identifier(ou.certificate)) for ou in config.organizational_unit_identifiers
    )
    if config.node_ous is None:
        return Units(required)
    nodes = config.node_ous
    given: dict[MspRole, OuIdentifier | None] = {
        MspRole.CLIENT: nodes.client,
        MspRole.PEER: nodes.peer,
        MspRole.ADMIN: nodes.admin,
        MspRole.ORDERER: nodes.orderer,
    }
    role_units = {
        role: RoleUnit(ou.identifier, trusted.certifiers_identifier(ou.certificate) if ou.certificate else b"")
        for role, ou in given.items()
        if ou is not None
    }
    return Units(required, nodes.enable and bool(role_units), role_units)
