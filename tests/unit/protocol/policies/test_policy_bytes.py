"""Policies on the wire."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.codec.policies import (
    IMPLICIT_META,
    SIGNATURE,
    encode_application_policy,
    encode_channel_policy,
    encode_implicit_meta,
    encode_signature_policy,
    parse_application_policy,
    parse_channel_policy,
    parse_implicit_meta,
    parse_signature_policy,
)
from privysharing.protocol.errors import MalformedMessage
from privysharing.protocol.msp.principals import MspRole, RolePrincipal
from privysharing.protocol.policies import (
    ChannelPolicyReference,
    ImplicitMeta,
    MetaRule,
    NOutOf,
    Rule,
    SignaturePolicy,
    SignedBy,
    parse_policy,
)

POLICY = parse_policy("AND('A.peer', 'B.peer')")
int32 = st.integers(-(2**31), 2**31 - 1)
rules: st.SearchStrategy[Rule] = st.recursive(
    st.builds(SignedBy, int32),
    lambda parts: st.builds(NOutOf, int32, st.lists(parts, max_size=3).map(tuple)),
    max_leaves=8,
)
roles = st.builds(RolePrincipal, st.text(max_size=5), st.sampled_from(MspRole))
signature_policies = st.builds(SignaturePolicy, rules, st.lists(roles, max_size=3).map(tuple), int32)


def test_the_bytes_are_fabrics() -> None:
    gate = "120a" + "0802" + "12020800" + "12020801"  # n_out_of: 2, signed_by 0, signed_by 1
    peers = "1a07" + "1205" + "0a0141" + "1003" + "1a07" + "1205" + "0a0142" + "1003"  # ROLE: msp id, PEER
    assert encode_signature_policy(POLICY).hex() == "120c" + gate + peers


@given(signature_policies)
def test_a_signature_policy_is_the_same_after_writing_and_reading(policy: SignaturePolicy) -> None:
    assert parse_signature_policy(encode_signature_policy(policy)) == policy
    assert parse_application_policy(encode_application_policy(policy)) == policy


@given(st.sampled_from(MetaRule), st.text(max_size=8))
def test_an_implicit_policy_is_the_same_after_writing_and_reading(rule: MetaRule, name: str) -> None:
    assert parse_implicit_meta(encode_implicit_meta(ImplicitMeta(rule, name))) == ImplicitMeta(rule, name)


@given(st.text(max_size=8))
def test_a_reference_is_the_same_after_writing_and_reading(path: str) -> None:
    reference = ChannelPolicyReference(path)
    assert parse_application_policy(encode_application_policy(reference)) == reference


@pytest.mark.parametrize(
    ("policy", "kind"), [(POLICY, SIGNATURE), (ImplicitMeta(MetaRule.MAJORITY, "Admins"), IMPLICIT_META)]
)
def test_a_channels_policy_says_of_which_kind_it_is(policy: SignaturePolicy | ImplicitMeta, kind: int) -> None:
    written = encode_channel_policy(policy)
    assert written[0] == kind
    assert parse_channel_policy(*written) == policy


@pytest.mark.parametrize("kind", [0, 2, 4])
def test_a_channel_has_no_other_kinds_of_policy(kind: int) -> None:
    with pytest.raises(MalformedMessage, match="unknown policy type"):
        parse_channel_policy(kind, encode_signature_policy(POLICY))


def test_a_later_version_is_refused_in_a_channels_configuration_and_nowhere_else() -> None:
    raw = encode_signature_policy(SignaturePolicy(POLICY.rule, POLICY.identities, version=1))
    assert parse_signature_policy(raw).version == 1
    with pytest.raises(MalformedMessage, match="version 1"):
        parse_channel_policy(SIGNATURE, raw)


@pytest.mark.parametrize("raw", [b"", b"\x12\x00", b"\x12\x04\x12\x02\x12\x00", b"\xff"])
def test_a_signature_policy_with_an_empty_rule_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_signature_policy(raw)


@pytest.mark.parametrize("raw", [b"\x10\x03", b"\xff"])
def test_an_implicit_policy_with_an_unknown_rule_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_implicit_meta(raw)


@pytest.mark.parametrize("raw", [b"", b"\x0a\x00", b"\xff"])
def test_an_application_policy_that_says_nothing_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_application_policy(raw)


@given(st.binary(max_size=40))
def test_garbage_is_malformed_or_means_something(raw: bytes) -> None:
    with suppress(MalformedMessage):
        policy = parse_signature_policy(raw)
        assert parse_signature_policy(encode_signature_policy(policy)) == policy
    with suppress(MalformedMessage):
        asked = parse_application_policy(raw)
        assert parse_application_policy(encode_application_policy(asked)) == asked
