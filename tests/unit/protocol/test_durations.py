"""Durations as Go writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2.0),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        (".5s", 0.5),
        ("0", 0.0),
    ],
)
def test_a_go_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "2", "00", "s", "2 s", "two", "-1s", "1s2", "1..5s", "2S"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 2s or 250ms"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**12))
def test_what_is_written_is_read_back(microseconds: int) -> None:
    assert parse_duration(format_duration(microseconds / 1_000_000)) == pytest.approx(microseconds / 1_000_000)
