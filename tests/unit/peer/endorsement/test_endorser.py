"""What becomes of a proposal that may come in: its simulation, its response, and what is counted."""

from pathlib import Path

import pytest

from privysharing.chaincode.stub import PEER_TIME_DECORATION, Stub
from privysharing.protocol.build import endorsement_message
from privysharing.protocol.codec.interests import parse_interest
from privysharing.protocol.codec.transactions import (
    parse_chaincode_action,
    parse_chaincode_event,
    parse_proposal_response_payload,
    proposal_hash,
)
from privysharing.protocol.codes import TxCode
from privysharing.protocol.interests import ChaincodeCall
from privysharing.protocol.transactions import ChaincodeId, ProposalResponse, Response
from services.peer.endorsement.endorser import KEPT_BYTES_MAX
from services.peer.endorsement.stages import Outcome, ProposalRefused, Stage, Waiting
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
from tests.support.outcomes import failure, process, put

COUNTED = ("endorser_proposals_received", "endorser_successful_proposals")


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


def test_a_simulation_that_came_to_much_is_answered_at_once_and_keeps_nothing_while_others_run(
    network: Network,
) -> None:
    endorser = network.peers[0].endorser

    def simulated(value: str) -> Stage | Waiting | Outcome:
        at = endorser.admit(signed(proposal(network.client, CHAINCODE, "put", "a", value), network.client))
        for _ in ("examined", "identified", "permitted", "simulated"):
            assert callable(at)
            at = at()
        return at

    assert callable(simulated("1"))
    assert isinstance(simulated("1" * KEPT_BYTES_MAX), ProposalResponse)


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
