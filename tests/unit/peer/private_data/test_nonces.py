"""Nobody's request is taken twice."""

import pytest

from privysharing.protocol.private_exchange import Reason, RequestRefused
from services.peer.private_data.nonces import KEPT_S, Nonces


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refused(nonces: Nonces, organisation: str, requester: bytes, nonce: bytes) -> Reason | None:
    try:
        nonces.take(organisation, requester, nonce)
    except RequestRefused as refusal:
        return refusal.reason
    return None


def test_a_nonce_is_taken_once() -> None:
    nonces = Nonces(Clock())
    assert refused(nonces, "Org1MSP", b"peer", b"nonce") is None
    assert refused(nonces, "Org1MSP", b"peer", b"nonce") is Reason.REPLAYED
    assert refused(nonces, "Org1MSP", b"peer", b"another") is None
    assert refused(nonces, "Org1MSP", b"another peer", b"nonce") is None


@pytest.mark.parametrize("quarters", range(1, 5))
def test_it_is_remembered_for_as_long_as_the_request_is_good(quarters: int) -> None:
    """Whenever what is remembered is sorted out in between."""
    clock = Clock()
    nonces = Nonces(clock)
    clock.now += quarters * KEPT_S / 4
    nonces.take("Org1MSP", b"peer", b"nonce")
    for _ in range(4):
        clock.now += KEPT_S / 4
        assert refused(nonces, "Org1MSP", b"peer", b"nonce") is Reason.REPLAYED


def test_what_is_too_old_to_be_taken_is_forgotten() -> None:
    clock = Clock()
    nonces = Nonces(clock, organisation_max=2)
    for number in range(20):
        nonces.take("Org1MSP", b"peer", b"%d" % number)
        clock.now += KEPT_S + 1
    assert len(nonces._new) + len(nonces._old) <= 2


def test_an_organisation_that_asks_without_end_uses_up_its_own_share() -> None:
    clock = Clock()
    nonces = Nonces(clock, organisation_max=2)
    assert [refused(nonces, "Org1MSP", b"peer", b"%d" % number) for number in range(3)] == [None, None, Reason.QUOTA]
    assert refused(nonces, "Org2MSP", b"another peer", b"1") is None
    clock.now += KEPT_S + 1
    assert refused(nonces, "Org1MSP", b"peer", b"9") is None
