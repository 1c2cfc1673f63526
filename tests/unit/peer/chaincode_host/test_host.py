"""Which chaincode runs, in which order of refusals, and what chaincodes that call each other come to."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from privysharing.protocol.channel.genesis import genesis_block
from privysharing.protocol.codec.rwsets import parse_tx_rwset
from privysharing.protocol.codec.transactions import parse_chaincode_action, parse_proposal_response_payload
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import NamespaceRwSet, Read, TxRwSet, Version, Write
from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.chaincode_host.contracts import Contracts
from services.peer.chaincode_host.definitions import Definitions
from services.peer.chaincode_host.errors import ChaincodeError
from services.peer.chaincode_host.host import INITIALIZED_KEY, ChaincodeConfig
from services.peer.chaincode_host.ports import Contract
from services.peer.chaincode_host.simulator import State, TxSimulator
from services.peer.endorsement.stages import Outcome
from services.peer.ledger.memory import MemoryState
from services.runtime.config import ConfigError
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
    profile,
    proposal,
    signed,
)
from tests.support.private import EveryCollection, Values

Launchers = Mapping[str, Callable[[], Contract]]
Build = Callable[..., Network]


@pytest.fixture
def build() -> Iterator[Build]:
    made: list[Network] = []

    def make(contracts: Launchers | None = None, **choices: Any) -> Network:
        made.append(Network(contracts, **choices))
        return made[-1]

    yield make
    for network in made:
        network.close()


def failure(outcome: Outcome) -> str:
    assert isinstance(outcome, ProposalResponse), outcome
    assert (outcome.response.status, outcome.endorsement) == (500, None)
    return outcome.response.message


def rwset(answer: ProposalResponse) -> TxRwSet:
    _, action = parse_proposal_response_payload(answer.payload)
    return parse_tx_rwset(parse_chaincode_action(action).results)


def namespace(answer: ProposalResponse, name: str) -> NamespaceRwSet:
    return next(ns for ns in rwset(answer).namespaces if ns.namespace == name)


def test_every_transaction_reads_its_definition(build: Build) -> None:
    network = build()
    network.define()  # approved in blocks 1 and 2, committed in block 3
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1"))
    assert rwset(answer).namespaces == (
        NamespaceRwSet("_lifecycle", reads=(Read(f"namespaces/fields/{CHAINCODE}/Sequence", Version(3, 0)),)),
        NamespaceRwSet(CHAINCODE, writes=(Write("a", b"1"),)),
    )


def test_what_is_known_of_a_definition_is_known_at_that_height_of_that_channel_alone(build: Build) -> None:
    network = build()
    network.define(version="1")
    definitions = Definitions(network.org1.msp_id)

    def find(channel_id: str, state: State) -> tuple[str, TxRwSet]:
        simulator = TxSimulator(state, EveryCollection(), Values())
        return definitions.find(channel_id, CHAINCODE, simulator).version, simulator.results().rwset

    defined = network.channel.ledger.view
    looked_up = find(CHANNEL, defined)
    assert find(CHANNEL, defined) == looked_up == ("1", looked_up[1])
    with pytest.raises(ChaincodeError):
        find("another", MemoryState(defined.height))
    with pytest.raises(ChaincodeError):
        find(CHANNEL, MemoryState(defined.height + 1))
    network.define(sequence=2, version="2")
    version, reads = find(CHANNEL, network.channel.ledger.view)
    assert version == "2"
    assert reads != looked_up[1]
    assert find(CHANNEL, defined) == looked_up


def test_a_new_definition_makes_transactions_in_flight_stale(build: Build) -> None:
    network = build()
    network.define()
    what = proposal(network.client, CHAINCODE, "put", "a", "1")
    responses = [endorsed(peer.endorser.process(signed(what, network.client))) for peer in network.peers]
    network.define(sequence=2, version="2")
    assert network.commit(what, responses) is TxCode.MVCC_READ_CONFLICT
    assert network.submit(network.client, CHAINCODE, "put", "a", "1") is TxCode.VALID


def test_a_chaincode_that_only_others_approved_does_not_run_here(build: Build) -> None:
    network = build()
    network.define()
    newcomer = Peer(network.stranger, network.channels)
    outcome = newcomer.answer(network.client, CHAINCODE, "put", "a", "1")
    assert failure(outcome) == (
        f"make sure the chaincode {CHAINCODE} has been successfully defined on channel {CHANNEL} and try again: "
        f"chaincode definition for '{CHAINCODE}' at sequence 1 on channel '{CHANNEL}' has not yet been approved by "
        "this org"
    )
    newcomer.watchdog.close()


def test_a_defined_chaincode_that_is_not_installed_does_not_run(build: Build) -> None:
    network = build({"other": KeyValues})
    network.define()
    assert failure(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1")).endswith(
        f"try again: chaincode definition for '{CHAINCODE}' exists, but chaincode is not installed"
    )


def test_a_chaincode_that_cannot_be_started_fails_and_is_counted(build: Build) -> None:
    def broken() -> Contract:
        raise ImportError("a secret path")

    network = build({CHAINCODE: broken})
    network.define()
    text = failure(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1"))
    assert text.startswith("error in simulation: failed to execute transaction ")
    assert text.endswith(f": could not launch chaincode {CHAINCODE}:1")
    assert network.peers[0].metric(f'chaincode_launch_failures{{chaincode="{CHAINCODE}:1"}}') == "1"


def test_a_chaincode_that_wants_initialisation_gets_it_once_for_each_version(build: Build) -> None:
    network = build()
    network.define(init_required=True)

    def answer(*args: str, **choices: bool) -> str:
        text = failure(network.peers[0].answer(network.client, CHAINCODE, *args, **choices))
        return text.split("invalid invocation: ")[1]

    assert answer("put", "a", "1") == (
        f"chaincode '{CHAINCODE}' has not been initialized for this version, must call as init first"
    )
    assert network.submit(network.client, CHAINCODE, "put", "a", "1", is_init=True) is TxCode.VALID
    assert answer("put", "a", "1", is_init=True) == f"chaincode '{CHAINCODE}' is already initialized but called as init"
    after = namespace(endorsed(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "2")), CHAINCODE)
    assert after.reads == (Read(INITIALIZED_KEY, Version(4, 0)),)
    network.define(sequence=2, version="2", init_required=True)
    assert "must call as init first" in answer("put", "a", "1")


def test_a_chaincode_that_wants_no_initialisation_cannot_be_called_as_init(build: Build) -> None:
    network = build()
    network.define()
    assert failure(network.peers[0].answer(network.client, CHAINCODE, "put", "a", "1", is_init=True)).endswith(
        f"chaincode '{CHAINCODE}' does not require initialization but called as init"
    )


def test_a_call_of_another_chaincode_adds_its_namespace(build: Build) -> None:
    network = build({CHAINCODE: KeyValues, "other": KeyValues})
    network.define()
    network.define("other")
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "call", "other", "rmw", "a"))
    assert answer.response == Response(200, payload=b"rmw")
    assert [ns.namespace for ns in rwset(answer).namespaces] == ["_lifecycle", "other"]
    assert namespace(answer, "other") == NamespaceRwSet("other", reads=(Read("a", None),), writes=(Write("a", b"x"),))
    read = [read.key for read in namespace(answer, "_lifecycle").reads]
    assert read == [f"namespaces/fields/{name}/Sequence" for name in (CHAINCODE, "other")]
    assert network.submit(network.client, CHAINCODE, "call", "other", "put", "b", "2") is TxCode.VALID
    assert endorsed(network.peers[0].answer(network.client, "other", "get", "b")).response.payload == b"2"


def test_the_event_of_a_called_chaincode_is_lost(build: Build) -> None:
    network = build({CHAINCODE: KeyValues, "other": KeyValues})
    network.define()
    network.define("other")
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "call", "other", "event", "lost"))
    _, action = parse_proposal_response_payload(answer.payload)
    assert parse_chaincode_action(action).events == b""


def test_what_a_called_chaincode_fails_with_is_its_callers_to_judge(build: Build) -> None:
    network = build({CHAINCODE: KeyValues, "other": KeyValues})
    network.define()
    network.define("other")
    peer = network.peers[0]
    refused = endorsed(peer.answer(network.client, CHAINCODE, "call", "other", "status", "404"))
    assert refused.response == Response(200, "as asked", b"payload")
    crashed = endorsed(peer.answer(network.client, CHAINCODE, "call", "other", "fail"))
    assert crashed.response.payload == b"transaction returned with failure: chaincode other failed"
    undefined = endorsed(peer.answer(network.client, CHAINCODE, "call", "nocc", "get", "a"))
    assert undefined.response.payload.endswith(
        f"execute failed: invalid invocation: [channel {CHANNEL}] failed to get chaincode container info for nocc: "
        "chaincode nocc not found".encode()
    )


def test_a_chaincode_cannot_call_itself_not_even_around_a_corner(build: Build) -> None:
    network = build({CHAINCODE: KeyValues, "other": KeyValues})
    network.define()
    network.define("other")
    peer = network.peers[0]
    for route in ((CHAINCODE,), ("other", "call", CHAINCODE)):
        answer = endorsed(peer.answer(network.client, CHAINCODE, "call", *route, "get", "a"))
        text = answer.response.payload.decode()
        assert text.endswith(f"({CHANNEL}) exists"), text
        assert "INVOKE_CHAINCODE failed: transaction ID: " in text


def test_a_call_into_another_channel_reads_there_and_writes_nothing(build: Build) -> None:
    network = build()
    network.define()
    elsewhere = LiveChannel(
        genesis_block(
            profile(network.org1, network.org2, orderer=network.orderer, channel_id="elsewhere"),
            nonce=b"other",
            timestamp_ns=NOW_NS,
        )
    )

    class Across(KeyValues):
        def invoke(self, stub: Any) -> Response:
            if stub.args[0] != b"across":
                return super().invoke(stub)
            answer = stub.invoke_chaincode("_lifecycle", stub.args[1:], "elsewhere")
            stub.put_state("a", b"1")
            return Response(200, json.dumps(answer.status), answer.payload)

    peer = Peer(network.org1, LiveChannels(network.channel, elsewhere), {CHAINCODE: Across})
    answer = endorsed(peer.answer(network.client, CHAINCODE, "across", "QueryChaincodeDefinitions", ""))
    assert (answer.response.message, answer.response.payload) == ("200", b"")
    assert [ns.namespace for ns in rwset(answer).namespaces] == ["_lifecycle", CHAINCODE]
    assert len(namespace(answer, "_lifecycle").reads) == 1
    peer.watchdog.close()


def test_a_call_into_a_channel_where_the_client_may_not_is_refused(build: Build) -> None:
    network = build({CHAINCODE: KeyValues, "other": KeyValues})
    network.define()
    foreign = LiveChannel(
        genesis_block(
            profile(network.org2, orderer=network.orderer, channel_id="foreign"), nonce=b"other", timestamp_ns=NOW_NS
        )
    )
    peer = Peer(network.org1, LiveChannels(network.channel, foreign), {CHAINCODE: CallAcross})
    for channel_id, why in (
        ("foreign", "Failed evaluating policy on signed data during check policy on channel [foreign]"),
        ("nowhere", "Failed to get policy manager for channel [nowhere]"),
    ):
        answer = endorsed(peer.answer(network.client, CHAINCODE, channel_id))
        assert why in answer.response.payload.decode()
    peer.watchdog.close()


class CallAcross:
    def invoke(self, stub: Any) -> Response:
        answer = stub.invoke_chaincode("other", [b"get", b"a"], stub.args[0].decode())
        return Response(200, payload=answer.payload)


def test_a_user_chaincode_cannot_reach_the_ledger_through_qscc(build: Build) -> None:
    network = build()
    network.define()
    answer = endorsed(network.peers[0].answer(network.client, CHAINCODE, "call", "qscc", "GetChainInfo", CHANNEL))
    assert answer.response.message.startswith("Rejecting invoke of QSCC from another chaincode")
    assert answer.response.payload == b""


def test_every_peer_of_an_organisation_that_approved_runs_the_chaincode(build: Build) -> None:
    """The plain approval is with the peer that endorsed it; the others go by its hashes."""
    network = build()
    network.define()
    twin = Peer(network.org1, network.channels)
    endorsed(twin.answer(network.client, CHAINCODE, "put", "a", "1"))
    twin.watchdog.close()


def test_installed_contracts_are_found_by_entry_point() -> None:
    renamed = Contracts.installed({"health": "privysharing"})
    assert "health" in renamed
    assert "privysharing" not in renamed
    with pytest.raises(ConfigError, match=r"contracts.health: nothing is not an installed contract \(.*privysharing"):
        Contracts.installed({"health": "nothing"})


@pytest.mark.parametrize("bad", [{"execute_timeout_s": 0.0}, {"memory_growth_max": 0}])
def test_a_configuration_without_limits_is_refused(bad: dict[str, Any]) -> None:
    ChaincodeConfig()
    with pytest.raises(ValueError, match="must be positive"):
        ChaincodeConfig(**bad)
