"""Whatever a client makes of honest endorsements, no peer commits anything that was not endorsed."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from privysharing.protocol import build
from privysharing.protocol.codes import TxCode
from privysharing.protocol.rwsets import Read, Version
from privysharing.protocol.transactions import Proposal, ProposalResponse
from tests.support.endorsing import CHAINCODE, NOW_NS, Network, endorsed, proposal, signed
from tests.support.liars import FORGED, LyingClient, LyingEndorser, forged_writes, with_rwset

SEED = 20261


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Both organisations must endorse."""
    network = Network()
    network.define()
    assert network.submit(network.client, CHAINCODE, "put", "key", "honest") is TxCode.VALID
    yield network
    network.close()


def endorsed_by_all(network: Network) -> tuple[Proposal, list[ProposalResponse]]:
    what = proposal(network.client, CHAINCODE, "rmw", "key")
    raw = signed(what, network.client)
    return what, [endorsed(peer.endorser.process(raw)) for peer in network.peers]


def value(network: Network) -> bytes:
    found = network.channel.ledger.state.get(CHAINCODE, "key")
    assert found is not None
    return found.value


def nothing_forged(network: Network) -> bool:
    with network.channel.ledger.snapshot() as snapshot:
        return not [entry for entry in snapshot.entries() if FORGED in entry.stored.value]


@pytest.mark.parametrize("lie", LyingClient.LIES)
def test_no_lie_of_a_client_commits_and_the_honest_transaction_still_does(network: Network, lie: str) -> None:
    before = value(network)
    what, answers = endorsed_by_all(network)
    liar = LyingClient(network.client, Random(SEED))
    (code,) = network.channel.commit(liar.envelope(what, answers, lie))
    assert code in (TxCode.ENDORSEMENT_POLICY_FAILURE, TxCode.INVALID_ENDORSER_TRANSACTION), code
    assert value(network) == before
    assert nothing_forged(network)
    assert network.submit(network.client, CHAINCODE, "rmw", "key") is TxCode.VALID
    assert value(network) == before + b"x"


def test_a_lie_beside_the_honest_transaction_in_one_block_does_not_hinder_it(network: Network) -> None:
    """Not even under its id: what failed its policy does not use an id up within a block."""
    before = value(network)
    what, answers = endorsed_by_all(network)
    liar = LyingClient(network.client, Random(SEED))
    lies = [liar.envelope(what, answers, lie) for lie in LyingClient.LIES]
    honest = build.signed(build.make_transaction(what, answers), network.client).raw
    *refused, code = network.channel.commit(*lies, honest)
    assert code is TxCode.VALID
    assert TxCode.VALID not in refused
    assert value(network) == before + b"x"


def test_more_endorsements_than_needed_harm_nothing(network: Network) -> None:
    what, answers = endorsed_by_all(network)
    stranger = network.stranger.signer("peer0", "peer")
    by_nobody = [ProposalResponse(answers[0].response, answers[0].payload, build.endorse(answers[0].payload, stranger))]
    assert network.commit(what, [*by_nobody, *answers]) is TxCode.VALID


@pytest.mark.parametrize("lie", [lie for lie in LyingEndorser.LIES if lie != "two tongues"])
def test_one_lying_endorser_of_two_that_are_needed_commits_nothing(network: Network, lie: str) -> None:
    """A client is its accomplice, and puts both endorsements on whichever payload."""
    before = value(network)
    what, (first, second) = endorsed_by_all(network)
    liar = LyingEndorser(network.peers[1].signer, Random(SEED))
    liar.answer(second)  # something to replay
    what, (first, second) = endorsed_by_all(network)
    told = liar.answer(second, lie)
    for payload in {told.payload, first.payload}:
        endorsements = [answer.endorsement for answer in (first, told) if answer.endorsement is not None]
        answers = [ProposalResponse(first.response, payload, endorsement) for endorsement in endorsements]
        envelope = build.signed(build.make_transaction(what, answers), network.client).raw
        (code,) = network.channel.commit(envelope)
        assert code is not TxCode.VALID, code
    assert value(network) == before
    assert nothing_forged(network)


def test_a_coalition_that_meets_the_policy_writes_what_it_likes(network: Network) -> None:
    """Nothing stops it, and every honest peer can show who signed."""
    what, answers = endorsed_by_all(network)
    forged = with_rwset(answers[0].payload, forged_writes)
    signers = [peer.signer for peer in network.peers]
    told = [ProposalResponse(answers[0].response, forged, build.endorse(forged, signer)) for signer in signers]
    assert network.commit(what, told) is TxCode.VALID
    assert value(network) == FORGED
    assert network.submit(network.client, CHAINCODE, "put", "key", "honest") is TxCode.VALID


def test_what_was_endorsed_and_kept_back_commits_later_if_an_orderer_lets_it(network: Network) -> None:
    """A block has no time. Honest orderers refuse what is older than their window; peers cannot."""
    old = proposal(network.client, CHAINCODE, "put", "kept back", "long ago", timestamp_ns=NOW_NS - 600 * 10**9)
    raw = signed(old, network.client)
    answers = [endorsed(peer.endorser.process(raw)) for peer in network.peers]
    for _ in range(3):
        assert network.submit(network.client, CHAINCODE, "rmw", "key") is TxCode.VALID
    assert network.commit(old, answers) is TxCode.VALID


def test_even_a_coalition_cannot_pass_a_stale_read_for_a_fresh_one(network: Network) -> None:
    """A version guessed in advance does not hold for what the same block wrote before."""
    what, answers = endorsed_by_all(network)
    guessed = (Read("key", Version(network.channel.ledger.height, 0)),)  # what the first transaction below will give
    stale = with_rwset(answers[0].payload, lambda ns: replace(ns, reads=guessed))
    told = [ProposalResponse(answers[0].response, stale, build.endorse(stale, peer.signer)) for peer in network.peers]
    put = proposal(network.client, CHAINCODE, "put", "key", "first")
    raw = signed(put, network.client)
    first = [endorsed(peer.endorser.process(raw)) for peer in network.peers]
    envelopes = [
        build.signed(build.make_transaction(*each), network.client).raw for each in ((put, first), (what, told))
    ]
    assert network.channel.commit(*envelopes) == (TxCode.VALID, TxCode.MVCC_READ_CONFLICT)
    assert value(network) == b"first"
    found = network.channel.ledger.state.get(CHAINCODE, "key")
    assert found is not None
    assert found.version == guessed[0].version


def test_a_proposal_for_one_channel_is_no_transaction_on_another(network: Network) -> None:
    other = proposal(network.client, CHAINCODE, "put", "key", "astray", channel_id="other")
    _, answers = endorsed_by_all(network)
    (code,) = network.channel.commit(build.signed(build.make_transaction(other, answers), network.client).raw)
    assert code is TxCode.BAD_CREATOR_SIGNATURE  # nobody of another channel is known here
