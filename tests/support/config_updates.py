"""Updates of a channel's configuration, as its administrators make and sign them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from privysharing.protocol.build import make_header, make_payload, signed
from privysharing.protocol.channel.config import ConfigGroup, ConfigSignature, ConfigUpdate, ConfigUpdateEnvelope
from privysharing.protocol.codec.configs import encode_config_update, encode_config_update_envelope
from privysharing.protocol.codec.envelopes import encode_signature_header
from privysharing.protocol.codes import HeaderType
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.envelopes import NONCE_BYTES, SignatureHeader


def with_value_at(root: ConfigGroup, path: tuple[str, ...], name: str, value: bytes) -> ConfigGroup:
    """The tree with one value changed."""
    if not path:
        return replace(root, values={**root.values, name: replace(root.values[name], value=value)})
    child = with_value_at(root.groups[path[0]], path[1:], name, value)
    return replace(root, groups={**root.groups, path[0]: child})


def difference(channel: str, old: ConfigGroup, new: ConfigGroup) -> ConfigUpdate:
    """The update from one tree to another with other values."""
    read, write = _sets(old, new)
    return ConfigUpdate(channel, read, write)


def signed_update(
    update: ConfigUpdate, admins: Sequence[SigningIdentity], random_bytes: Callable[[int], bytes], now_ns: int
) -> bytes:
    """An envelope that the first administrator submits, signed by all of them."""
    raw = encode_config_update(update)
    signatures = []
    for admin in admins:
        signer = encode_signature_header(SignatureHeader(admin.serialized, random_bytes(NONCE_BYTES)))
        signatures.append(ConfigSignature(signer, admin.sign(signer + raw)))
    header = make_header(
        HeaderType.CONFIG_UPDATE,
        update.channel_id,
        admins[0].serialized,
        nonce=random_bytes(NONCE_BYTES),
        timestamp_ns=now_ns,
    )
    data = encode_config_update_envelope(ConfigUpdateEnvelope(raw, tuple(signatures)))
    return signed(make_payload(header, data), admins[0]).raw


def _sets(old: ConfigGroup, new: ConfigGroup) -> tuple[ConfigGroup, ConfigGroup]:
    """Of what is different: the groups above it, by version; and the same with it."""
    below = {
        name: _sets(old.groups[name], new.groups[name]) for name in old.groups if old.groups[name] != new.groups[name]
    }
    values = {
        name: replace(new.values[name], version=value.version + 1)
        for name, value in old.values.items()
        if new.values[name] != value
    }
    bare = ConfigGroup(version=old.version, mod_policy=old.mod_policy)
    read = replace(bare, groups={name: group for name, (group, _) in below.items()})
    write = replace(bare, groups={name: group for name, (_, group) in below.items()}, values=values)
    return read, write
