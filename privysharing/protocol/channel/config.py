"""The configuration tree: versioned groups, values and policies, and the messages that carry and change it.

Leaves stay bytes, because an update is judged by versions and bytes alone; `bundle` gives them meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """common.ConfigValue: one marshalled setting. `mod_policy` names the policy that must agree to a change."""

    value: bytes
    version: int = 0
    mod_policy: str = ""


@dataclass(frozen=True, slots=True)
class ConfigPolicy:
    """common.ConfigPolicy: a marshalled policy and its type (common.Policy; 0 where only a version is meant)."""

    type: int
    value: bytes
    version: int = 0
    mod_policy: str = ""


@dataclass(frozen=True, slots=True)
class ConfigGroup:
    """common.ConfigGroup: its version counts changes of membership, not of what its members hold."""

    groups: "Mapping[str, ConfigGroup]" = field(default_factory=dict)
    values: Mapping[str, ConfigValue] = field(default_factory=dict)
    policies: Mapping[str, ConfigPolicy] = field(default_factory=dict)
    version: int = 0
    mod_policy: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """common.Config: the whole tree, and how many updates it has seen."""

    sequence: int
    root: ConfigGroup


@dataclass(frozen=True, slots=True)
class ConfigEnvelope:
    """common.ConfigEnvelope: a configuration, and the CONFIG_UPDATE envelope that led to it (None in a genesis)."""

    config: Config
    last_update: bytes | None


@dataclass(frozen=True, slots=True)
class ConfigSignature:
    """common.ConfigSignature: over the signature header followed by the update's bytes."""

    signature_header: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ConfigUpdateEnvelope:
    """common.ConfigUpdateEnvelope: ConfigUpdate bytes as signed."""

    update: bytes
    signatures: tuple[ConfigSignature, ...]


@dataclass(frozen=True, slots=True)
class ConfigUpdate:
    """common.ConfigUpdate: what must still be so (`read_set`) and what shall be (`write_set`)."""

    channel_id: str
    read_set: ConfigGroup | None
    write_set: ConfigGroup | None
