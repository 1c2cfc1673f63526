"""Canonical JSON: one value, one text; one text, one meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.chaincode.canonical import INTEGER_MAX, JsonError, dumps, loads

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé\u4e2d", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_what_was_written_is_read_back(value):
    assert loads(dumps(value)) == value


@given(st.dictionaries(st.text("abé", max_size=3), st.integers(0, 9), max_size=6))
def test_the_order_of_keys_does_not_matter(value):
    assert dumps(value) == dumps(dict(reversed(value.items())))


def test_keys_are_sorted_and_nothing_is_escaped_or_spaced():
    assert dumps({"b": [1, 2], "a": "°C"}) == '{"a":"°C","b":[1,2]}'.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"9007199254740992",
        b"-9007199254740992",
        b"1" * 5000,
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b"[" * 100_000,
        b"[" * 65 + b"]" * 65,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b'"' + b'\\"' * 100_000 + b"[" * 100,
        b"01",
        b"+1",
        b"1 2",
    ],
)
def test_what_readers_would_understand_differently_is_refused(text):
    with pytest.raises(JsonError):
        loads(text)


def test_the_largest_integers_that_everybody_holds_are_read():
    assert loads(b"9007199254740991") == INTEGER_MAX
    assert loads(b"-9007199254740991") == -INTEGER_MAX


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1: object()}])
def test_what_is_not_json_is_not_written(value):
    with pytest.raises((TypeError, ValueError)):
        dumps(value)


def test_nesting_has_a_fixed_limit_and_brackets_in_strings_are_none():
    deepest = b"[" * 64 + b"]" * 64
    assert dumps(loads(deepest)) == deepest
    with pytest.raises(JsonError, match="nested deeper than 64 levels"):
        loads(b"[" + deepest + b"]")
    assert loads(dumps(["[" * 100, '"{' * 100, "\\" * 100])) == ["[" * 100, '"{' * 100, "\\" * 100]
    assert loads(b"[" + b"[]," * 100 + b"[]]") == [[]] * 101
