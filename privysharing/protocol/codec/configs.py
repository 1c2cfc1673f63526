"""Channel configurations: the tree, and the messages that carry and change it."""

from google.protobuf.message import Message

from privysharing.protocol.channel.config import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigPolicy,
    ConfigSignature,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from privysharing.protocol.codec.decode import decode
from privysharing.protocol.errors import MalformedMessage
from privysharing.wire.common import common_pb2, configtx_pb2, policies_pb2


def parse_config(raw: bytes) -> Config:
    """Read a common.Config; it must hold a tree."""
    return _config(decode(configtx_pb2.Config, raw))


def encode_config(config: Config) -> bytes:
    """A common.Config with its maps in key order."""
    return _bytes(_config_message(config))


def parse_config_envelope(raw: bytes) -> ConfigEnvelope:
    """Read a common.ConfigEnvelope; it must hold a configuration."""
    message = decode(configtx_pb2.ConfigEnvelope, raw)
    if not message.HasField("config"):
        raise MalformedMessage("config envelope has no config")
    last_update = message.last_update.SerializeToString() if message.HasField("last_update") else None
    return ConfigEnvelope(_config(message.config), last_update)


def encode_config_envelope(envelope: ConfigEnvelope) -> bytes:
    """A common.ConfigEnvelope with its maps in key order."""
    message = configtx_pb2.ConfigEnvelope(config=_config_message(envelope.config))
    if envelope.last_update is not None:
        message.last_update.CopyFrom(decode(common_pb2.Envelope, envelope.last_update))
    return _bytes(message)


def parse_config_update_envelope(raw: bytes) -> ConfigUpdateEnvelope:
    """Read a common.ConfigUpdateEnvelope: the update's bytes and the signatures over them."""
    message = decode(configtx_pb2.ConfigUpdateEnvelope, raw)
    signatures = tuple(ConfigSignature(each.signature_header, each.signature) for each in message.signatures)
    return ConfigUpdateEnvelope(message.config_update, signatures)


def encode_config_update_envelope(envelope: ConfigUpdateEnvelope) -> bytes:
    """A common.ConfigUpdateEnvelope."""
    return configtx_pb2.ConfigUpdateEnvelope(
        config_update=envelope.update,
        signatures=[
            configtx_pb2.ConfigSignature(signature_header=each.signature_header, signature=each.signature)
            for each in envelope.signatures
        ],
    ).SerializeToString()


def parse_config_update(raw: bytes) -> ConfigUpdate:
    """Read a common.ConfigUpdate."""
    message = decode(configtx_pb2.ConfigUpdate, raw)
    return ConfigUpdate(
        channel_id=message.channel_id,
        read_set=_group(message.read_set) if message.HasField("read_set") else None,
        write_set=_group(message.write_set) if message.HasField("write_set") else None,
    )


def encode_config_update(update: ConfigUpdate) -> bytes:
    """A common.ConfigUpdate with its maps in key order."""
    message = configtx_pb2.ConfigUpdate(channel_id=update.channel_id)
    if update.read_set is not None:
        _fill_group(message.read_set, update.read_set)
    if update.write_set is not None:
        _fill_group(message.write_set, update.write_set)
    return _bytes(message)


def _config(message: configtx_pb2.Config) -> Config:
    if not message.HasField("channel_group"):
        raise MalformedMessage("config has no channel group")
    _refuse_unknown_fields(message)
    return Config(message.sequence, _group(message.channel_group))


def _refuse_unknown_fields(message: Message) -> None:
    """What we do not know we cannot carry over into the next configuration, which must equal what others derive."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    if known.ByteSize() != message.ByteSize():
        raise MalformedMessage("config holds fields that no known configuration has")


def _group(message: configtx_pb2.ConfigGroup) -> ConfigGroup:
    return ConfigGroup(
        groups={key: _group(group) for key, group in message.groups.items()},
        values={key: ConfigValue(each.value, each.version, each.mod_policy) for key, each in message.values.items()},
        policies={
            key: ConfigPolicy(each.policy.type, each.policy.value, each.version, each.mod_policy)
            for key, each in message.policies.items()
        },
        version=message.version,
        mod_policy=message.mod_policy,
    )


def _config_message(config: Config) -> configtx_pb2.Config:
    message = configtx_pb2.Config(sequence=config.sequence)
    message.channel_group.SetInParent()
    _fill_group(message.channel_group, config.root)
    return message


def _fill_group(message: configtx_pb2.ConfigGroup, group: ConfigGroup) -> None:
    message.SetInParent()
    message.version = group.version
    message.mod_policy = group.mod_policy
    for key, child in group.groups.items():
        _fill_group(message.groups[key], child)
    for key, value in group.values.items():
        message.values[key].CopyFrom(
            configtx_pb2.ConfigValue(version=value.version, value=value.value, mod_policy=value.mod_policy)
        )
    for key, policy in group.policies.items():
        entry = configtx_pb2.ConfigPolicy(version=policy.version, mod_policy=policy.mod_policy)
        if policy.type or policy.value:
            entry.policy.CopyFrom(policies_pb2.Policy(type=policy.type, value=policy.value))
        message.policies[key].CopyFrom(entry)


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
