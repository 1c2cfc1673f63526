"""Genesis blocks: shaped as configtxgen's."""

from pathlib import Path

import pytest

from privysharing.protocol.blocks import data_hash
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import ConfigGroup
from privysharing.protocol.codec.blocks import encode_block, parse_block
from privysharing.protocol.codec.configs import parse_config_envelope
from privysharing.protocol.codec.envelopes import encode_envelope, parse_envelope, parse_payload
from privysharing.protocol.envelopes import compute_tx_id
from tests.support.generated import NONCE, GeneratedChannel

VECTORS = Path(__file__).parents[3] / "interop" / "vectors"


@pytest.fixture(scope="module")
def interop() -> GeneratedChannel:
    return GeneratedChannel.build("interop")


@pytest.fixture(scope="module")
def fabric() -> ChannelConfig:
    return ChannelConfig.from_block(parse_block((VECTORS / "blk0.block").read_bytes()))


def shape(group: ConfigGroup) -> dict[str, object]:
    """Everything about a group but what its leaves hold, and who its members are."""
    return {
        "version": group.version,
        "mod_policy": group.mod_policy,
        "values": {name: (value.version, value.mod_policy) for name, value in group.values.items()},
        "policies": {name: (each.type, each.version, each.mod_policy) for name, each in group.policies.items()},
    }


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("", ""),
        ("Orderer", "Orderer"),
        ("Application", "Application"),
        ("Orderer/MinistryMSP", "Orderer/OrdererOrg"),
        ("Application/MedicalMSP", "Application/Org1MSP"),
        ("Application/CitizensMSP", "Application/Org2MSP"),
    ],
)
def test_values_policies_and_mod_policies_are_those_of_a_real_genesis(
    interop: GeneratedChannel, fabric: ChannelConfig, ours: str, theirs: str
) -> None:
    def group(root: ConfigGroup, path: str) -> ConfigGroup:
        for name in path.split("/") if path else ():
            root = root.groups[name]
        return root

    assert shape(group(interop.config.config.root, ours)) == shape(group(fabric.config.root, theirs))


def test_there_are_no_other_groups(interop: GeneratedChannel) -> None:
    root = interop.config.config.root
    assert set(root.groups) == {"Orderer", "Application"}
    assert set(root.groups["Orderer"].groups) == {"MinistryMSP"}
    assert set(root.groups["Application"].groups) == {"MedicalMSP", "PoliceMSP", "CitizensMSP", "MinistryMSP"}
    assert not any(org.groups for kind in root.groups.values() for org in kind.groups.values())


def test_leaves_that_are_always_the_same_are_byte_for_byte_fabrics(
    interop: GeneratedChannel, fabric: ChannelConfig
) -> None:
    ours, theirs = interop.config.config.root, fabric.config.root
    for name in ("HashingAlgorithm", "BlockDataHashingStructure", "Capabilities"):
        assert ours.values[name] == theirs.values[name]
    assert ours.policies == theirs.policies
    for group, leaves in (("Orderer", ("Capabilities", "ChannelRestrictions")), ("Application", ("Capabilities",))):
        for name in leaves:
            assert ours.groups[group].values[name] == theirs.groups[group].values[name]
    assert ours.groups["Orderer"].policies == theirs.groups["Orderer"].policies


def test_the_envelope_and_the_block_around_it_are_configtxgens(interop: GeneratedChannel) -> None:
    real = parse_block((VECTORS / "blk0.block").read_bytes())
    block = interop.genesis
    assert block.metadata == real.metadata == (b"\x0a\x02\x0a\x00", b"", b"", b"", b"")
    assert (block.header.number, block.header.previous_hash) == (0, b"")
    assert block.header.data_hash == data_hash(block.data)
    (raw,) = block.data
    envelope = parse_envelope(raw)
    assert envelope.signature == b""
    assert encode_envelope(envelope.payload, b"") == raw
    header = parse_payload(envelope.payload).header
    theirs = parse_payload(parse_envelope(real.data[0]).payload).header
    assert (header.channel.type, header.channel.version, header.channel.epoch) == (
        theirs.channel.type,
        theirs.channel.version,
        theirs.channel.epoch,
    )
    assert header.channel.channel_id == "health"
    assert header.signature.creator == theirs.signature.creator == b""
    assert header.channel.tx_id == compute_tx_id(NONCE, b"")
    config = parse_config_envelope(parse_payload(envelope.payload).data)
    assert config.last_update is None
    assert config.config.sequence == 0


def test_a_profile_with_rules_of_its_own_has_an_acls_value() -> None:
    closed = GeneratedChannel.build("demo").config.config.root.groups["Application"]
    assert set(closed.values) == {"ACLs", "Capabilities"}


def test_the_same_profile_nonce_and_time_make_the_same_block() -> None:
    block = GeneratedChannel.build("demo").genesis
    assert parse_block(encode_block(block)) == block
