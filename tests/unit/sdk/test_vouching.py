"""What an answer shows by itself, what its signature shows, and what only another peer's answer gives away."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from privysharing.protocol.codes import TxCode
from privysharing.protocol.transactions import Proposal, ProposalResponse
from privysharing.sdk.profile import Node
from privysharing.sdk.vouching import Vouching, is_signed
from tests.support.endorsing import CHAINCODE, Network, endorsed, proposal, signed
from tests.support.liars import LyingEndorser

SEEDS = range(10)
FOUND_ALONE = {
    "two tongues": "endorsed another response than it gave",
    "replayed": "endorsed another proposal",
    "of another chaincode": "endorsed a call of another chaincode",
    "of another proposal": "endorsed another proposal",
    "unendorsed": "answered without an endorsement",
    "of another organisation": "endorsed in the name of ForgedMSP",
    "nonsense": "gave what is no endorsement",
}
FOUND_BY_THE_SIGNATURE = ("signs other bytes", "flipped signature")
FOUND_BY_COMPARING = ("forged result", "guessed versions", "forged response", "of a wrong version")
FOUND_BY_THE_PROFILE = ("made-up certificate",)
NODE = Node("peer0", "Org1MSP", "localhost:1", b"")


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = Network()
    network.define()
    assert network.submit(network.client, CHAINCODE, "put", "key", "honest") is TxCode.VALID
    yield network
    network.close()


def honest(network: Network, peer: int = 0) -> tuple[Proposal, ProposalResponse]:
    what = proposal(network.client, CHAINCODE, "rmw", "key", transient={"secret": b"for endorsers alone"})
    return what, endorsed(network.peers[peer].endorser.process(signed(what, network.client)))


def fault_of(node: Node, what: Proposal, answer: ProposalResponse) -> str | None:
    return Vouching(what).fault_of(node, answer)


def test_every_lie_has_its_place_here() -> None:
    found = {*FOUND_ALONE, *FOUND_BY_THE_SIGNATURE, *FOUND_BY_COMPARING, *FOUND_BY_THE_PROFILE}
    assert found == set(LyingEndorser.LIES)


def test_an_honest_answer_has_no_fault(network: Network) -> None:
    assert fault_of(NODE, *honest(network)) is None
    assert fault_of(Node("peer0", "", "localhost:1", b""), *honest(network)) is None  # a profile need not say whose


def test_a_peer_does_not_endorse_for_another_organisation(network: Network) -> None:
    fault = fault_of(NODE, *honest(network, peer=1))
    assert fault == "endorsed in the name of Org2MSP, and belongs to Org1MSP"


@pytest.mark.parametrize("lie", LyingEndorser.LIES)
def test_a_lie_that_shows_in_the_answer_itself_is_told(network: Network, lie: str) -> None:
    for seed in SEEDS:
        liar = LyingEndorser(network.peers[0].signer, Random(seed))
        liar.answer(honest(network)[1])
        what, answer = honest(network)
        told = liar.answer(answer, lie)
        fault = fault_of(NODE, what, told)
        if lie in FOUND_ALONE:
            assert fault is not None
            assert fault.startswith(FOUND_ALONE[lie])
        else:
            assert fault is None
            assert is_signed(NODE, answer)
            assert is_signed(NODE, told) == (lie not in FOUND_BY_THE_SIGNATURE)
            assert (told.payload != answer.payload) == (lie in FOUND_BY_COMPARING)


@pytest.mark.parametrize("size", [0, 140, 10_000_000])
def test_a_signature_of_no_possible_length_would_make_what_no_orderer_takes(network: Network, size: int) -> None:
    what, answer = honest(network)
    assert answer.endorsement is not None
    good = answer.endorsement.signature
    told = replace(
        answer, endorsement=replace(answer.endorsement, signature=(good + bytes(size))[-size:] if size else b"")
    )
    assert fault_of(NODE, what, told) == "gave an endorsement without a signature"


def test_what_names_no_endorser_is_not_signed(network: Network) -> None:
    _, answer = honest(network)
    assert answer.endorsement is not None
    assert not is_signed(NODE, replace(answer, endorsement=None))
    assert not is_signed(NODE, replace(answer, endorsement=replace(answer.endorsement, endorser=b"nobody")))
    assert not is_signed(replace(NODE, signing_cas=network.org2.ca.pem), answer)


def test_a_profile_that_names_the_cas_gives_a_made_up_certificate_away(network: Network) -> None:
    what, answer = honest(network)
    knowing = replace(NODE, signing_cas=network.org2.ca.pem + network.org1.ca.pem)
    assert fault_of(knowing, what, answer) is None
    told = LyingEndorser(network.peers[0].signer, Random(0)).answer(answer, "made-up certificate")
    fault = "gave what is no endorsement: no CA of Org1MSP has issued the endorser's certificate"
    assert fault_of(knowing, what, told) == fault
    assert fault_of(replace(NODE, signing_cas=network.org2.ca.pem), what, answer) == fault


@pytest.mark.parametrize("lie", LyingEndorser.LIES)
def test_what_an_honest_answer_was_found_to_be_helps_no_liar(network: Network, lie: str) -> None:
    liar = LyingEndorser(network.peers[0].signer, Random(0))
    liar.answer(honest(network)[1])
    what, answer = honest(network)
    told = liar.answer(answer, lie)
    vouching = Vouching(what)
    assert vouching.fault_of(NODE, answer) is None
    assert vouching.fault_of(NODE, told) == fault_of(NODE, what, told)
    assert vouching.fault_of(NODE, answer) is None
