"""From one configuration to the next: what applies, who must sign, and that peers check the orderer's result."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from deploy.certificates import Authority
from privysharing.protocol.channel.bundle import ChannelConfig
from privysharing.protocol.channel.config import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from privysharing.protocol.channel.errors import ConfigUpdateRefused, InvalidConfig, UnsupportedCapability
from privysharing.protocol.channel.settings import BatchSize
from privysharing.protocol.channel.update import derive, validate
from privysharing.protocol.codec import config_values as codec
from privysharing.protocol.codec.configs import (
    encode_config_envelope,
    encode_config_update,
    encode_config_update_envelope,
    parse_config_envelope,
)
from privysharing.protocol.codec.msps import encode_msp_config
from privysharing.protocol.crypto import SigningIdentity
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.config import MspConfig, NodeOus, OuIdentifier
from privysharing.protocol.msp.signing import load_signing_identity
from tests.support.config_trees import edit, members_by_version, update_envelope, versions_only, with_value, wrap
from tests.support.generated import GeneratedChannel

SMALLER = codec.encode_batch_size(BatchSize(7, 70_000, 7_000))
MEMBERS = ("medical", "police", "citizens")


@pytest.fixture(scope="module")
def demo() -> GeneratedChannel:
    return GeneratedChannel.build("demo")


def admins(demo: GeneratedChannel, *orgs: str) -> list[SigningIdentity]:
    return [demo.signer(org, "Admin") for org in orgs]


def change_of_value(
    config: ChannelConfig, path: str, name: str, value: bytes, *, version: int = 1, mod_policy: str = "Admins"
) -> ConfigUpdate:
    """The least update that sets one value."""
    read = versions_only(config.config.root, path)

    def change(group: ConfigGroup) -> ConfigGroup:
        return replace(group, values={name: ConfigValue(value, version, mod_policy)})

    return ConfigUpdate(config.channel_id, read, edit(read, path, change))


def smaller_batches(demo: GeneratedChannel, signers: Sequence[SigningIdentity]) -> bytes:
    return update_envelope(change_of_value(demo.config, "Orderer", "BatchSize", SMALLER), signers)


def change_of_members(config: ChannelConfig, path: str, groups: dict[str, ConfigGroup | None]) -> ConfigUpdate:
    """The update that puts groups into, or takes them out of, the group at `path`."""
    top = config.config.root.groups[path]
    shown = members_by_version(top)
    kept = {name: each for name, each in shown.groups.items() if groups.get(name, each) is not None}
    added = {name: each for name, each in groups.items() if each is not None}
    after = replace(shown, version=top.version + 1, groups={**kept, **added})
    root = config.config.root
    return ConfigUpdate(
        config.channel_id,
        ConfigGroup({path: shown}, version=root.version, mod_policy="Admins"),
        ConfigGroup({path: after}, version=root.version, mod_policy="Admins"),
    )


# ---- what applies


def test_a_signed_update_leads_to_the_next_configuration(demo: GeneratedChannel) -> None:
    update = smaller_batches(demo, admins(demo, "ministry"))
    following = validate(demo.config, derive(demo.config, update))
    assert following.sequence == 1
    assert following.orderer.batch_size == BatchSize(7, 70_000, 7_000)
    assert following.config.root == edit(
        demo.config.config.root,
        "Orderer",
        lambda group: replace(group, values={**group.values, "BatchSize": ConfigValue(SMALLER, 1, "Admins")}),
    )
    assert demo.config.orderer.batch_size.max_message_count == 100


def test_the_result_names_the_update_that_led_to_it(demo: GeneratedChannel) -> None:
    update = smaller_batches(demo, admins(demo, "ministry"))
    assert parse_config_envelope(derive(demo.config, update)).last_update == update


def test_updates_follow_one_another(demo: GeneratedChannel) -> None:
    signers = admins(demo, "ministry")
    first = validate(demo.config, derive(demo.config, smaller_batches(demo, signers)))
    second = change_of_value(first, "Orderer", "BatchTimeout", codec.encode_batch_timeout("75ms"))
    following = validate(first, derive(first, update_envelope(second, signers)))
    assert following.sequence == 2
    assert (following.orderer.batch_timeout_s, following.orderer.batch_size.max_message_count) == (0.075, 7)
    third = change_of_value(following, "Orderer", "BatchSize", SMALLER, version=2)
    assert validate(following, derive(following, update_envelope(third, signers))).sequence == 3


def newcomer(demo: GeneratedChannel) -> ConfigGroup:
    """An organisation that the channel does not have yet, under a CA of its own."""
    return ConfigGroup(values={"MSP": ConfigValue(bank_msp(demo), 0, "Admins")}, mod_policy="Admins")


def bank_msp(demo: GeneratedChannel) -> bytes:
    ca = Authority.root("ca.bank.city", "bank.city", demo.material.root_ca.now).credential.certificate_pem
    units = NodeOus(True, *(OuIdentifier(unit) for unit in ("client", "peer", "admin", "orderer")))
    return encode_msp_config(MspConfig(name="BankMSP", root_certs=(ca,), node_ous=units))


def test_an_organisation_joins_when_most_admins_agree(demo: GeneratedChannel) -> None:
    newcomer_group = newcomer(demo)
    update = change_of_members(demo.config, "Application", {"BankMSP": newcomer_group})
    envelope = update_envelope(update, admins(demo, *MEMBERS))
    following = validate(demo.config, derive(demo.config, envelope))
    assert set(following.application_orgs) == {*demo.config.application_orgs, "BankMSP"}
    assert following.config.root.groups["Application"].version == 1
    assert "BankMSP" in following.msps.msp_ids
    kept = {
        name: group for name, group in following.config.root.groups["Application"].groups.items() if name != "BankMSP"
    }
    assert kept == demo.config.config.root.groups["Application"].groups


def test_an_organisation_leaves_when_most_admins_agree(demo: GeneratedChannel) -> None:
    update = change_of_members(demo.config, "Application", {"PoliceMSP": None})
    following = validate(demo.config, derive(demo.config, update_envelope(update, admins(demo, *MEMBERS))))
    assert "PoliceMSP" not in following.application_orgs
    assert "PoliceMSP" not in following.msps.msp_ids
    assert not following.has_policy("/Channel/Application/PoliceMSP/Readers")


def test_an_element_that_its_group_does_not_name_stays_out(demo: GeneratedChannel) -> None:
    """Without a new version of the group a new element asks nobody, and gets nowhere."""
    signers = admins(demo, "ministry")
    read = versions_only(demo.config.config.root, "Orderer")
    written = with_value(read, "Orderer", "KafkaBrokers", b"")
    changed = edit(
        written, "Orderer", lambda g: replace(g, values={**g.values, "BatchSize": ConfigValue(SMALLER, 1, "Admins")})
    )
    update = ConfigUpdate("health", read, changed)
    following = validate(demo.config, derive(demo.config, update_envelope(update, signers)))
    assert "KafkaBrokers" not in following.config.root.groups["Orderer"].values
    assert following.orderer.batch_size.max_message_count == 7


def test_a_mod_policy_that_was_left_empty_is_filled_as_fabric_fills_it(demo: GeneratedChannel) -> None:
    root = edit(
        demo.config.config.root,
        "Application",
        lambda group: replace(
            group,
            mod_policy="",
            values={name: replace(value, mod_policy="") for name, value in group.values.items()},
            policies={name: replace(policy, mod_policy="") for name, policy in group.policies.items()},
        ),
    )
    old = ChannelConfig.from_config("health", Config(0, root))
    envelope = smaller_batches(demo, admins(demo, "ministry"))
    following = validate(old, derive(old, envelope))
    assert following.config.root.groups["Application"] == demo.config.config.root.groups["Application"]


# ---- who must sign


def refusal(config: ChannelConfig, envelope: bytes) -> str:
    with pytest.raises(ConfigUpdateRefused) as refused:
        derive(config, envelope)
    return str(refused.value)


NOT_SATISFIED = (
    "error authorizing update: error validating DeltaSet: policy for [Value]  /Channel/Orderer/BatchSize not satisfied"
)


def test_without_the_signatures_that_the_policy_asks_for_nothing_changes(demo: GeneratedChannel) -> None:
    assert refusal(demo.config, smaller_batches(demo, ())) == NOT_SATISFIED
    assert refusal(demo.config, smaller_batches(demo, admins(demo, *MEMBERS))) == NOT_SATISFIED
    assert refusal(demo.config, smaller_batches(demo, [demo.signer("ministry", "mint")])) == NOT_SATISFIED


def test_one_admin_does_not_count_for_several(demo: GeneratedChannel) -> None:
    update = change_of_members(demo.config, "Application", {"PoliceMSP": None})
    several_times = update_envelope(update, admins(demo, "medical", "medical", "medical", "medical"))
    assert "policy for [Group]  /Channel/Application not satisfied" in refusal(demo.config, several_times)
    two = update_envelope(update, admins(demo, "medical", "citizens"))
    assert "policy for [Group]  /Channel/Application not satisfied" in refusal(demo.config, two)


def test_a_bad_signature_counts_for_nothing_and_harms_nothing(demo: GeneratedChannel) -> None:
    update = change_of_value(demo.config, "Orderer", "BatchSize", SMALLER)
    (ministry,) = admins(demo, "ministry")
    forger = load_signing_identity(*forged_admin(demo), "MinistryMSP")
    assert derive(demo.config, update_envelope(update, [forger, *admins(demo, "medical"), ministry]))
    impostor = replace(ministry, private_key=demo.signer("medical", "Admin").private_key)
    assert derive(demo.config, update_envelope(update, [impostor, ministry]))
    assert refusal(demo.config, update_envelope(update, [forger])) == NOT_SATISFIED
    assert refusal(demo.config, update_envelope(update, [impostor])) == NOT_SATISFIED


def forged_admin(demo: GeneratedChannel) -> tuple[bytes, bytes]:
    """An admin of the Ministry that another organisation's CA made up."""
    keys = demo.material.organisations["medical"].ca.identity("Admin", "admin")
    return keys.certificate_pem, keys.key_pem


