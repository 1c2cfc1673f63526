"""Requests for private data: nobody can forge, move or change one, and an answer belongs to one request."""

from dataclasses import replace

import pytest

from privysharing.protocol.codec.private_data import (
    encode_request,
    encode_response,
    encode_signed_request,
    encode_signed_response,
    parse_signed_request,
    parse_signed_response,
)
from privysharing.protocol.crypto import SigningIdentity, sha256
from privysharing.protocol.envelopes import TxId
from privysharing.protocol.private_data import (
    Answer,
    Ask,
    FoundSet,
    Hello,
    HelloAnswer,
    MissingAnswer,
    MissingAsk,
    MissingCount,
    MissingSet,
    PrivateSet,
    Pull,
    PullAnswer,
    PurgedAnswer,
    PurgedAsk,
    Push,
    PushAnswer,
    PushedTransaction,
    Request,
    Response,
    SignedPurgeStatement,
    WantedSet,
)
from privysharing.protocol.private_exchange import (
    NONCE_BYTES,
    REQUEST_CONTEXT,
    WINDOW_NS,
    BadResponse,
    Reason,
    RequestRefused,
    check_request,
    open_request,
    open_response,
    peers_of,
    seal_request,
    seal_response,
)
from tests.support.authorities import root
from tests.support.judging import ADMIN1, CHANNEL, CONFIG, ORDERER, ORG1_CA, PEER1, PEER2

EXPIRES = min(CONFIG.msps.identity(who.serialized).expires_at_ns for who in (PEER1, PEER2, ADMIN1))
NOW = EXPIRES - 3600 * 1_000_000_000
CERTIFICATE = b"c" * 32
PULL = Pull("cc", "secrets", (WantedSet(TxId("t"), 4, 2, b"h" * 32),))
REQUEST = Request(
    CHANNEL, PEER1.serialized, CERTIFICATE, sha256(PEER2.serialized), b"n" * NONCE_BYTES, NOW - 1_000_000, PULL
)


def judged(signed: bytes, responder: SigningIdentity = PEER2, *, since_ns: int = 0) -> str:
    """Why a request is refused; empty when it is not."""
    try:
        check_request(
            open_request(signed),
            CONFIG,
            responder=sha256(responder.serialized),
            tls_cert_hash=CERTIFICATE,
            now_ns=NOW,
            since_ns=since_ns,
        )
    except RequestRefused as refused:
        return refused.reason
    return ""


def sealed(signer: SigningIdentity = PEER1, **changes: object) -> bytes:
    return seal_request(replace(REQUEST, **changes), signer)[0]  # type: ignore[arg-type]


ASKS: list[Ask] = [
    Hello(),
    Push(
        (PushedTransaction(TxId("t"), 7, (PrivateSet("cc", "secrets", b"set"),)), PushedTransaction(TxId("u"), 0, ()))
    ),
    PULL,
    PurgedAsk("cc", "secrets", (b"k" * 32, b"l" * 32)),
    MissingAsk(0),
    MissingAsk(9),
]
ANSWERS: list[Answer] = [
    HelloAnswer(),
    PushAnswer(("", "no")),
    PullAnswer(()),
    PullAnswer((FoundSet(0, b"set"), FoundSet(3, b"", True))),
    PurgedAnswer((SignedPurgeStatement(b"statement", b"signature"),)),
    MissingAnswer((MissingCount("cc", "secrets", 2),), (MissingSet("cc", "secrets", 4, 1, TxId("t")),)),
]


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: type(ask).__name__)
def test_a_request_is_read_as_it_was_written(ask: Ask) -> None:
    opened = open_request(sealed(ask=ask))
    assert opened.request == replace(REQUEST, ask=ask)
    assert judged(sealed(ask=ask)) == ""


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    signed = seal_response(answer, b"request", PEER2)
    who, found = open_response(signed, b"request", peers_of(CONFIG, NOW), responder=sha256(PEER2.serialized))
    assert (who.serialized, found) == (PEER2.serialized, answer)


@pytest.mark.parametrize("raw", [b"\xff", b"", encode_signed_request(b"", b""), encode_signed_request(b"\xff", b"s")])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    assert judged(raw) == Reason.MALFORMED


