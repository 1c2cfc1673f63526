"""Every workload calls what the contract offers, with keys that do not conflict."""

import pytest

from bench.contract import Bench
from bench.floor import CryptoWork
from bench.workloads import CONTRACT, PREPARED_KEYS, VALUE_BYTES, WORKLOADS, create, prepared_key, value
from privysharing.chaincode.memory import MemoryStub, MemoryWorld
from privysharing.sdk import Call


def invoke(world: MemoryWorld, call: Call, tx_id: str) -> MemoryStub:
    arguments = [each.encode() if isinstance(each, str) else each for each in (call.function, *call.args)]
    stub = world.stub(arguments, creator=b"", tx_id=tx_id, timestamp_ns=1)
    response = Bench().invoke(stub)
    assert response.status == 200, response.message
    return stub


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workloads_calls_succeed_and_write_keys_of_their_own(name: str) -> None:
    workload = WORKLOADS[name]
    world = MemoryWorld("bench")
    for number in range(3):
        world.commit(invoke(world, Call(CONTRACT, "Create", (prepared_key(number), value())), f"prepared {number}"))
    stubs = [invoke(world, workload.call("run", number), f"tx {number}") for number in range(3)]
    written = [key for stub in stubs for key in stub.writes]
    assert len(set(written)) == len(written)
    assert bool(written) != workload.queries
    assert bool(stubs[0].reads) == bool(workload.prepared_keys)


def test_two_runs_write_different_keys() -> None:
    assert create("a", 1).args[0] != create("b", 1).args[0]


def test_values_are_of_100_bytes_and_differ() -> None:
    assert len(value().encode()) == VALUE_BYTES == 100
    assert value() != value()


def test_prepared_keys_come_round() -> None:
    assert len({prepared_key(number) for number in range(3 * PREPARED_KEYS)}) == PREPARED_KEYS


def test_a_question_costs_less_cryptography_than_a_transaction() -> None:
    assert WORKLOADS["evaluate"].crypto_work(2, 2) == CryptoWork.of_query()
    assert WORKLOADS["yardstick"].crypto_work(2, 2) == CryptoWork.of_transaction(2, 2)
