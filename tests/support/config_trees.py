"""Configuration trees with one thing changed, and updates of them, signed by whom one likes."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from privysharing.protocol.channel.config import (
    ConfigGroup,
    ConfigPolicy,
    ConfigSignature,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from privysharing.protocol.codec.configs import encode_config_update, encode_config_update_envelope
from privysharing.protocol.codec.envelopes import (
    encode_channel_header,
    encode_envelope,
    encode_payload,
    encode_signature_header,
)
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import ChannelHeader, SignatureHeader, TxId


def edit(root: ConfigGroup, path: str, change: Callable[[ConfigGroup], ConfigGroup]) -> ConfigGroup:
    """The tree with the group at `path` (`Application/MedicalMSP`; empty for the root) changed."""
    if not path:
        return change(root)
    name, _, rest = path.partition("/")
    return replace(root, groups={**root.groups, name: edit(root.groups[name], rest, change)})


def with_value(root: ConfigGroup, path: str, name: str, value: bytes | None) -> ConfigGroup:
    """The tree with one value set, or taken away."""

    def change(group: ConfigGroup) -> ConfigGroup:
        values = {key: each for key, each in group.values.items() if key != name}
        if value is not None:
            values[name] = ConfigValue(value, mod_policy="Admins")
        return replace(group, values=values)

    return edit(root, path, change)


def with_policy(root: ConfigGroup, path: str, name: str, policy: ConfigPolicy | None) -> ConfigGroup:
    """The tree with one policy set, or taken away."""

    def change(group: ConfigGroup) -> ConfigGroup:
        policies = {key: each for key, each in group.policies.items() if key != name}
        return replace(group, policies=policies if policy is None else {**policies, name: policy})

    return edit(root, path, change)


def with_group(root: ConfigGroup, path: str, name: str, child: ConfigGroup | None) -> ConfigGroup:
    """The tree with one group set, or taken away."""

    def change(group: ConfigGroup) -> ConfigGroup:
        groups = {key: each for key, each in group.groups.items() if key != name}
        return replace(group, groups=groups if child is None else {**groups, name: child})

    return edit(root, path, change)


def versions_only(group: ConfigGroup, path: str) -> ConfigGroup:
    """The groups down to `path`, by version and without members: the least that an update must show."""
    name, _, rest = path.partition("/")
    groups = {name: versions_only(group.groups[name], rest)} if name else {}
    return ConfigGroup(groups=groups, version=group.version, mod_policy=group.mod_policy)


def members_by_version(group: ConfigGroup) -> ConfigGroup:
    """A group with all its members, by version: what an update shows to change who is a member."""
    return ConfigGroup(
        groups={name: ConfigGroup(version=each.version, mod_policy="Admins") for name, each in group.groups.items()},
        values={name: ConfigValue(b"", each.version, "Admins") for name, each in group.values.items()},
        policies={name: ConfigPolicy(0, b"", each.version, "Admins") for name, each in group.policies.items()},
        version=group.version,
        mod_policy=group.mod_policy,
    )


def update_envelope(update: ConfigUpdate, signers: Iterable[SigningIdentity]) -> bytes:
    """A CONFIG_UPDATE envelope. The envelope's own signature is the door's business, so it has none."""
    raw = encode_config_update(update)
    signatures = []
    for number, signer in enumerate(signers):
        header = encode_signature_header(SignatureHeader(signer.serialized, bytes([number])))
        signatures.append(ConfigSignature(header, signer.sign(header + raw)))
    return wrap(encode_config_update_envelope(ConfigUpdateEnvelope(raw, tuple(signatures))), update.channel_id)


def wrap(data: bytes, channel_id: str, header_type: int = HeaderType.CONFIG_UPDATE) -> bytes:
    """An unsigned envelope around a payload of any type."""
    channel_header = encode_channel_header(ChannelHeader(header_type, channel_id, TxId("")))
    return encode_envelope(
        encode_payload(channel_header, encode_signature_header(SignatureHeader(b"", b"")), data), b""
    )