def test_a_signature_over_another_update_does_not_count(demo: GeneratedChannel) -> None:
    signers = admins(demo, "ministry")
    envelope = smaller_batches(demo, signers)
    assert envelope.count(SMALLER) == 1
    swapped = envelope.replace(SMALLER, codec.encode_batch_size(BatchSize(8, 70_000, 7_000)))
    assert len(swapped) == len(envelope)
    assert refusal(demo.config, swapped) == NOT_SATISFIED


def test_the_policy_that_governs_an_element_is_the_one_it_has_not_the_one_it_asks_for(demo: GeneratedChannel) -> None:
    """Otherwise an update could name a policy that it meets."""
    easy = "/Channel/Application/MedicalMSP/Admins"
    update = change_of_value(demo.config, "Orderer", "BatchSize", SMALLER, mod_policy=easy)
    assert refusal(demo.config, update_envelope(update, admins(demo, "medical"))) == NOT_SATISFIED
    following = validate(demo.config, derive(demo.config, update_envelope(update, admins(demo, "ministry"))))
    again = change_of_value(following, "Orderer", "BatchSize", codec.encode_batch_size(BatchSize()), version=2)
    assert validate(following, derive(following, update_envelope(again, admins(demo, "medical")))).sequence == 2


def test_an_organisation_changes_its_own_values_alone(demo: GeneratedChannel) -> None:
    update = change_of_value(demo.config, "Application/MedicalMSP", "AnchorPeers", b"")
    assert derive(demo.config, update_envelope(update, admins(demo, "medical")))
    assert "not satisfied" in refusal(demo.config, update_envelope(update, admins(demo, "police")))


