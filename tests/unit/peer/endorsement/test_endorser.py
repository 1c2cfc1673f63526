"""Each check at the door, the refusal beside the success, and what becomes of a response."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from privysharing.chaincode.stub import PEER_TIME_DECORATION, Stub
from privysharing.protocol.build import endorsement_message
from privysharing.protocol.codec.envelopes import encode_channel_header, encode_signature_header
from privysharing.protocol.codec.interests import parse_interest
from privysharing.protocol.codec.transactions import (
    encode_chaincode_header_extension,
    encode_invocation,
    encode_proposal,
    encode_proposal_payload,
    encode_signed_proposal,
    parse_chaincode_action,
    parse_chaincode_event,
    parse_proposal_response_payload,
    parse_signed_proposal,
    proposal_hash,
)
from privysharing.protocol.codes import HeaderType, TxCode
from privysharing.protocol.crypto import CURVE_ORDERS
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.interests import ChaincodeCall
from privysharing.protocol.transactions import (
    ChaincodeId,
    Proposal,
    ProposalResponse,
    Response,
    SignedProposal,
)
from services.peer.endorsement.stages import Outcome, ProposalRefused
from services.runtime.disk import DiskFault
from tests.support.endorsing import (
    CHAINCODE,
    CHANNEL,
    NOW_NS,
    KeyValues,
    LiveChannel,
    LiveChannels,
    Network,
    Peer,
    endorsed,
    proposal,
    signed,
)

UNREADABLE = "error unmarshalling {}: proto: cannot parse invalid wire-format data"
MINUTE_NS = 60 * 1_000_000_000
COUNTED = ("endorser_proposals_received", "endorser_successful_proposals")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    made.define()
    yield made
    made.close()


def process(network: Network, raw: bytes) -> Outcome:
    return network.peers[0].endorser.process(raw)


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


def refusal(outcome: Outcome) -> str:
    assert isinstance(outcome, ProposalRefused), outcome
    assert not outcome.internal
    return outcome.message


def failure(outcome: Outcome) -> str:
    """What a response of status 500 without payload and endorsement says."""
    assert isinstance(outcome, ProposalResponse), outcome
    assert outcome.endorsement is None
    assert outcome.payload == b""
    assert (outcome.response.status, outcome.version) == (500, 0)
    return outcome.response.message


def put(network: Network) -> Proposal:
    return proposal(network.client, CHAINCODE, "put", "a", "1")


def test_a_good_proposal_is_endorsed_over_payload_and_endorser(network: Network) -> None:
    what = put(network)
    answer = endorsed(process(network, signed(what, network.client)))
    assert answer.response == Response(200, payload=b"ok")
    assert answer.version == 1
    assert answer.endorsement is not None
    peer = network.peers[0].signer
    assert answer.endorsement.endorser == peer.serialized
    endorser = network.channel.config.msps.identity(answer.endorsement.endorser)
    assert endorser.verify(endorsement_message(answer.payload, peer.serialized), answer.endorsement.signature)
    hashed, action_bytes = parse_proposal_response_payload(answer.payload)
    header = what.header
    assert hashed == proposal_hash(header.channel_bytes, header.signature_bytes, what.payload_without_transient)
    action = parse_chaincode_action(action_bytes)
    assert action.chaincode == ChaincodeId(CHAINCODE, "1")
    assert action.response == answer.response
    assert parse_interest(answer.interest).calls == (ChaincodeCall(CHAINCODE),)


def test_both_organisations_sign_the_same_bytes(network: Network) -> None:
    raw = signed(put(network), network.client)
    one, two = (endorsed(peer.endorser.process(raw)) for peer in network.peers)
    assert one.payload == two.payload
    assert one.endorsement != two.endorsement


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


def test_a_channel_that_the_peer_has_not_joined_is_a_500(network: Network) -> None:
    outcome = network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1", channel_id="elsewhere")
    assert failure(outcome) == "channel 'elsewhere' not found"


def test_nothing_is_endorsed_on_a_channel_that_has_stopped_but_its_ledger_can_be_asked(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network.channel, "stopped", "two blocks of one height")
    what = put(network)
    assert failure(process(network, signed(what, network.client))) == f"channel '{CHANNEL}' has stopped on this peer"
    asked = network.peers[0].answer(network.admins[0], "qscc", "GetChainInfo", CHANNEL)
    assert isinstance(asked, ProposalResponse)
    assert asked.response.status == 200


def test_an_undefined_chaincode_is_a_500(network: Network) -> None:
    assert failure(network.peers[0].answer(network.client, "nocc", "put", "a", "1")) == (
        f"make sure the chaincode nocc has been successfully defined on channel {CHANNEL} and try again: chaincode "
        "nocc not found"
    )


def test_a_chaincode_without_channel_is_a_500(network: Network) -> None:
    assert failure(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1", channel_id="")) == (
        f"make sure the chaincode {CHAINCODE} has been successfully defined on channel  and try again: could not get "
        "channel config for channel ''"
    )


@pytest.mark.parametrize("status", [100, 200, 399])
def test_a_status_below_400_is_endorsed(network: Network, status: int) -> None:
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "status", str(status)))
    assert answer.response == Response(status, "as asked", b"payload")


@pytest.mark.parametrize("status", [400, 404, 499])
def test_a_status_from_400_comes_without_payload_and_endorsement(network: Network, status: int) -> None:
    answer = network.peers[0].answer(network.client, CHAINCODE, "status", str(status))
    assert answer == ProposalResponse(Response(status, "as asked", b"payload"), version=0)
    series = f'endorser_endorsement_failures{{channel="{CHANNEL}",chaincode="{CHAINCODE}",chaincodeerror="true"}}'
    assert int(network.peers[0].metric(series)) >= 1


@pytest.mark.parametrize("status", [500, 600])
def test_a_status_from_500_comes_with_payload_and_without_endorsement(network: Network, status: int) -> None:
    answer = network.peers[0].answer(network.client, CHAINCODE, "status", str(status))
    assert isinstance(answer, ProposalResponse)
    assert answer.endorsement is None
    _, action = parse_proposal_response_payload(answer.payload)
    assert parse_chaincode_action(action).response == answer.response == Response(status, "as asked", b"payload")


def test_an_event_is_part_of_what_is_endorsed(network: Network) -> None:
    what = proposal(network.client, CHAINCODE, "event", "shared")
    answer = endorsed(process(network, signed(what, network.client)))
    _, action = parse_proposal_response_payload(answer.payload)
    event = parse_chaincode_event(parse_chaincode_action(action).events)
    assert (event.chaincode_id, event.tx_id, event.name) == (CHAINCODE, what.header.channel.tx_id, "shared")


def test_the_contract_sees_the_peers_clock_and_not_what_the_client_claims() -> None:
    seen = []

    class Clock(KeyValues):
        def invoke(self, stub: Stub) -> Response:
            seen.append(dict(stub.decorations))
            return Response(200)

    network = Network({CHAINCODE: Clock})
    network.define()
    what = proposal(network.client, CHAINCODE, "now", decorations={PEER_TIME_DECORATION: b"1", "other": b"2"})
    answer = endorsed(process(network, signed(what, network.client)))
    assert seen == [{PEER_TIME_DECORATION: str(NOW_NS).encode()}]
    header = what.header
    expected = proposal_hash(header.channel_bytes, header.signature_bytes, what.payload_without_transient)
    assert parse_proposal_response_payload(answer.payload)[0] == expected
    network.close()


def test_transient_data_reaches_the_contract_and_is_not_hashed() -> None:
    class Transient(KeyValues):
        def invoke(self, stub: Stub) -> Response:
            return Response(200, payload=stub.transient["secret"])

    network = Network({CHAINCODE: Transient})
    network.define()
    one, two = (proposal(network.client, CHAINCODE, "x", transient={"secret": value}) for value in (b"1", b"2"))
    assert one.payload_without_transient == two.payload_without_transient
    answers = [endorsed(process(network, signed(what, network.client))) for what in (one, two)]
    assert [answer.response.payload for answer in answers] == [b"1", b"2"]
    network.close()


def test_a_simulation_sees_one_state_although_blocks_are_committed_meanwhile() -> None:
    commits: list[TxCode] = []

    class Meanwhile(KeyValues):
        def invoke(self, stub: Stub) -> Response:
            if stub.args[0] != b"twice":
                return super().invoke(stub)
            before = stub.get_state("a")
            commits.append(network.submit(network.client, CHAINCODE, "put", "a", "new"))
            return Response(200, payload=b"same" if stub.get_state("a") == before else b"torn")

    network = Network({CHAINCODE: Meanwhile})
    network.define()
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "twice"))
    assert commits == [TxCode.VALID]
    assert answer.response.payload == b"same"
    network.close()


def test_a_fault_of_the_peer_says_nothing(network: Network) -> None:
    class BrokenChannels(LiveChannels):
        def get(self, channel_id: str) -> LiveChannel | None:
            raise OSError("disk full at a secret path")

    peer = Peer(network.org1, BrokenChannels())
    assert peer.answer(network.client, CHAINCODE, "put", "a", "1") == ProposalRefused("internal error", internal=True)
    peer.watchdog.close()


def test_storage_that_fails_is_told_to_the_peer_whoever_met_it(network: Network) -> None:
    fault = DiskFault(Path("/secret"), "read", OSError("bad sector"))

    class BrokenChannels(LiveChannels):
        def get(self, channel_id: str) -> LiveChannel | None:
            raise fault

    class Unlucky(KeyValues):
        def invoke(self, stub: Stub) -> Response:
            raise fault

    without_contract = Peer(network.org1, BrokenChannels())
    in_contract = Peer(network.org1, network.channels, {CHAINCODE: Unlucky})
    for peer in (without_contract, in_contract):
        answer = peer.answer(network.client, CHAINCODE, "put", "a", "1")
        assert answer == ProposalRefused("internal error", internal=True)
        assert peer.faults == [fault]
        peer.watchdog.close()


def test_chaincodes_that_clients_make_up_share_one_series() -> None:
    network = Network()
    peer = network.peers[0]
    for number in range(20):
        peer.answer(network.client, f"made-up-{number}", "put", "a", "1")
        peer.answer(network.org1.signer("peer1", "peer"), f"made-up-{number}", "put", "a", "1")
    assert "made-up" not in peer.registry.render()
    unknown = f'{{channel="{CHANNEL}",chaincode="unknown"'
    assert peer.metric(f"endorser_proposal_duration_count{unknown}") == "20"
    assert peer.metric(f"endorser_proposal_acl_failures{unknown}") == "20"
    network.close()


def test_what_comes_in_and_what_becomes_of_it_is_counted() -> None:
    network = Network()
    network.define()
    peer = network.peers[0]
    received, successful = (float(peer.metric(name)) for name in COUNTED)
    peer.answer(network.client, CHAINCODE, "put", "a", "1")
    peer.answer(network.stranger.signer("mallory", "client"), CHAINCODE, "put", "a", "1")
    peer.answer(network.client, CHAINCODE, "fail")
    assert float(peer.metric(COUNTED[0])) == received + 3
    assert float(peer.metric(COUNTED[1])) == successful + 1
    assert peer.metric("endorser_proposal_validation_failures") == "1"
    where = f'channel="{CHANNEL}",chaincode="{CHAINCODE}"'
    assert peer.metric(f"endorser_proposal_simulation_failures{{{where}}}") == "1"
    assert peer.metric(f'endorser_proposal_duration_count{{{where},success="true"}}') == "1"
    assert peer.metric(f'endorser_proposal_duration_count{{{where},success="false"}}') == "1"
    assert peer.metric(f'chaincode_shim_requests_completed{{type="PUT_STATE",channel="{CHANNEL}"') == "1"
    network.close()


def test_a_peer_short_of_disk_space_answers_questions_and_endorses_nothing_that_writes() -> None:
    room = [True]
    network = Network(has_room=lambda: room[0])
    network.define()
    peer = network.peers[0]
    try:
        room[0] = False
        asked = peer.answer(network.client, CHAINCODE, "get", "a")
        assert isinstance(asked, ProposalResponse)
        assert asked.response.status == 200
        for write in (("put", "a", "1"), ("del", "a"), ("rmw", "a")):
            refused = peer.answer(network.client, CHAINCODE, *write)
            assert isinstance(refused, ProposalRefused), refused
            assert refused.overloaded
            assert "short of disk space" in refused.message
        room[0] = True
        assert endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))
    finally:
        network.close()
