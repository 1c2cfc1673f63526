"""How one configuration becomes the next: CONFIG_UPDATE in, CONFIG out (configtx ValidatorImpl).

The orderer derives the next configuration from an update; every peer derives it again and compares. Refusals carry
Fabric's reasons, in Fabric's order of checks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigPolicy,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from privysharing.protocol.channel.errors import ConfigUpdateRefused
from privysharing.protocol.channel.groups import CHANNEL
from privysharing.protocol.channel.succession import check_succession
from privysharing.protocol.codec.configs import (
    encode_config_envelope,
    parse_config_envelope,
    parse_config_update,
    parse_config_update_envelope,
)
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload, parse_signature_header
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.identity import Identity, InvalidIdentity

Element = ConfigGroup | ConfigValue | ConfigPolicy
E = TypeVar("E", ConfigValue, ConfigPolicy)

KEY_LENGTH_MAX = 249
MOD_POLICY_DEFAULT = "Admins"  # what Fabric puts where configurations of its version 1.0 left mod_policy empty
_KEY = re.compile(r"[a-zA-Z0-9.-]+")


class Kind(StrEnum):
    """The three kinds of element, as Fabric's refusals print them."""

    GROUP = "[Group] "
    VALUE = "[Value] "
    POLICY = "[Policy]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an element is: its kind, and the names from the root group down to it."""

    kind: Kind
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} /{'/'.join(self.path)}"

    def inside(self, kind: Kind, name: str) -> "Place":
        """A member of this group."""
        return Place(kind, (*self.path, name))


ROOT = Place(Kind.GROUP, (CHANNEL,))
ORDERER_CAPABILITIES = Place(Kind.VALUE, (CHANNEL, "Orderer", "Capabilities"))


def derive(current: ChannelConfig, update_envelope: bytes) -> bytes:
    """The common.ConfigEnvelope that a CONFIG_UPDATE envelope leads to; ConfigUpdateRefused, with the reason."""
    try:
        config = _apply(current, update_envelope)
    except ConfigUpdateRefused as refusal:
        raise ConfigUpdateRefused(f"error authorizing update: {refusal}") from refusal
    check_succession(current, ChannelConfig.from_config(current.channel_id, config))
    return encode_config_envelope(ConfigEnvelope(config, last_update=update_envelope))


def validate(current: ChannelConfig, config_envelope: bytes) -> ChannelConfig:
    """The configuration that a common.ConfigEnvelope puts in force, once it is what its own update leads to."""
    envelope = parse_config_envelope(config_envelope)
    if envelope.config.sequence != current.sequence + 1:
        raise ConfigUpdateRefused(
            f"config currently at sequence {current.sequence}, "
            f"cannot validate config at sequence {envelope.config.sequence}"
        )
    if envelope.last_update is None:
        raise ConfigUpdateRefused("config envelope has no last update")
    if _apply(current, envelope.last_update) != envelope.config:
        raise ConfigUpdateRefused("ConfigEnvelope LastUpdate did not produce the supplied config result")
    following = ChannelConfig.from_config(current.channel_id, envelope.config)
    check_succession(current, following)
    return following


def _apply(current: ChannelConfig, update_envelope: bytes) -> Config:
    payload = parse_payload(parse_envelope(update_envelope).payload)
    if payload.header.channel.type != HeaderType.CONFIG_UPDATE:
        raise MalformedMessage(f"envelope of type {payload.header.channel.type} holds no configuration update")
    elements = _authorize(current, parse_config_update_envelope(payload.data))
    return Config(current.sequence + 1, _assemble(ROOT, elements))


def _authorize(current: ChannelConfig, envelope: ConfigUpdateEnvelope) -> Mapping[Place, Element]:
    """All elements of the next configuration, once the update applies and is signed by those who must agree."""
    update = parse_config_update(envelope.update)
    if update.channel_id != current.channel_id:
        raise ConfigUpdateRefused(
            f"ConfigUpdate for channel '{update.channel_id}' but envelope for channel '{current.channel_id}'"
        )
    existing = _elements(current.config.root)
    read = _elements(update.read_set)
    _check_read_set(read, existing)
    written = _elements(update.write_set)
    delta = {
        place: element
        for place, element in written.items()
        if place not in read or read[place].version != element.version
    }
    _check_delta(current, delta, existing, _signers(current, envelope))
    return {**existing, **delta}


def _check_read_set(read: Mapping[Place, Element], existing: Mapping[Place, Element]) -> None:
    for place, element in read.items():
        if place not in existing:
            raise ConfigUpdateRefused(
                "error validating ReadSet: existing config does not contain element for "
                f"{place} but was in the read set"
            )
        if existing[place].version != element.version:
            raise ConfigUpdateRefused(
                f"error validating ReadSet: proposed update requires that key {place} be at version "
                f"{element.version}, but it is currently at version {existing[place].version}"
            )