# ---- what does not apply


def test_an_update_of_another_channel_is_refused(demo: GeneratedChannel) -> None:
    update = replace(change_of_value(demo.config, "Orderer", "BatchSize", SMALLER), channel_id="transport")
    assert refusal(demo.config, update_envelope(update, admins(demo, "ministry"))) == (
        "error authorizing update: ConfigUpdate for channel 'transport' but envelope for channel 'health'"
    )


def test_an_update_applies_once(demo: GeneratedChannel) -> None:
    envelope = smaller_batches(demo, admins(demo, "ministry"))
    following = validate(demo.config, derive(demo.config, envelope))
    assert refusal(following, envelope) == (
        "error authorizing update: error validating DeltaSet: "
        "attempt to set key [Value]  /Channel/Orderer/BatchSize to version 1, but key is at version 1"
    )


@pytest.mark.parametrize("version", [0, 2, 2**63])
def test_only_the_next_version_of_an_element_will_do(demo: GeneratedChannel, version: int) -> None:
    update = change_of_value(demo.config, "Orderer", "BatchSize", SMALLER, version=version)
    message = refusal(demo.config, update_envelope(update, admins(demo, "ministry")))
    assert f"attempt to set key [Value]  /Channel/Orderer/BatchSize to version {version}" in message


def test_a_new_element_begins_at_version_0(demo: GeneratedChannel) -> None:
    update = change_of_value(demo.config, "Orderer", "KafkaBrokers", b"", version=1)
    message = refusal(demo.config, update_envelope(update, admins(demo, "ministry")))
    assert message.endswith("to version 1, but key does not exist")


