"""A contract that loops, hoards, recurses, crashes or lies costs its caller an error, and nobody else anything."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from privysharing.chaincode.stub import Stub
from privysharing.protocol.transactions import ProposalResponse, Response
from services.peer.chaincode_host.simulator import SimulationLimits
from services.peer.endorsement.stages import Outcome
from tests.support.endorsing import CHAINCODE, KeyValues, Network, Peer, endorsed

SECRET = "heart rate 61"
MIB = 1024 * 1024


def loop(stub: Stub) -> Response:
    while True:
        pass


def loop_and_swallow(stub: Stub) -> Response:
    """Catches whatever is thrown at it, once."""
    with contextlib.suppress(BaseException):
        loop(stub)
    return Response(200, payload=b"as if nothing had happened")


def swallow_and_go_on(stub: Stub) -> Response:
    """Catches what is thrown, and asks for more."""
    try:
        loop(stub)
    except BaseException:
        stub.put_state("late", b"1")
    return Response(200)


def hoard_memory(stub: Stub) -> Response:
    hoard = []
    while True:
        hoard.append(bytearray(MIB))


def hoard_writes(stub: Stub) -> Response:
    number = 0
    while True:
        number += 1
        stub.put_state(f"k{number}", b"v" * 1000)


def hoard_and_forgive(stub: Stub) -> Response:
    try:
        hoard_writes(stub)
    except Exception:
        return Response(200, payload=b"half of it")
    raise AssertionError("unreachable")


def recurse(stub: Stub) -> Response:
    return recurse(stub)


def crash(stub: Stub) -> Response:
    raise LookupError(SECRET)


def leave(stub: Stub) -> Response:
    sys.exit(SECRET)


def answer_nonsense(stub: Stub) -> Any:
    return {"status": 200}


def answer_too_much(stub: Stub) -> Response:
    return Response(200, payload=b"x" * (10 * MIB + 1))


def write_nothing(stub: Stub) -> Response:
    stub.put_state("a", b"")
    return Response(200)


def shout(stub: Stub) -> Response:
    stub.set_event("loud", b"x" * (MIB + 1))
    return Response(200)


DEEDS: dict[str, Callable[[Stub], Any]] = {
    deed.__name__: deed
    for deed in (
        loop,
        loop_and_swallow,
        swallow_and_go_on,
        hoard_memory,
        hoard_writes,
        hoard_and_forgive,
        recurse,
        crash,
        leave,
        answer_nonsense,
        answer_too_much,
        write_nothing,
        shout,
    )
}


class Misbehaving(KeyValues):
    """Does what its first argument says, and otherwise what `KeyValues` does."""

    def invoke(self, stub: Stub) -> Response:
        deed = DEEDS.get(stub.args[0].decode())
        response: Response = deed(stub) if deed else super().invoke(stub)
        return response


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network({CHAINCODE: Misbehaving})
    made.define()
    yield made
    made.close()


@pytest.fixture(scope="module")
def peer(network: Network) -> Iterator[Peer]:
    """A peer with tight limits."""
    tight = Peer(
        network.org1,
        network.channels,
        {CHAINCODE: Misbehaving},
        execute_timeout_s=0.3,
        memory_growth_max=256 * MIB,
        limits=SimulationLimits(write_bytes_max=100_000),
    )
    yield tight
    tight.watchdog.close()


def failure(outcome: Outcome) -> str:
    assert isinstance(outcome, ProposalResponse), outcome
    assert (outcome.response.status, outcome.endorsement, outcome.payload) == (500, None, b"")
    return outcome.response.message


@pytest.mark.parametrize("deed", ["loop", "loop_and_swallow", "swallow_and_go_on"])
def test_a_contract_that_does_not_end_is_ended(network: Network, peer: Peer, deed: str) -> None:
    began = time.monotonic()
    text = failure(peer.answer(network.client, CHAINCODE, deed))
    assert text.startswith("error in simulation: failed to execute transaction ")
    assert text.endswith(": error sending: timeout expired while executing transaction")
    assert time.monotonic() - began < 5
    endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))


def test_time_outs_are_counted(network: Network, peer: Peer) -> None:
    series = f'chaincode_execute_timeouts{{chaincode="{CHAINCODE}:1"}}'
    before = int(peer.metric(series))
    peer.answer(network.client, CHAINCODE, "loop")
    assert int(peer.metric(series)) == before + 1


def test_nothing_is_thrown_into_whoever_comes_after(network: Network, peer: Peer) -> None:
    """The thread that a loop ran in goes on endorsing, undisturbed."""
    peer.answer(network.client, CHAINCODE, "loop")
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))


def test_others_are_endorsed_while_one_loops(network: Network, peer: Peer) -> None:
    answers: list[Outcome] = []
    looping = threading.Thread(target=lambda: answers.append(peer.answer(network.client, CHAINCODE, "loop")))
    looping.start()
    done = 0
    while looping.is_alive():
        endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))
        done += 1
    assert done >= 3
    assert "timeout expired" in failure(answers[0])


def test_a_contract_that_takes_the_peers_memory_is_ended(network: Network) -> None:
    peer = Peer(network.org1, network.channels, {CHAINCODE: Misbehaving}, memory_growth_max=128 * MIB)
    text = failure(peer.answer(network.client, CHAINCODE, "hoard_memory"))
    assert text.endswith(": error sending: chaincode used too much memory")
    endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))
    peer.watchdog.close()


def test_a_contract_that_writes_too_much_fails(network: Network, peer: Peer) -> None:
    text = failure(peer.answer(network.client, CHAINCODE, "hoard_writes"))
    assert text == (
        "error in simulation: transaction returned with failure: a transaction may write at most 100000 bytes"
    )


def test_a_contract_that_forgives_itself_fails_all_the_same(network: Network, peer: Peer) -> None:
    text = failure(peer.answer(network.client, CHAINCODE, "hoard_and_forgive"))
    assert text == "error in simulation: a transaction may write at most 100000 bytes"


@pytest.mark.parametrize("deed", ["recurse", "crash", "leave", "write_nothing"])
def test_what_a_contract_raises_is_not_told(
    network: Network, peer: Peer, deed: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        text = failure(peer.answer(network.client, CHAINCODE, deed))
    assert text == f"error in simulation: transaction returned with failure: chaincode {CHAINCODE} failed"
    assert "test_misbehaviour.py" in caplog.text  # where it happened, for whoever wrote the contract
    assert SECRET not in caplog.text
    endorsed(peer.answer(network.client, CHAINCODE, "put", "a", "1"))


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("answer_nonsense", f"chaincode {CHAINCODE} gave no response"),
        ("answer_too_much", f"response of {10 * MIB + 1} bytes, at most {10 * MIB} are allowed"),
        ("shout", f"event of {MIB + 5} bytes, at most {MIB} are allowed"),
    ],
)
def test_an_answer_that_could_not_be_ordered_fails(network: Network, peer: Peer, deed: str, why: str) -> None:
    text = failure(peer.answer(network.client, CHAINCODE, deed))
    assert text == f"error in simulation: transaction returned with failure: {why}"


def test_a_called_chaincode_shares_its_callers_time(network: Network) -> None:
    contracts = {CHAINCODE: Misbehaving, "other": Misbehaving}
    both = Network(contracts, execute_timeout_s=0.3)
    both.define()
    both.define("other")
    began = time.monotonic()
    assert "timeout expired" in failure(both.peers[0].answer(both.client, CHAINCODE, "call", "other", "loop"))
    assert time.monotonic() - began < 5
    both.close()
