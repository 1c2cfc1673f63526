"""Private data and keys' own policies, as a contract uses them."""

import hashlib
import json
from collections.abc import Sequence

import pytest

from privysharing.chaincode.canonical import JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.memory import MemoryWorld, NotHeld
from privysharing.chaincode.secret import Secret
from privysharing.protocol.codec.policies import encode_signature_policy, parse_signature_policy
from privysharing.protocol.codes import TxCode
from privysharing.protocol.policies.dsl import parse_policy

CANARY = b"2.4 canary"
TEAM = "team"


class Safe(Contract):
    """A contract of the test."""

    @transaction
    def keep(self, context: Context, key: str) -> JsonValue:
        context.private(TEAM).put(key, context.transient["value"])
        return None

    @transaction
    def leak(self, context: Context, how: str) -> JsonValue:
        secret: JsonValue = context.private(TEAM).get("a")  # type: ignore[assignment]
        match how:
            case "return":
                return secret
            case "return in a list":
                return [secret]
            case "event":
                context.emit("Leaked", {"value": secret})
            case "public":
                context.put("public", secret)  # type: ignore[arg-type]
            case "text":
                context.put("public", f"{secret}".encode())
            case "public key":
                context.put(f"{secret}", b"x")
        return None

    @transaction
    def put_bytes(self, context: Context) -> JsonValue:
        context.private(TEAM).put("a", b"not a secret")  # type: ignore[arg-type]
        return None

    @transaction
    def keep_nothing(self, context: Context, key: str) -> JsonValue:
        context.private(TEAM).put(key, Secret(b""))
        return None

    @transaction
    def forget(self, context: Context, key: str, how: str) -> JsonValue:
        (context.private(TEAM).purge if how == "purge" else context.private(TEAM).delete)(key)
        return None

    @transaction
    def range_and_write(self, context: Context) -> JsonValue:
        list(context.private(TEAM).range())
        return None

    @query
    def show(self, context: Context, key: str) -> JsonValue:
        secret = context.private(TEAM).get(key)
        return None if secret is None else secret.disclose().decode()

    @query
    def show_hash(self, context: Context, key: str) -> JsonValue:
        found = context.private(TEAM).hash(key)
        return found and found.hex()

    @query
    def show_range(self, context: Context, start: str = "", end: str = "") -> JsonValue:
        return [[key, secret.disclose().decode()] for key, secret in context.private(TEAM).range(start, end)]

    @query
    def sneak(self, context: Context, how: str) -> JsonValue:
        private = context.private(TEAM)
        {
            "put": lambda: private.put("a", Secret(b"b")),
            "delete": lambda: private.delete("a"),
            "purge": lambda: private.purge("a"),
            "endorsers": lambda: private.set_endorsers("a", "A"),
            "public endorsers": lambda: context.set_endorsers("a", "A"),
        }[how]()
        return None

    @transaction
    def guard(self, context: Context, key: str, msp_ids: Sequence[str], private: str = "") -> JsonValue:
        (context.private(TEAM) if private else context).set_endorsers(key, *msp_ids)
        return None

    @query
    def guards(self, context: Context, key: str, private: str = "") -> JsonValue:
        return [*(context.private(TEAM) if private else context).endorsers(key)]

    @query
    def nowhere(self, context: Context) -> JsonValue:
        context.private("")
        return None


def simulate(world, *args, value=CANARY, **choices):
    stub = world.stub(
        [arg.encode() for arg in args], creator=b"", tx_id="tx", timestamp_ns=7, transient={"value": value}, **choices
    )
    response = Safe().invoke(stub)
    assert response.status == 200
    return json.loads(response.payload or b"null"), stub


def committed(world, *args, **choices):
    assert world.commit(simulate(world, *args, **choices)[1]) == (TxCode.VALID,)


@pytest.fixture
def world():
    world = MemoryWorld("city")
    committed(world, "Keep", "a")
    return world