def test_the_read_set_must_still_be_so(demo: GeneratedChannel) -> None:
    update = change_of_value(demo.config, "Orderer", "BatchSize", SMALLER)
    assert update.read_set is not None
    stale = replace(update, read_set=edit(update.read_set, "Orderer", lambda group: replace(group, version=4)))
    assert refusal(demo.config, update_envelope(stale, admins(demo, "ministry"))) == (
        "error authorizing update: error validating ReadSet: proposed update requires that key "
        "[Group]  /Channel/Orderer be at version 4, but it is currently at version 0"
    )
    absent = replace(update, read_set=with_value(update.read_set, "Orderer", "Colour", b""))
    assert "does not contain element for [Value]  /Channel/Orderer/Colour" in refusal(
        demo.config, update_envelope(absent, admins(demo, "ministry"))
    )


def test_an_update_that_changes_nothing_is_refused(demo: GeneratedChannel) -> None:
    read = versions_only(demo.config.config.root, "Orderer")
    for written in (read, None):
        update = ConfigUpdate("health", read, written)
        assert "delta set was empty" in refusal(demo.config, update_envelope(update, admins(demo, "ministry")))


@pytest.mark.parametrize("mod_policy", ["", "Ad mins", "/Channel//Admins", "..", "/"])
def test_an_element_that_nobody_could_change_again_is_refused(demo: GeneratedChannel, mod_policy: str) -> None:
    update = change_of_value(demo.config, "Orderer", "BatchSize", SMALLER, mod_policy=mod_policy)
    refusal(demo.config, update_envelope(update, admins(demo, "ministry")))


@pytest.mark.parametrize("key", ["", ".", "..", "a b", "a/b", "é", "k" * 250])
def test_a_key_that_no_path_could_hold_is_refused(demo: GeneratedChannel, key: str) -> None:
    update = change_of_value(demo.config, "Orderer", key, b"", version=0)
    assert "illegal characters" in refusal(demo.config, update_envelope(update, admins(demo, "ministry")))


