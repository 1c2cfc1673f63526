"""Every workload's steps succeed on the contracts that they call, with keys that do not conflict."""

import pytest

from bench.contract import Bench
from bench.floor import CryptoWork
from bench.sharing import CONTRACT as PRIVYSHARING
from bench.steps import MINT, OWNER, STAKEHOLDER, Flow
from bench.workloads import CONTRACT, PREPARED_KEYS, VALUE_BYTES, WORKLOADS, prepared_key, value
from privysharing.chaincode.memory import MemoryStub, MemoryWorld
from privysharing.contract import PrivySharing
from privysharing.contract.critical import CRITICAL
from privysharing.protocol.codes import TxCode
from privysharing.protocol.envelopes import TxId
from privysharing.sdk import Call
from tests.support.city import creator

CONTRACTS = {CONTRACT: Bench(), PRIVYSHARING: PrivySharing()}
PARTIES = {OWNER: "alice@CitizensMSP", STAKEHOLDER: "doctor@MedicalMSP", MINT: "mint@MinistryMSP"}


def invoke(world: MemoryWorld, call: Call, tx_id: str, caller: str = OWNER) -> MemoryStub:
    arguments = [each.encode() if isinstance(each, str) else each for each in (call.function, *call.args)]
    stub = world.stub(
        arguments, creator=creator(PARTIES[caller]), tx_id=tx_id, timestamp_ns=10**18, transient=call.transient
    )
    response = CONTRACTS[call.chaincode].invoke(stub)
    assert response.status == 200, response.message
    return stub


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workloads_steps_succeed_and_write_keys_of_their_own(name: str) -> None:
    workload = WORKLOADS[name]
    flows = [Flow("run", number) for number in range(3)]
    world = MemoryWorld("health")
    for number in range(3 if workload.prepared_keys else 0):
        world.commit(invoke(world, Call(CONTRACT, "Create", (prepared_key(number), value())), f"prepared {number}"))
    for place, step in enumerate(workload.steps):
        stubs = [invoke(world, step.call(flow), f"{flow.name}:{place}", step.caller) for flow in flows]
        written = [key for stub in stubs for key in (*stub.writes, *stub.private_writes)]
        assert len(set(written)) == len(written)
        assert bool(written) != workload.queries
        if not workload.queries:
            assert world.commit(*stubs) == (TxCode.VALID,) * len(stubs)
        for flow in flows:
            flow.tx_ids.append(TxId(f"{flow.name}:{place}"))


def test_the_private_workload_differs_from_the_yardstick_by_where_its_value_goes() -> None:
    steps = [WORKLOADS[name].steps[0].call(Flow("run", 1)) for name in ("yardstick", "private")]
    plain, private = (invoke(MemoryWorld("health"), call, "tx") for call in steps)
    assert [len(written) for written in (plain.writes, private.writes)] == [1, 0]
    ((collection, _), kept), (public,) = next(iter(private.private_writes.items())), plain.writes.values()
    assert (collection,) == steps[1].collections == (CRITICAL,)
    assert [len(value) for value in (kept, public) if value is not None] == [VALUE_BYTES] * 2
    assert WORKLOADS[WORKLOADS["private"].beside].topology == WORKLOADS["private"].topology


def test_what_is_shared_ends_with_a_grant() -> None:
    world, flow = MemoryWorld("health"), Flow("run", 7)
    for place, step in enumerate(WORKLOADS["share"].steps):
        stub = invoke(world, step.call(flow), f"tx {place}", step.caller)
        world.commit(stub)
        flow.tx_ids.append(TxId(f"tx {place}"))
    read = invoke(world, Call(PRIVYSHARING, "ReadAsset", ("alice@CitizensMSP/run-7",)), "read", STAKEHOLDER)
    assert not read.writes


def test_two_runs_write_different_keys() -> None:
    (step,) = WORKLOADS["yardstick"].steps
    assert step.call(Flow("a", 1)).args[0] != step.call(Flow("b", 1)).args[0]


def test_values_are_of_100_bytes_and_differ() -> None:
    assert len(value().encode()) == VALUE_BYTES == 100
    assert value() != value()


def test_prepared_keys_come_round() -> None:
    assert len({prepared_key(number) for number in range(3 * PREPARED_KEYS)}) == PREPARED_KEYS


def test_a_question_costs_less_cryptography_than_a_transaction() -> None:
    assert WORKLOADS["evaluate"].crypto_work(2, 2) == CryptoWork.of_query()
    assert WORKLOADS["yardstick"].crypto_work(2, 2) == CryptoWork.of_transaction(2, 2)
