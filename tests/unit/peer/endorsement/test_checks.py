"""Each check at the door, the refusal beside the success."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from privysharing.protocol.codec.envelopes import encode_channel_header, encode_signature_header
from privysharing.protocol.codec.transactions import (
    encode_chaincode_header_extension,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
    encode_signed_proposal,
    parse_signed_proposal,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.crypto import CURVE_ORDERS
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.transactions import ChaincodeId, Proposal, SignedProposal
from tests.support.endorsing import CHAINCODE, CHANNEL, NOW_NS, Network, endorsed, proposal, signed
from tests.support.outcomes import process, put, refusal

UNREADABLE = "error unmarshalling {}: proto: cannot parse invalid wire-format data"
MINUTE_NS = 60 * 1_000_000_000


def with_header(network: Network, what: Proposal, **changes: object) -> bytes:
    """A well signed proposal with a changed channel header."""
    change: Callable[..., object] = replace
    header = change(what.header.channel, **changes)
    invocation = encode_invocation(what.chaincode, what.input)
    raw = encode_proposal(
        encode_channel_header(header),  # type: ignore[arg-type]
        what.header.signature_bytes,
        encode_proposal_payload(invocation),
    )
    return encode_signed_proposal(SignedProposal(raw, network.client.sign(raw)))


@pytest.mark.parametrize("kind", [HeaderType.ENDORSER_TRANSACTION, HeaderType.CONFIG])
def test_types_3_and_1_are_taken(network: Network, kind: HeaderType) -> None:
    endorsed(process(network, with_header(network, put(network), type=int(kind))))


@pytest.mark.parametrize(("kind", "name"), [(5, "DELIVER_SEEK_INFO"), (0, "MESSAGE"), (99, "99")])
def test_other_header_types_are_refused(network: Network, kind: int, name: str) -> None:
    outcome = process(network, with_header(network, put(network), type=kind))
    assert refusal(outcome) == f"error validating proposal: invalid header type {name}"


def test_an_epoch_is_refused(network: Network) -> None:
    outcome = process(network, with_header(network, put(network), epoch=1))
    assert refusal(outcome) == "error validating proposal: epoch is non-zero"


def test_an_id_that_does_not_come_from_nonce_and_creator_is_refused(network: Network) -> None:
    what = put(network)
    outcome = process(network, with_header(network, what, tx_id=TxId("ab" * 32)))
    expected = f"incorrectly computed txid '{'ab' * 32}' -- expected '{what.header.channel.tx_id}'"
    assert refusal(outcome) == f"error validating proposal: {expected}"


@pytest.mark.parametrize(("field", "text"), [("nonce", "nonce is empty"), ("creator", "creator is empty")])
def test_an_empty_nonce_or_creator_is_refused(network: Network, field: str, text: str) -> None:
    what = put(network)
    change: Callable[..., object] = replace
    header = encode_signature_header(change(what.header.signature, **{field: b""}))  # type: ignore[arg-type]
    payload = encode_proposal_payload(encode_invocation(what.chaincode, what.input))
    raw = encode_proposal(what.header.channel_bytes, header, payload)
    outcome = process(network, encode_signed_proposal(SignedProposal(raw, network.client.sign(raw))))
    assert refusal(outcome) == f"error validating proposal: {text}"


@pytest.mark.parametrize("minutes", [-14, 0, 14])
def test_a_timestamp_within_the_window_is_taken(network: Network, minutes: int) -> None:
    what = proposal(network.client, CHAINCODE, "put", "a", "1", timestamp_ns=NOW_NS + minutes * MINUTE_NS)
    endorsed(process(network, signed(what, network.client)))


@pytest.mark.parametrize(("minutes", "claimed"), [(-16, "2024-01-30T23:44:00Z"), (16, "2024-01-31T00:16:00Z")])
def test_a_timestamp_outside_the_window_is_refused(network: Network, minutes: int, claimed: str) -> None:
    what = proposal(network.client, CHAINCODE, "put", "a", "1", timestamp_ns=NOW_NS + minutes * MINUTE_NS)
    assert refusal(process(network, signed(what, network.client))) == (
        f"request unauthorized due to incorrect timestamp {claimed}, peer time 2024-01-31T00:00:00Z, "
        "peer.authentication.timewindow 15m0s"
    )


def test_no_timestamp_is_the_start_of_1970(network: Network) -> None:
    outcome = process(network, with_header(network, put(network), timestamp_ns=None))
    assert refusal(outcome).startswith("request unauthorized due to incorrect timestamp 1970-01-01T00:00:00Z")


def test_an_expired_certificate_is_refused_although_it_is_valid(network: Network) -> None:
    brief = network.org1.ca.issue("brief", "client", lifetime=timedelta(days=29)).signer("Org1MSP")
    assert refusal(network.peers[0].answer(brief, CHAINCODE, "put", "a", "1")) == "proposal client identity expired"
    lasting = network.org1.ca.issue("lasting", "client", lifetime=timedelta(days=31)).signer("Org1MSP")
    endorsed(network.peers[0].answer(lasting, CHAINCODE, "put", "a", "1"))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xff", "error unmarshalling SignedProposal: proto: cannot parse invalid wire-format data"),
        (
            encode_signed_proposal(SignedProposal(b"\xff", b"s")),
            "failed parsing proposal: error unmarshalling Proposal: proto: cannot parse invalid wire-format data",
        ),
        (
            encode_signed_proposal(SignedProposal(encode_proposal(b"\xff", b"", b""), b"s")),
            f"failed parsing channel header: {UNREADABLE.format('ChannelHeader')}",
        ),
    ],
)
def test_bytes_that_are_no_proposal_are_refused(network: Network, raw: bytes, text: str) -> None:
    assert refusal(process(network, raw)) == text


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        (b"", "ChaincodeHeaderExtension.ChaincodeId is nil"),
        (encode_chaincode_header_extension(ChaincodeId("")), "ChaincodeHeaderExtension.ChaincodeId.Name is empty"),
        (
            b"\xff",
            "error unmarshalling ChaincodeHeaderExtension: proto: cannot parse invalid wire-format data",
        ),
    ],
)
def test_a_proposal_must_name_its_chaincode(network: Network, extension: bytes, text: str) -> None:
    assert refusal(process(network, with_header(network, put(network), extension=extension))) == text


def test_a_proposal_must_have_input(network: Network) -> None:
    what = put(network)
    raw = encode_proposal(what.header.channel_bytes, what.header.signature_bytes, b"")
    outcome = process(network, encode_signed_proposal(SignedProposal(raw, network.client.sign(raw))))
    assert refusal(outcome) == "chaincode invocation spec did not contain chaincode spec"


def high_s(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, CURVE_ORDERS["secp256r1"] - s)


@pytest.mark.parametrize(
    "spoil", [high_s, lambda signature: signature[:-1] + bytes((signature[-1] ^ 1,)), lambda signature: b"none"]
)
def test_a_bad_signature_is_refused(network: Network, spoil: Callable[[bytes], bytes]) -> None:
    good = parse_signed_proposal(signed(put(network), network.client))
    outcome = process(network, encode_signed_proposal(SignedProposal(good.proposal, spoil(good.signature))))
    text = f"error validating proposal: access denied: channel [{CHANNEL}] creator org [Org1MSP]"
    assert refusal(outcome) == text


def test_no_signature_is_refused(network: Network) -> None:
    raw = encode_signed_proposal(SignedProposal(put(network).raw, b""))
    assert refusal(process(network, raw)) == "error validating proposal: empty signature bytes"


def test_a_changed_proposal_is_refused(network: Network) -> None:
    good = parse_signed_proposal(signed(put(network), network.client))
    argument = good.proposal.rindex(b"put")  # a certificate may hold these letters too, further in front
    tampered = good.proposal[:argument] + b"del" + good.proposal[argument + 3 :]
    outcome = process(network, encode_signed_proposal(SignedProposal(tampered, good.signature)))
    assert "access denied" in refusal(outcome)


def test_strangers_are_refused(network: Network) -> None:
    """An organisation that the channel does not have; a certificate of another organisation's CA."""
    text = f"error validating proposal: access denied: channel [{CHANNEL}] creator org unknown, creator is malformed"
    for stranger in (
        network.stranger.signer("mallory", "client"),
        network.stranger.ca.issue("mallory", "client").signer("Org1MSP"),
    ):
        assert refusal(network.peers[0].answer(stranger, CHAINCODE, "put", "a", "1")) == text