def test_a_private_value_is_read_where_it_is_held_and_its_hash_everywhere(world):
    assert simulate(world, "Show", "a")[0] == CANARY.decode()
    assert simulate(world, "Show", "b")[0] is None
    expected = hashlib.sha256(CANARY).hexdigest()
    assert simulate(world, "ShowHash", "a", holds=())[0] == expected
    assert simulate(world, "ShowHash", "b", holds=())[0] is None
    with pytest.raises(NotHeld):
        simulate(world, "Show", "a", holds=())
    assert simulate(world, "Show", "b", holds=())[0] is None  # the hashes say that there is none


def test_everybody_sees_hashes_and_nothing_else(world):
    assert world.state == {}
    assert [*world.hashed] == [(TEAM, hashlib.sha256(b"a").digest())]
    ((collection, write),) = simulate(world, "Keep", "a")[1].hashed_writes()
    assert (collection, write.value_hash) == (TEAM, hashlib.sha256(CANARY).digest())


@pytest.mark.parametrize("how", ["return", "return in a list", "event", "public", "text", "public key"])
def test_a_private_value_does_not_leave_a_writing_function_unawares(world, how):
    with pytest.raises(TypeError) as raised:
        simulate(world, "Leak", how)
    assert "canary" not in str(raised.value)


def test_what_is_put_into_a_collection_is_a_secret_and_not_empty(world):
    with pytest.raises(AttributeError):
        simulate(world, "PutBytes")
    for key, value in (("", b"x"), ("a", b"")):
        with pytest.raises(ValueError, match="cannot be empty"):
            simulate(world, "Keep", key, value=value)
    with pytest.raises(ValueError, match="has a name"):
        simulate(world, "Nowhere")


@pytest.mark.parametrize("how", ["put", "delete", "purge", "endorsers", "public endorsers"])
def test_a_query_writes_nothing_private(world, how):
    with pytest.raises(RuntimeError, match="a query cannot write"):
        simulate(world, "Sneak", how)


@pytest.mark.parametrize("how", ["delete", "purge"])
def test_what_is_deleted_or_purged_is_gone_and_a_purge_says_so_to_everybody(world, how):
    _, stub = simulate(world, "Forget", "a", how)
    assert [write.is_purge for _, write in stub.hashed_writes()] == [how == "purge"]
    world.commit(stub)
    assert world.private == world.hashed == {}
    assert simulate(world, "Show", "a")[0] is None


def test_a_range_is_for_queries(world):
    committed(world, "Keep", "b", value=b"2")
    assert simulate(world, "ShowRange")[0] == [["a", CANARY.decode()], ["b", "2"]]
    assert simulate(world, "ShowRange", "a", "b")[0] == [["a", CANARY.decode()]]
    with pytest.raises(RuntimeError, match="cannot range"):
        simulate(world, "RangeAndWrite")
    stub = world.stub([b"F"], creator=b"", tx_id="tx", timestamp_ns=1)
    list(stub.get_private_range(TEAM, "", ""))
    with pytest.raises(RuntimeError, match="cannot write"):
        stub.put_state("a", b"1")
    stub = world.stub([b"F"], creator=b"", tx_id="tx", timestamp_ns=1)
    stub.put_state("a", b"1")
    with pytest.raises(RuntimeError, match="cannot range"):
        stub.get_private_range(TEAM, "", "")


@pytest.mark.parametrize("private", ["", "private"])
def test_a_key_has_endorsers_of_its_own_until_they_are_taken_away(world, private):
    if not private:
        stub = world.stub([b"F"], creator=b"", tx_id="tx", timestamp_ns=1)
        stub.put_state("a", b"1")
        world.commit(stub)
    assert simulate(world, "Guards", "a", private)[0] == []
    committed(world, "Guard", "a", '["PoliceMSP","MedicalMSP","PoliceMSP"]', private)
    assert simulate(world, "Guards", "a", private)[0] == ["MedicalMSP", "PoliceMSP"]
    committed(world, "Guard", "a", "[]", private)
    assert simulate(world, "Guards", "a", private)[0] == []


def test_a_keys_policy_asks_for_a_peer_of_each_organisation_as_fabric_writes_it(world):
    _, stub = simulate(world, "Guard", "a", '["PoliceMSP","MedicalMSP"]')
    (policy,) = stub.parameters.values()
    assert policy == encode_signature_policy(parse_policy("AND('MedicalMSP.peer', 'PoliceMSP.peer')"))
    assert parse_signature_policy(policy).rule.n == 2
