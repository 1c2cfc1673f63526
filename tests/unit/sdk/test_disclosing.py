"""What is a question about private values is not ordered: its answer would stand in the block."""

import pytest

from privysharing.protocol.codec.interests import encode_interest
from privysharing.protocol.codec.rwsets import encode_tx_rwset
from privysharing.protocol.codec.transactions import encode_chaincode_action, encode_proposal_response_payload
from privysharing.protocol.interests import ChaincodeCall, ChaincodeInterest
from privysharing.protocol.rwsets import (
    CollectionHashedRwSet,
    HashedRead,
    HashedWrite,
    NamespaceRwSet,
    TxRwSet,
    Write,
)
from privysharing.protocol.transactions import ChaincodeAction, ChaincodeId, ProposalResponse, Response
from privysharing.sdk.disclosing import shows_private_values

READ = CollectionHashedRwSet("critical", reads=(HashedRead(b"k" * 32, None),))
WRITTEN = CollectionHashedRwSet("critical", writes=(HashedWrite(b"k" * 32, b"v" * 32),))
QUESTION = NamespaceRwSet("cc", collections=(READ,))


def answered(rwset: NamespaceRwSet, payload: bytes, *, private_reads: bool) -> ProposalResponse:
    action = ChaincodeAction(
        results=encode_tx_rwset(TxRwSet((rwset,))),
        events=b"",
        response=Response(200, payload=payload),
        chaincode=ChaincodeId("cc", "1"),
    )
    interest = ChaincodeInterest((ChaincodeCall("cc", ("critical",), no_private_reads=not private_reads),))
    return ProposalResponse(
        Response(200, payload=payload),
        encode_proposal_response_payload(b"h" * 32, encode_chaincode_action(action)),
        interest=encode_interest(interest),
    )


def test_a_question_about_private_values_would_show_them() -> None:
    assert shows_private_values(answered(QUESTION, b"2.4 per mille", private_reads=True))


@pytest.mark.parametrize(
    "harmless",
    [
        answered(QUESTION, b"", private_reads=True),
        answered(QUESTION, b"a hash", private_reads=False),
        answered(NamespaceRwSet("cc", writes=(Write("k", b"v"),), collections=(READ,)), b"done", private_reads=True),
        answered(NamespaceRwSet("cc", collections=(WRITTEN,)), b"done", private_reads=True),
        ProposalResponse(Response(200, payload=b"plain"), b""),
    ],
    ids=["no answer", "hashes alone", "it writes", "it writes in private", "nothing private"],
)
def test_what_changes_something_or_shows_no_value_is_ordered(harmless: ProposalResponse) -> None:
    assert not shows_private_values(harmless)
