"""Whom a policy can ask for (msp.MSPPrincipal)."""

from dataclasses import dataclass
from enum import IntEnum


class MspRole(IntEnum):
    """msp.MSPRole.MSPRoleType."""

    MEMBER = 0
    ADMIN = 1
    CLIENT = 2
    PEER = 3
    ORDERER = 4


@dataclass(frozen=True, slots=True)
class RolePrincipal:
    """Anybody who has a role in an MSP."""

    msp_id: str
    role: MspRole


@dataclass(frozen=True, slots=True)
class OuPrincipal:
    """Anybody in an organizational unit, certified by the very chain whose hash is given."""

    msp_id: str
    organizational_unit: str
    certifiers_identifier: bytes


@dataclass(frozen=True, slots=True)
class IdentityPrincipal:
    """One certificate's owner."""

    serialized: bytes


@dataclass(frozen=True, slots=True)
class AnonymityPrincipal:
    """Anybody who shows a name (as X.509 identities always do), or anybody who does not (none of them)."""

    anonymous: bool


@dataclass(frozen=True, slots=True)
class CombinedPrincipal:
    """Anybody who is all of these; nobody when there are none."""

    principals: "tuple[MspPrincipal, ...]"


@dataclass(frozen=True, slots=True)
class UnknownPrincipal:
    """A principal that cannot be read. Nobody satisfies it, but a policy may hold it and be met without it."""

    classification: int
    principal: bytes


MspPrincipal = (
    RolePrincipal | OuPrincipal | IdentityPrincipal | AnonymityPrincipal | CombinedPrincipal | UnknownPrincipal
)
