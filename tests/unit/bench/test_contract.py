"""The contract that load is measured with does what a workload is named after, and no more."""

import json

from bench.contract import Bench
from privysharing.chaincode.memory import MemoryWorld
from privysharing.protocol.codes import TxCode

VALUE = "x" * 100


def simulate(world, *args):
    stub = world.stub([arg.encode() for arg in args], creator=b"", tx_id=f"tx{world.height}", timestamp_ns=1)
    return Bench().invoke(stub), stub


def test_create_is_one_write_and_no_read():
    response, stub = simulate(MemoryWorld("bench"), "Create", "k", VALUE)
    assert (response.status, stub.reads, stub.writes) == (200, {}, {"k": VALUE.encode()})


def test_read_write_is_one_read_and_two_writes():
    world = MemoryWorld("bench")
    response, stub = simulate(world, "ReadWrite", "k", "l", VALUE)
    assert (response.status, list(stub.reads), sorted(stub.writes)) == (200, ["k"], ["l", "l.2"])
    assert world.commit(stub) == (TxCode.VALID,)
    assert json.loads(simulate(world, "Get", "l.2")[0].payload) == VALUE


def test_fill_writes_as_many_keys_as_it_is_told() -> None:
    _, stub = simulate(MemoryWorld("bench"), "Fill", "many", "3", VALUE)
    assert (stub.reads, sorted(stub.writes)) == ({}, ["many.0", "many.1", "many.2"])


def test_a_key_that_nobody_wrote_is_not_found():
    response, _ = simulate(MemoryWorld("bench"), "Get", "k")
    assert (response.status, json.loads(response.message)["code"]) == (404, "NOT_FOUND")