def test_an_identity_without_a_role_is_refused(network: Network) -> None:
    nobody = network.org1.ca.issue("nobody").signer("Org1MSP")
    outcome = network.peers[0].answer(nobody, CHAINCODE, "put", "a", "1")
    text = f"error validating proposal: access denied: channel [{CHANNEL}] creator org [Org1MSP]"
    assert refusal(outcome) == text


def test_who_is_no_writer_may_not_propose(network: Network) -> None:
    peer = network.org1.signer("peer1", "peer")
    before = network.peers[0].metric(f'endorser_proposal_acl_failures{{channel="{CHANNEL}"')
    assert refusal(network.peers[0].answer(peer, CHAINCODE, "put", "a", "1")) == (
        f"Failed evaluating policy on signed data during check policy on channel [{CHANNEL}] with policy "
        "[/Channel/Application/Writers]: [implicit policy evaluation failed - 0 sub-policies were satisfied, but this "
        "policy requires 1 of the 'Writers' sub-policies to be satisfied]"
    )
    after = network.peers[0].metric(f'endorser_proposal_acl_failures{{channel="{CHANNEL}"')
    assert int(after) == int(before) + 1


def test_a_channels_own_rule_decides_who_may_propose() -> None:
    network = Network(acls={"peer/Propose": "/Channel/Application/Admins"})
    network.define()
    outcome = network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1")
    assert refusal(outcome).startswith(
        "failed evaluating policy on signed data during check policy [/Channel/Application/Admins]: [implicit policy"
    )
    network.close()


def test_a_replayed_proposal_of_a_committed_transaction_is_refused(network: Network) -> None:
    what = proposal(network.client, CHAINCODE, "put", "replayed", "1")
    raw = signed(what, network.client)
    responses = [endorsed(peer.endorser.process(raw)) for peer in network.peers]
    assert network.commit(what, responses) is TxCode.VALID
    creator = what.header.signature.creator.hex()
    assert refusal(process(network, raw)) == (
        f"duplicate transaction found [{what.header.channel.tx_id}]. Creator [{creator}]"
    )
    series = f'endorser_duplicate_transaction_failures{{channel="{CHANNEL}",chaincode="{CHAINCODE}"}}'
    assert network.peers[0].metric(series) == "1"
