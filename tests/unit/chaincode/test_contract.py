"""How functions are declared, called and refused."""

import json
from collections.abc import Sequence

import pytest

from privysharing.chaincode.arguments import ARGUMENT_BYTES_MAX
from privysharing.chaincode.canonical import JsonObject, JsonValue
from privysharing.chaincode.context import Context
from privysharing.chaincode.contract import Contract, query, transaction
from privysharing.chaincode.errors import ContractError
from privysharing.chaincode.memory import MemoryWorld
from privysharing.chaincode.stub import PEER_TIME_DECORATION
from tests.support.city import ALICE, creator


class Lamps(Contract):
    """A contract of the test."""

    @transaction
    def switch_lamp(self, context: Context, lamp: str, brightness: int = 100) -> JsonValue:
        """Switch a lamp on."""
        context.put(lamp, str(brightness).encode())
        context.emit("Switched", {"lamp": lamp})
        return {"lamp": lamp, "brightness": brightness}

    @transaction
    def echo(
        self,
        context: Context,
        texts: Sequence[str],
        record: JsonObject,
        records: Sequence[JsonObject],
        value: JsonValue,
    ) -> JsonValue:
        """Everything that was understood."""
        return [list(texts), record, list(records), value]

    @transaction
    def forget(self, context: Context, lamp: str) -> JsonValue:
        context.delete(lamp)
        return None

    @transaction
    def put_anything(self, context: Context, key: str, value: str) -> JsonValue:
        context.put(key, value.encode())
        return None

    @transaction
    def read_own_write(self, context: Context, lamp: str) -> JsonValue:
        context.put(lamp, b"new")
        return (context.get(lamp) or b"nothing").decode()

    @transaction
    def keep_secret(self, context: Context) -> JsonValue:
        context.put("leak", b"%r" % context.transient["value"])
        return None

    @query
    def sneak(self, context: Context, how: str) -> JsonValue:
        {
            "put": lambda: context.put("a", b"b"),
            "delete": lambda: context.delete("a"),
            "emit": lambda: context.emit("a", 1),
        }[how]()
        return None

    @query
    def who(self, context: Context) -> JsonValue:
        return [
            context.creator.enrollment_id,
            context.channel_id,
            context.tx_id,
            context.timestamp_ns,
            context.peer_time_ns,
        ]

    @query
    def lamps(self, context: Context, start: str = "", end: str = "") -> JsonValue:
        return [key for key, _ in context.range(start, end)]

    @query
    def history_of(self, context: Context, lamp: str) -> JsonValue:
        return [[m.tx_id, m.value.decode(), m.is_delete] for m in context.history(lamp)]

    def not_a_function(self, context: Context) -> JsonValue:
        return "unreachable"


def call(*args, world=None, **choices):
    stub = (world or MemoryWorld("city")).stub(
        [arg if isinstance(arg, bytes) else arg.encode() for arg in args],
        **{"creator": b"", "tx_id": "tx", "timestamp_ns": 7, **choices},
    )
    return Lamps().invoke(stub), stub


def refusal(*args):
    response, _ = call(*args)
    assert response.status >= 400
    assert not response.payload
    return json.loads(response.message)


def test_a_function_is_called_by_its_name_in_pascal_case_and_answers_canonical_json():
    response, stub = call("SwitchLamp", "lamp/7", "40")
    assert (response.status, response.payload) == (200, b'{"brightness":40,"lamp":"lamp/7"}')
    assert stub.writes == {"lamp/7": b"40"}
    assert stub.event == ("Switched", b'{"lamp":"lamp/7"}')


def test_trailing_arguments_with_a_default_may_be_left_out():
    assert json.loads(call("SwitchLamp", "lamp/7")[0].payload)["brightness"] == 100


def test_nothing_to_say_is_an_empty_payload():
    response, stub = call("Forget", "lamp/7")
    assert (response.status, response.payload) == (200, b"")
    assert stub.writes == {"lamp/7": None}


def test_arguments_arrive_as_their_annotations_say():
    response, _ = call("Echo", '["a","b"]', '{"x":1}', '[{"y":null}]', "3.5")
    assert json.loads(response.payload) == [["a", "b"], {"x": 1}, [{"y": None}], 3.5]


@pytest.mark.parametrize(
    "args",
    [
        ["SwitchLamp"],
        ["SwitchLamp", "a", "1", "more"],
        ["Forget"],
    ],
)
def test_a_wrong_number_of_arguments_is_refused(args):
    assert refusal(*args)["code"] == "WRONG_ARGUMENTS"