def test_an_element_whose_policy_is_gone_cannot_change(demo: GeneratedChannel) -> None:
    missing = edit(
        demo.config.config.root,
        "Orderer",
        lambda group: replace(group, values={**group.values, "BatchSize": ConfigValue(SMALLER, 0, "Nobody")}),
    )
    orphaned = ChannelConfig.from_config("health", Config(0, missing))
    message = refusal(orphaned, smaller_batches(demo, admins(demo, "ministry")))
    assert "unexpected missing policy /Channel/Orderer/Nobody" in message


def test_an_organisation_does_not_become_another_one(demo: GeneratedChannel) -> None:
    update = change_of_value(demo.config, "Application/MedicalMSP", "MSP", bank_msp(demo))
    assert refusal(demo.config, update_envelope(update, admins(demo, "medical"))) == (
        "application org MedicalMSP attempted to change MSP ID from MedicalMSP to BankMSP"
    )


def test_a_configuration_that_no_channel_could_run_under_is_refused_whoever_signs(demo: GeneratedChannel) -> None:
    everybody = admins(demo, *MEMBERS, "ministry")
    nothing = change_of_value(demo.config, "Orderer", "BatchSize", b"")
    with pytest.raises(InvalidConfig, match="max message count"):
        derive(demo.config, update_envelope(nothing, everybody))
    newer = change_of_value(demo.config, "Application", "Capabilities", codec.encode_capabilities(["V2_5", "V9_0"]))
    with pytest.raises(UnsupportedCapability, match="V9_0"):
        derive(demo.config, update_envelope(newer, everybody))


def test_only_a_config_update_envelope_holds_an_update(demo: GeneratedChannel) -> None:
    raw = encode_config_update(change_of_value(demo.config, "Orderer", "BatchSize", SMALLER))
    data = encode_config_update_envelope(ConfigUpdateEnvelope(raw, ()))
    with pytest.raises(MalformedMessage, match="type 3 holds no configuration update"):
        derive(demo.config, wrap(data, "health", header_type=3))
    for junk in (b"", b"\xff", wrap(b"\xff\xff", "health")):
        with pytest.raises((MalformedMessage, ConfigUpdateRefused)):
            derive(demo.config, junk)


# ---- peers check the orderer


def test_a_result_that_its_update_does_not_lead_to_is_refused(demo: GeneratedChannel) -> None:
    honest = parse_config_envelope(derive(demo.config, smaller_batches(demo, admins(demo, "ministry"))))
    root = honest.config.root
    greedy = edit(
        root,
        "Orderer",
        lambda group: replace(group, values={**group.values, "BatchSize": ConfigValue(SMALLER + SMALLER, 1, "Admins")}),
    )
    weaker = edit(root, "Application/MedicalMSP", lambda group: replace(group, mod_policy="Writers"))
    for forged in (greedy, weaker, demo.config.config.root):
        envelope = encode_config_envelope(replace(honest, config=Config(1, forged)))
        with pytest.raises(ConfigUpdateRefused, match="did not produce the supplied config result"):
            validate(demo.config, envelope)


def test_a_result_out_of_sequence_or_without_an_update_is_refused(demo: GeneratedChannel) -> None:
    honest = parse_config_envelope(derive(demo.config, smaller_batches(demo, admins(demo, "ministry"))))
    for sequence in (0, 2):
        envelope = encode_config_envelope(replace(honest, config=replace(honest.config, sequence=sequence)))
        with pytest.raises(ConfigUpdateRefused, match=f"cannot validate config at sequence {sequence}"):
            validate(demo.config, envelope)
    with pytest.raises(ConfigUpdateRefused, match="has no last update"):
        validate(demo.config, encode_config_envelope(ConfigEnvelope(honest.config, None)))


def test_a_result_whose_update_nobody_signed_is_refused(demo: GeneratedChannel) -> None:
    honest = parse_config_envelope(derive(demo.config, smaller_batches(demo, admins(demo, "ministry"))))
    unsigned = replace(honest, last_update=smaller_batches(demo, ()))
    with pytest.raises(ConfigUpdateRefused, match="not satisfied"):
        validate(demo.config, encode_config_envelope(unsigned))
