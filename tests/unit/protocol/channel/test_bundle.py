"""Compiled configurations: what real and generated ones say, and what no channel can run under."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from privysharing.protocol.blocks import Block, BlockHeader
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import Config, ConfigGroup, ConfigPolicy
from privysharing.protocol.channel.errors import InvalidConfig, UnknownResource, UnsupportedCapability
from privysharing.protocol.channel.settings import AnchorPeer, BatchSize, ConsensusState
from privysharing.protocol.codec import config_values as codec
from privysharing.protocol.codec.blocks import parse_block
from privysharing.protocol.codec.configs import encode_config, parse_config
from privysharing.protocol.codec.envelopes import parse_envelope, parse_payload
from privysharing.protocol.codec.msps import encode_msp_config, parse_msp_config
from privysharing.protocol.errors import MalformedMessage, ProtocolError
from tests.support.config_trees import with_group, with_policy, with_value, wrap
from tests.support.generated import GeneratedChannel

VECTORS = Path(__file__).parents[3] / "interop" / "vectors"


@pytest.fixture(scope="module")
def demo() -> GeneratedChannel:
    return GeneratedChannel.build("demo")


@pytest.mark.parametrize("name", ["blk0.block", "pblk0.block"])
def test_a_real_fabrics_configuration_is_read_whole(name: str) -> None:
    config = ChannelConfig.from_block(parse_block((VECTORS / name).read_bytes()))
    assert (config.channel_id, config.sequence) == ("mychannel", 0)
    assert config.orderer.batch_size == BatchSize(10, 103809024, 524288)
    assert config.orderer.batch_timeout_s == 2.0
    assert (config.orderer.consensus_type, config.orderer.state) == ("etcdraft", ConsensusState.NORMAL)
    assert config.orderer_orgs["OrdererOrg"].msp_id == "OrdererMSP"
    assert config.orderer_orgs["OrdererOrg"].endpoints[0] == "127.0.0.1:6050"
    assert config.application_orgs["Org1MSP"].anchor_peers == (AnchorPeer("127.0.0.1", 7051),)
    assert set(config.msps.msp_ids) == {"OrdererMSP", "Org1MSP", "Org2MSP"}
    assert config.capabilities.application == {"V2_5"}
    assert config.has_policy("/Channel/Application/Org1MSP/Endorsement")
    assert config.has_policy("/Channel/Orderer/BlockValidation")


@pytest.mark.parametrize("name", ["blk0.block", "pblk0.block"])
def test_a_real_configuration_survives_being_read_and_written(name: str) -> None:
    config = ChannelConfig.from_block(parse_block((VECTORS / name).read_bytes()))
    assert parse_config(config.raw) == config.config


def test_a_name_no_policy_has_is_rejected_by_whatever_evidence(demo: GeneratedChannel) -> None:
    everybody = [demo.identity("medical", "Admin"), demo.identity("medical", "peer0.medical.city")]
    for path in ("/Channel/Application/Raeders", "Channel/Application/Readers", "/Channel", "", "Readers"):
        assert not demo.config.has_policy(path)
        assert not demo.config.policy(path).evaluate(everybody)


def test_a_channel_rule_goes_before_the_default_one(demo: GeneratedChannel) -> None:
    root = demo.config.config.root
    rules = {
        "event/Block": "Writers",
        "qscc/GetChainInfo": "/Channel/Admins",
        "peer/Propose": "",
        "mine/Call": "Admins",
    }
    config = compiled(with_value(root, "Application", "ACLs", codec.encode_acls(rules)))
    assert config.acl("event/Block") == "/Channel/Application/Writers"
    assert config.acl("qscc/GetChainInfo") == "/Channel/Admins"
    assert config.acl("peer/Propose") == "/Channel/Application/Writers"
    assert config.acl("mine/Call") == "/Channel/Application/Admins"
    assert config.acl("event/FilteredBlock") == "/Channel/Application/Readers"


def test_a_channel_does_not_open_what_belongs_to_the_peer(demo: GeneratedChannel) -> None:
    rules = codec.encode_acls({"cscc/JoinChain": "Writers"})
    config = compiled(with_value(demo.config.config.root, "Application", "ACLs", rules))
    with pytest.raises(UnknownResource, match="cscc/JoinChain is guarded by the peer's own organisation"):
        config.acl("cscc/JoinChain")
    with pytest.raises(UnknownResource, match="Unmapped policy for no/Such"):
        config.acl("no/Such")


def compiled(root: ConfigGroup) -> ChannelConfig:
    return ChannelConfig.from_config("health", Config(0, root))


def capabilities(path: str, *names: str) -> Callable[[ConfigGroup], ConfigGroup]:
    return lambda root: with_value(root, path, "Capabilities", codec.encode_capabilities(names))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (capabilities("", "V2_0", "V4_0"), "Channel capability V4_0 is required but not supported"),
        (capabilities("Orderer", "V2_0", "V9_0"), "Orderer capability V9_0 is required but not supported"),
        (capabilities("Application", "V2_5", "V2_6"), "Application capability V2_6 is required but not supported"),
        (capabilities("", "V1_4_2"), "Channel capabilities are V1_4_2; needed is one of V1_4_3, V2_0, V3_0"),
        (capabilities("Application", "V1_4_2"), "Application capabilities are V1_4_2; needed is one of V2_0, V2_5"),
        (capabilities("Application"), "Application capabilities are none"),
    ],
)
def test_a_channel_that_needs_other_software_is_refused(
    demo: GeneratedChannel, change: Callable[[ConfigGroup], ConfigGroup], message: str
) -> None:
    with pytest.raises(UnsupportedCapability, match=message):
        compiled(change(demo.config.config.root))


@pytest.mark.parametrize("level", ["V1_4_3", "V2_0", "V3_0"])
def test_known_levels_are_accepted(demo: GeneratedChannel, level: str) -> None:
    assert compiled(capabilities("", level)(demo.config.config.root)).capabilities.channel == {level}


def other_medical_msp(root: ConfigGroup) -> ConfigGroup:
    """Ministry stands in both groups; let them disagree about its TLS roots."""
    msp = parse_msp_config(root.groups["Application"].groups["MinistryMSP"].values["MSP"].value)
    return with_value(root, "Orderer/MinistryMSP", "MSP", encode_msp_config(replace(msp, tls_root_certs=())))


INVALID: list[tuple[str, Callable[[ConfigGroup], ConfigGroup], str]] = [
    ("unknown channel value", lambda r: with_value(r, "", "Colour", b""), "Unexpected key Colour in group Channel"),
    ("unknown orderer value", lambda r: with_value(r, "Orderer", "Colour", b""), "Unexpected key Colour"),
    ("unknown application value", lambda r: with_value(r, "Application", "Colour", b""), "Unexpected key Colour"),
    ("unknown org value", lambda r: with_value(r, "Application/PoliceMSP", "Endpoints", b""), "Unexpected key Endp"),
    ("unknown group", lambda r: with_group(r, "", "Consortiums", ConfigGroup()), "Disallowed channel group: Consort"),
    ("no orderer", lambda r: with_group(r, "", "Orderer", None), "has no group Orderer"),
    ("no application", lambda r: with_group(r, "", "Application", None), "has no group Application"),
    ("org in org", lambda r: with_group(r, "Orderer/MinistryMSP", "X", ConfigGroup()), "does not allow sub-groups"),
    ("sha3", lambda r: with_value(r, "", "HashingAlgorithm", codec.encode_hashing_algorithm("SHA3_256")), "SHA3_256"),
    ("no hash", lambda r: with_value(r, "", "HashingAlgorithm", None), "Unknown hashing algorithm type: $"),
    (
        "width",
        lambda r: with_value(r, "", "BlockDataHashingStructure", codec.encode_data_hashing_width(8)),
        "MaxUint32",
    ),
    (
        "empty batches",
        lambda r: with_value(r, "Orderer", "BatchSize", codec.encode_batch_size(BatchSize(0, 9, 9))),
        "max message count to an invalid value: 0",
    ),
    (
        "preferred above absolute",
        lambda r: with_value(r, "Orderer", "BatchSize", codec.encode_batch_size(BatchSize(1, 9, 10))),
        r"preferred max bytes \(10\) greater than the absolute max bytes \(9\)",
    ),
    ("no timeout", lambda r: with_value(r, "Orderer", "BatchTimeout", None), "batch timeout to an invalid value"),
    (
        "timeout of nothing",
        lambda r: with_value(r, "Orderer", "BatchTimeout", codec.encode_batch_timeout("0s")),
        "non-positive",
    ),
    (
        "no orderer capabilities",
        lambda r: with_value(r, "Orderer", "Capabilities", None),
        "cannot enable channel capabilities without orderer support first",
    ),
    (
        "no orderer capabilities, application only",
        lambda r: with_value(with_value(r, "Orderer", "Capabilities", None), "", "Capabilities", None),
        "cannot enable application capabilities without orderer support first",
    ),
    ("no MSP", lambda r: with_value(r, "Application/PoliceMSP", "MSP", None), "MSP for org PoliceMSP has empty MSP ID"),
    ("two MSPs of one id", other_medical_msp, "two different versions of MSP: MinistryMSP"),
    (
        "policy of no type",
        lambda r: with_policy(r, "Application", "Readers", ConfigPolicy(0, b"")),
        "policy Readers at path /Channel/Application did not compile: policy has unknown policy type: 0",
    ),
    (
        "broken policy",
        lambda r: with_policy(r, "", "Readers", ConfigPolicy(1, b"\xff")),
        "policy Readers at path /Channel did not compile",
    ),
]


@pytest.mark.parametrize(("change", "message"), [each[1:] for each in INVALID], ids=[each[0] for each in INVALID])
def test_a_configuration_that_means_nothing_safe_is_refused(
    demo: GeneratedChannel, change: Callable[[ConfigGroup], ConfigGroup], message: str
) -> None:
    with pytest.raises(InvalidConfig, match=message):
        compiled(change(demo.config.config.root))


@pytest.mark.parametrize("path", ["", "Orderer", "Application", "Orderer/MinistryMSP", "Application/MedicalMSP"])
def test_a_value_that_is_no_message_is_refused_wherever_it_is(demo: GeneratedChannel, path: str) -> None:
    root = demo.config.config.root
    group = root
    for name in path.split("/") if path else ():
        group = group.groups[name]
    for value in group.values:
        with pytest.raises(ProtocolError):
            compiled(with_value(root, path, value, b"\xff\xff\xff"))


@pytest.mark.parametrize("channel_id", ["", "Health", "1health", "he_alth", "health\n", "h" * 250, "../health"])
def test_an_impossible_channel_id_is_refused(demo: GeneratedChannel, channel_id: str) -> None:
    with pytest.raises(InvalidConfig, match="bad channel ID"):
        ChannelConfig.from_config(channel_id, demo.config.config)


def test_a_policy_needs_the_named_policy_of_each_child(demo: GeneratedChannel) -> None:
    """A group without it counts, and does not agree."""
    without = compiled(with_policy(demo.config.config.root, "Application/PoliceMSP", "Admins", None))
    admins = [without.msps.identity(demo.signer(org, "Admin").serialized) for org in ("medical", "police", "citizens")]
    ministry = without.msps.identity(demo.signer("ministry", "Admin").serialized)
    assert not without.policy("/Channel/Application/Admins").evaluate(admins)
    assert without.policy("/Channel/Application/Admins").evaluate([*admins, ministry])


def test_a_field_that_nobody_knows_makes_a_configuration_unreadable(demo: GeneratedChannel) -> None:
    raw = encode_config(demo.config.config)
    assert parse_config(raw) == demo.config.config
    with pytest.raises(MalformedMessage, match="no known configuration has"):
        parse_config(raw + b"\x7a\x03new")


def test_only_a_config_envelope_holds_a_configuration(demo: GeneratedChannel) -> None:
    data = parse_payload(parse_envelope(demo.genesis.data[0]).payload).data
    assert ChannelConfig.from_envelope(wrap(data, "health", header_type=1)).channel_id == "health"
    with pytest.raises(MalformedMessage, match="type 3 holds no configuration"):
        ChannelConfig.from_envelope(wrap(data, "health", header_type=3))
    with pytest.raises(MalformedMessage, match="has no config"):
        ChannelConfig.from_envelope(wrap(b"", "health", header_type=1))
    with pytest.raises(MalformedMessage, match="block 7 holds no envelope"):
        ChannelConfig.from_block(Block(BlockHeader(7, b"", b""), (), ()))
