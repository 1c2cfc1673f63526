"""A peer verifies no endorsement that it issued itself, and every other that bears its name."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from privysharing.protocol.build import endorse, make_transaction, signed
from privysharing.protocol.crypto import CURVE_ORDERS
from privysharing.protocol.reading import read_transaction
from privysharing.protocol.signers import Vouched, verify_all
from privysharing.protocol.transactions import Endorsement, Proposal, ProposalResponse
from services.peer.endorsement.issued import IssuedEndorsements
from tests.support.endorsing import CHAINCODE, CHANNEL, Network, endorsed, proposal
from tests.support.endorsing import signed as signed_proposal

PAYLOAD = b"a response payload"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network()
    made.define()
    yield made
    made.close()


def answer(network: Network, *args: str) -> tuple[Proposal, ProposalResponse, Endorsement]:
    """A call, what the first peer answers to it, and its endorsement."""
    what = proposal(network.client, CHAINCODE, *args)
    response = endorsed(network.peers[0].endorser.process(signed_proposal(what, network.client)))
    assert response.endorsement is not None
    return what, response, response.endorsement


def counted(
    network: Network, what: Proposal, response: ProposalResponse, endorsement: Endorsement, vouched: Vouched
) -> int:
    """How many endorsers a transaction has on which this endorsement is the only one."""
    payload = make_transaction(what, [replace(response, endorsement=endorsement)])
    transaction = read_transaction(signed(payload, network.client).raw)
    (found,) = verify_all([transaction], CHANNEL, network.channel.config.msps, vouched)
    assert found.creator
    return len(found.endorsers)


def forgeries(honest: Endorsement, other: Endorsement) -> dict[str, Endorsement]:
    """Twins of an endorsement that this peer did not issue for its payload."""
    r, s = decode_dss_signature(honest.signature)
    flipped = honest.signature[:-1] + bytes((honest.signature[-1] ^ 1,))
    return {
        "one bit of the signature": replace(honest, signature=flipped),
        "the high form of the signature": replace(
            honest, signature=encode_dss_signature(r, CURVE_ORDERS["secp256r1"] - s)
        ),
        "bytes behind the signature": replace(honest, signature=honest.signature + b"\x00"),
        "a signature of another payload": replace(honest, signature=other.signature),
        "another endorser": replace(honest, endorser=honest.endorser + b"\x00"),
    }


def test_a_peer_knows_what_it_issued_and_only_that(network: Network) -> None:
    _, response, endorsement = answer(network, "put", "k", "v")
    _, other, other_endorsement = answer(network, "put", "k", "w")
    issued, foreign = network.peers[0].issued, network.peers[1].issued
    assert (response.payload, endorsement) in issued
    assert (response.payload, endorsement) not in foreign
    assert (other.payload, endorsement) not in issued
    for why, forged in forgeries(endorsement, other_endorsement).items():
        assert (response.payload, forged) not in issued, why


def test_the_oldest_is_forgotten_first(network: Network) -> None:
    issued = IssuedEndorsements(kept_max=2)
    made = [endorse(PAYLOAD + bytes((n,)), network.peers[0].signer) for n in range(3)]
    for n, endorsement in enumerate(made):
        issued.add(PAYLOAD + bytes((n,)), endorsement)
    assert [(PAYLOAD + bytes((n,)), endorsement) in issued for n, endorsement in enumerate(made)] == [False, True, True]


def test_what_is_vouched_for_counts_unverified_and_nothing_else_does(network: Network) -> None:
    what, response, _ = answer(network, "put", "k", "v")
    unsigned = Endorsement(network.peers[0].signer.serialized, b"no signature")
    assert counted(network, what, response, unsigned, [(response.payload, unsigned)]) == 1
    assert counted(network, what, response, unsigned, ()) == 0
    assert counted(network, what, response, unsigned, network.peers[0].issued) == 0


def test_a_forged_twin_of_an_issued_endorsement_is_verified_and_falls(network: Network) -> None:
    what, response, endorsement = answer(network, "put", "k", "v")
    issued = network.peers[0].issued
    assert counted(network, what, response, endorsement, issued) == 1
    forged = forgeries(endorsement, answer(network, "put", "k", "w")[2])
    good = {why for why, each in forged.items() if counted(network, what, response, each, issued)}
    assert good == {"bytes behind the signature"}  # which Go passes over, so every peer does