def test_a_changed_request_is_refused() -> None:
    _, signature = parse_signed_request(sealed())
    other = encode_request(replace(REQUEST, ask=replace(PULL, collection="others")))
    assert judged(encode_signed_request(other, signature)) == Reason.FORGED


def test_nobody_signs_for_another() -> None:
    assert judged(sealed(ADMIN1)) == Reason.FORGED
    assert judged(sealed(ADMIN1, requester=ADMIN1.serialized)) == ""  # what an admin may have is asked elsewhere


def test_a_signature_made_for_something_else_is_none() -> None:
    raw = encode_request(REQUEST)
    assert judged(encode_signed_request(raw, PEER1.sign(raw))) == Reason.FORGED
    assert judged(encode_signed_request(raw, PEER1.sign(REQUEST_CONTEXT + raw))) == ""


def test_a_stranger_is_refused() -> None:
    stranger = root("elsewhere").issue("peer", "peer").signer("Org1MSP")
    assert judged(sealed(stranger, requester=stranger.serialized)) == Reason.FORGED


def test_somebody_whose_certificate_has_expired_is_refused() -> None:
    late = CONFIG.msps.identity(PEER1.serialized).expires_at_ns + 1
    opened = open_request(sealed(timestamp_ns=late))
    with pytest.raises(RequestRefused, match="expired"):
        check_request(opened, CONFIG, responder=REQUEST.responder, tls_cert_hash=CERTIFICATE, now_ns=late, since_ns=0)


def test_a_request_is_good_on_one_connection_only() -> None:
    assert judged(sealed(tls_cert_hash=b"d" * 32)) == Reason.OTHER_CONNECTION
    assert judged(sealed(tls_cert_hash=b"")) == Reason.OTHER_CONNECTION


def test_a_request_is_for_one_peer_only() -> None:
    other = ORG1_CA.issue("other", "peer").signer("Org1MSP")
    assert judged(sealed(), responder=other) == Reason.OTHER_RESPONDER


def test_only_a_greeting_may_leave_out_whom_it_is_for() -> None:
    assert judged(sealed(responder=b"", ask=Hello())) == ""
    for ask in ASKS[1:]:
        assert judged(sealed(responder=b"", ask=ask)) == Reason.OTHER_RESPONDER


@pytest.mark.parametrize("made_ns", [None, 0, NOW - WINDOW_NS - 1, NOW + WINDOW_NS + 1])
def test_a_request_of_another_time_is_refused(made_ns: int | None) -> None:
    assert judged(sealed(timestamp_ns=made_ns)) == Reason.UNTIMELY


def test_a_request_from_before_the_responder_remembers_is_refused() -> None:
    assert judged(sealed(), since_ns=NOW) == Reason.UNTIMELY
    assert judged(sealed(timestamp_ns=NOW), since_ns=NOW) == ""


def test_a_nonce_that_could_be_guessed_is_refused() -> None:
    assert judged(sealed(nonce=b"short")) == Reason.MALFORMED


def unanswered(signed: bytes, *, responder: bytes = sha256(PEER2.serialized)) -> str:
    with pytest.raises(BadResponse) as bad:
        open_response(signed, b"request", peers_of(CONFIG, NOW), responder=responder)
    return str(bad.value)


def test_an_answer_to_another_request_is_none() -> None:
    assert unanswered(seal_response(HelloAnswer(), b"another", PEER2)) == "it answers another request"


def test_an_answer_of_another_peer_is_none() -> None:
    assert unanswered(seal_response(HelloAnswer(), b"request", PEER1)) == "another peer answered"


def test_a_changed_answer_is_none() -> None:
    _, signature = parse_signed_response(seal_response(PushAnswer(("no",)), b"request", PEER2))
    other = encode_response(Response(b"request", PEER2.serialized, PushAnswer(("",))))
    assert "is not signed by the peer" in unanswered(encode_signed_response(other, signature))


@pytest.mark.parametrize("who", [ADMIN1, ORDERER], ids=["an admin", "an orderer"])
def test_only_peers_answer(who: SigningIdentity) -> None:
    assert "no peer of the channel" in unanswered(seal_response(HelloAnswer(), b"request", who), responder=b"")


@pytest.mark.parametrize("raw", [b"\xff", b"", encode_signed_response(b"\x0a\x00", b"")])
def test_what_is_no_answer_is_none(raw: bytes) -> None:
    unanswered(raw)