@pytest.mark.parametrize("number", ["", "1.0", "true", "null", '"1"', "NaN", "1e3", " ", "0x10", "٣", b"\xff"])
def test_what_is_not_an_integer_is_refused_as_one(number):
    answer = refusal("SwitchLamp", "a", number)
    assert (answer["code"], answer["needed"]) == ("BAD_ARGUMENT", "integer")


@pytest.mark.parametrize(
    "args",
    [
        ['"a"', "{}", "[]", "1"],
        ["[1]", "{}", "[]", "1"],
        ["[]", "[]", "[]", "1"],
        ["[]", "{}", "{}", "1"],
        ["[]", "{}", "[1]", "1"],
        ["[]", "{}", "[]", "NaN"],
        ["[]", '{"a":1,"a":1}', "[]", "1"],
    ],
)
def test_what_is_not_of_the_annotated_shape_is_refused(args):
    assert refusal("Echo", *args)["code"] == "BAD_ARGUMENT"


def test_text_that_is_not_utf8_and_arguments_without_limit_are_refused():
    assert refusal("SwitchLamp", b"\xff")["code"] == "BAD_ARGUMENT"
    assert refusal("SwitchLamp", b"x" * (ARGUMENT_BYTES_MAX + 1))["code"] == "BAD_ARGUMENT"


@pytest.mark.parametrize(
    "name", ["", "switch_lamp", "NotAFunction", "not_a_function", "Invoke", "invoke", "__init__", b"\xff", "switchlamp"]
)
def test_only_declared_functions_can_be_called(name):
    assert refusal(name)["code"] == "UNKNOWN_FUNCTION"


def test_a_call_without_a_function_is_refused():
    assert refusal()["code"] == "NO_FUNCTION"


@pytest.mark.parametrize("how", ["put", "delete", "emit"])
def test_a_query_that_writes_is_a_fault_of_the_contract(how):
    with pytest.raises(RuntimeError, match="a query cannot write"):
        call("Sneak", how)


@pytest.mark.parametrize(("key", "value"), [("", "x"), ("x", "")])
def test_an_empty_key_or_value_is_a_fault_of_the_contract(key, value):
    with pytest.raises(ValueError, match="cannot be empty"):
        call("PutAnything", key, value)


def test_a_transaction_does_not_read_its_own_writes():
    assert call("ReadOwnWrite", "lamp")[0].payload == b'"nothing"'


def test_a_secret_cannot_be_written_unawares():
    with pytest.raises(TypeError, match="secret"):
        call("KeepSecret", transient={"value": b"72"})


def test_the_peers_clock_is_there_only_where_the_peer_gives_it():
    answer, _ = call("Who", creator=creator(ALICE))
    assert json.loads(answer.payload) == ["alice", "city", "tx", 7, None]
    answer, _ = call("Who", creator=creator(ALICE), decorations={PEER_TIME_DECORATION: b"9"})
    assert json.loads(answer.payload)[-1] == 9


def test_a_simple_range_has_no_composite_keys_in_it():
    world = MemoryWorld("city")
    for key in ("a", "b", "\x00coin\x00x\x00"):
        world.commit(call("PutAnything", key, "v", world=world, tx_id=key)[1])
    assert json.loads(call("Lamps", world=world)[0].payload) == ["a", "b"]
    assert json.loads(call("Lamps", "", "b", world=world)[0].payload) == ["a"]


def test_history_is_newest_first_and_knows_deletes():
    world = MemoryWorld("city")
    world.commit(call("PutAnything", "lamp", "on", world=world, tx_id="1")[1])
    world.commit(call("Forget", "lamp", world=world, tx_id="2")[1])
    answer = call("HistoryOf", "lamp", world=world)[0].payload
    assert json.loads(answer) == [["2", "", True], ["1", "on", False]]


def test_a_contract_describes_itself():
    functions = {function["name"]: function for function in json.loads(call("Describe")[0].payload)}
    assert functions["SwitchLamp"] == {
        "name": "SwitchLamp",
        "kind": "transaction",
        "doc": "Switch a lamp on.",
        "parameters": [
            {"name": "lamp", "type": "text", "required": True},
            {"name": "brightness", "type": "integer", "required": False},
        ],
    }
    assert functions["Who"]["kind"] == "query"


def test_a_refusal_is_never_a_success():
    with pytest.raises(ValueError, match="400 or more"):
        ContractError("OK", "fine", status=200)
    assert str(ContractError("CODE", "no", needed="a", found="b")) == "CODE: no (needed: a; found: b)"