def _check_delta(
    current: ChannelConfig,
    delta: Mapping[Place, Element],
    existing: Mapping[Place, Element],
    signers: tuple[Identity, ...],
) -> None:
    """Each change is the next version of what is there, and whoever governs what is there agrees.

    A new element asks nobody: adding it takes a new version of its group, and that asks.
    """
    if not delta:
        raise ConfigUpdateRefused("error validating DeltaSet: delta set was empty -- update would have no effect")
    for place, element in delta.items():
        _check_mod_policy(place, element.mod_policy)
        if place not in existing:
            if element.version != 0:
                raise ConfigUpdateRefused(
                    f"error validating DeltaSet: attempted to set key {place} to version {element.version}, "
                    "but key does not exist"
                )
            continue
        if element.version != existing[place].version + 1:
            raise ConfigUpdateRefused(
                f"error validating DeltaSet: attempt to set key {place} to version {element.version}, "
                f"but key is at version {existing[place].version}"
            )
        path = _mod_policy_path(place, existing[place])
        if not current.has_policy(path):
            raise ConfigUpdateRefused(f"error validating DeltaSet: unexpected missing policy {path} for item {place}")
        if not current.policy(path).evaluate(signers):
            raise ConfigUpdateRefused(f"error validating DeltaSet: policy for {place} not satisfied")


def _mod_policy_path(place: Place, element: Element) -> str:
    """A relative mod_policy starts from the element's group; a group's own from that group itself."""
    if element.mod_policy.startswith("/"):
        return element.mod_policy
    group = place.path if place.kind is Kind.GROUP else place.path[:-1]
    return f"/{'/'.join(group)}/{element.mod_policy}"


def _signers(current: ChannelConfig, envelope: ConfigUpdateEnvelope) -> tuple[Identity, ...]:
    """Whoever validly signed, each once and in order; other signatures count for nothing, and harm nothing."""
    signers: dict[object, Identity] = {}
    for each in envelope.signatures:
        creator = parse_signature_header(each.signature_header).creator
        try:
            identity = current.msps.deserialize(creator)
        except InvalidIdentity:
            continue
        if identity.dedupe_key not in signers and identity.verify(
            each.signature_header + envelope.update, each.signature
        ):
            signers[identity.dedupe_key] = identity
    return tuple(signers.values())


def _elements(root: ConfigGroup | None) -> dict[Place, Element]:
    """Every element of a tree by its place (configtx mapConfig)."""
    return dict(_walk(ROOT, root)) if root is not None else {}


def _walk(place: Place, group: ConfigGroup) -> Iterator[tuple[Place, Element]]:
    _check_key(place.path[-1])
    yield place, group
    for name, child in group.groups.items():
        yield from _walk(place.inside(Kind.GROUP, name), child)
    for name, value in group.values.items():
        _check_key(name)
        yield place.inside(Kind.VALUE, name), value
    for name, policy in group.policies.items():
        _check_key(name)
        yield place.inside(Kind.POLICY, name), policy


def _assemble(place: Place, elements: Mapping[Place, Element]) -> ConfigGroup:
    """The tree whose groups have the members that they name; elements that no group names are gone."""
    group = elements[place]
    assert isinstance(group, ConfigGroup)
    upgrade = ORDERER_CAPABILITIES in elements
    return replace(
        group,
        groups={name: _assemble(place.inside(Kind.GROUP, name), elements) for name in group.groups},
        values={
            name: _governed(elements[place.inside(Kind.VALUE, name)], ConfigValue, upgrade=upgrade)
            for name in group.values
        },
        policies={
            name: _governed(elements[place.inside(Kind.POLICY, name)], ConfigPolicy, upgrade=upgrade)
            for name in group.policies
        },
        mod_policy=group.mod_policy or (MOD_POLICY_DEFAULT if upgrade else ""),
    )


def _governed(element: Element, kind: type[E], *, upgrade: bool) -> E:
    assert isinstance(element, kind)
    return replace(element, mod_policy=MOD_POLICY_DEFAULT) if upgrade and not element.mod_policy else element


def _check_mod_policy(place: Place, mod_policy: str) -> None:
    if not mod_policy:
        raise ConfigUpdateRefused(
            f"error validating DeltaSet: invalid mod_policy for element {place}: mod_policy not set"
        )
    for name in mod_policy.removeprefix("/").split("/"):
        _check_key(name)


def _check_key(key: str) -> None:
    """Refuse the name of an element that Fabric would not take (configtx validateConfigID)."""
    if not key or len(key) > KEY_LENGTH_MAX or key in {".", ".."} or not _KEY.fullmatch(key):
        raise ConfigUpdateRefused(f"config ID '{key}' is empty, too long or contains illegal characters")
