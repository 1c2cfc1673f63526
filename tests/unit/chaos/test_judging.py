"""The checker of chaos runs finds what it is there to find: one promise is broken at a time."""

from dataclasses import replace

import pytest

from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from tests.chaos.judging import Chain, Copy, Findings, judge
from tests.chaos.records import Records, Told, digest

BARE, TOLD, CONTESTED = TxId("bare"), TxId("told"), TxId("contested")
ENVELOPES = {tx_id: tx_id.encode() for tx_id in (BARE, TOLD, CONTESTED)}


def copy(tx_id: TxId, block_num: int, code: TxCode | None = TxCode.VALID) -> Copy:
    return Copy(digest(ENVELOPES[tx_id]), tx_id, block_num, code)


COPIES = (copy(BARE, 1), copy(TOLD, 1), copy(CONTESTED, 2, TxCode.MVCC_READ_CONFLICT))
PEER = Chain("peer0", (b"h0", b"h1", b"h2"), (b"", b"c1", b"c2"), COPIES)
TWIN = replace(PEER, node="peer1")
ORDERER = Chain("orderer0", PEER.headers, (b"", b"", b""), tuple(replace(each, code=None) for each in COPIES))


@pytest.fixture
def records() -> Records:
    """One envelope over a bare stream, and two calls whose verdicts a client was told."""
    records = Records()
    records.send(BARE, ENVELOPES[BARE])
    records.acknowledge(ENVELOPES[BARE])
    records.tell(TOLD, TxCode.VALID, 1, contested=False)
    records.tell(CONTESTED, TxCode.MVCC_READ_CONFLICT, 2, contested=True)
    return records


def with_copies(*copies: Copy) -> Chain:
    return replace(TWIN, copies=copies)


def test_chains_that_keep_every_promise_pass(records: Records) -> None:
    assert judge(records, [ORDERER], [PEER, TWIN]) == Findings()
    assert records.transactions == {BARE, TOLD, CONTESTED}


@pytest.mark.parametrize("missing", [BARE, TOLD, CONTESTED])
def test_what_was_acknowledged_and_is_missing_on_one_peer_is_lost(records: Records, missing: TxId) -> None:
    chain = with_copies(*(each for each in COPIES if each.tx_id != missing))
    findings = judge(records, [ORDERER], [PEER, chain])
    assert findings == Findings(lost=findings.lost)
    assert list(findings.lost) == [missing]
    assert "peer1 has" in findings.lost[missing]


def test_what_the_orderer_has_acknowledged_and_lost_is_lost(records: Records) -> None:
    findings = judge(records, [replace(ORDERER, copies=ORDERER.copies[1:])], [PEER, TWIN])
    assert list(findings.lost) == [BARE]


def test_other_bytes_under_the_same_id_are_not_what_was_acknowledged(records: Records) -> None:
    chain = with_copies(replace(COPIES[0], digest=digest(b"other")), *COPIES[1:])
    assert list(judge(records, [ORDERER], [PEER, chain]).lost) == [BARE]


def test_an_envelope_acknowledged_twice_is_there_twice(records: Records) -> None:
    records.send(BARE, ENVELOPES[BARE])
    records.acknowledge(ENVELOPES[BARE])
    assert list(judge(records, [], [PEER]).lost) == [BARE]
    again = with_copies(*COPIES, copy(BARE, 2, TxCode.DUPLICATE_TXID))
    assert judge(records, [], [again]) == Findings()


def test_an_envelope_without_an_answer_may_be_there_or_not(records: Records) -> None:
    records.send(BARE, ENVELOPES[BARE])
    assert judge(records, [], [PEER]) == Findings()
    assert judge(records, [], [with_copies(*COPIES, copy(BARE, 2, TxCode.DUPLICATE_TXID))]) == Findings()


def test_more_copies_than_were_sent_are_duplicates(records: Records) -> None:
    findings = judge(records, [ORDERER], [PEER, with_copies(*COPIES, copy(BARE, 2, TxCode.DUPLICATE_TXID))])
    assert findings == Findings(duplicated=findings.duplicated)
    assert list(findings.duplicated) == [BARE]


@pytest.mark.parametrize("twice", [BARE, TOLD])
def test_a_transaction_that_is_valid_twice_is_a_duplicate(records: Records, twice: TxId) -> None:
    records.send(BARE, ENVELOPES[BARE])
    findings = judge(records, [ORDERER], [PEER, with_copies(*COPIES, copy(twice, 2))])
    assert findings == Findings(duplicated=findings.duplicated)
    assert list(findings.duplicated) == [twice]


@pytest.mark.parametrize(
    "forked",
    [
        replace(TWIN, headers=(b"h0", b"h1", b"other")),
        replace(TWIN, commit_hashes=(b"", b"c1", b"other")),
    ],
)
def test_another_header_or_commit_hash_at_one_height_is_a_fork(records: Records, forked: Chain) -> None:
    findings = judge(records, [ORDERER], [PEER, forked])
    assert findings == Findings(forks=findings.forks)
    assert list(findings.forks) == [2]
    assert "peer1" in findings.forks[2]


def test_an_orderer_with_another_block_is_a_fork(records: Records) -> None:
    assert list(judge(records, [replace(ORDERER, headers=(b"h0", b"x", b"h2"))], [PEER, TWIN]).forks) == [1]


@pytest.mark.parametrize("code", [TxCode.MVCC_READ_CONFLICT, TxCode.DUPLICATE_TXID, TxCode.ENDORSEMENT_POLICY_FAILURE])
def test_no_verdict_but_valid_is_explained_where_nobody_else_was(records: Records, code: TxCode) -> None:
    findings = judge(records, [ORDERER], [PEER, with_copies(replace(COPIES[0], code=code), *COPIES[1:])])
    assert findings == Findings(unexplained=findings.unexplained)
    assert list(findings.unexplained) == [BARE]


def test_to_be_overtaken_explains_a_conflict_and_nothing_else(records: Records) -> None:
    code = TxCode.ENDORSEMENT_POLICY_FAILURE
    records.told[CONTESTED] = [Told(code, 2)]
    findings = judge(records, [ORDERER], [with_copies(*COPIES[:2], replace(COPIES[2], code=code))])
    assert findings == Findings(unexplained=findings.unexplained)
    assert list(findings.unexplained) == [CONTESTED]


@pytest.mark.parametrize("other", [replace(COPIES[1], block_num=2), replace(COPIES[1], code=TxCode.BAD_PAYLOAD)])
def test_a_client_that_was_told_something_else_was_told_an_untruth(records: Records, other: Copy) -> None:
    findings = judge(records, [ORDERER], [PEER, with_copies(COPIES[0], other, COPIES[2])])
    assert list(findings.untrue) == [TOLD]
    assert not findings.lost
