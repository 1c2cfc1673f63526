"""Batches, read as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.batches import BatchAnswer, BatchItem, BatchResponse, CallFailed
from privysharing.protocol.codec.batches import (
    encode_batch_request,
    encode_batch_response,
    parse_batch_request,
    parse_batch_response,
)
from privysharing.protocol.errors import MalformedMessage

IDS = st.integers(0, 2**64 - 1)
ITEMS = st.builds(BatchItem, IDS, st.integers(0, 2**32 - 1), st.binary(max_size=64))
FAILURES = st.builds(CallFailed, st.integers(1, 16), st.text(max_size=20))
ANSWERS = st.builds(BatchAnswer, IDS, st.one_of(st.binary(max_size=64), FAILURES))


@given(st.lists(ITEMS, max_size=64))
def test_requests_come_back(items: list[BatchItem]) -> None:
    assert parse_batch_request(encode_batch_request(items)) == items


@given(st.lists(ANSWERS, max_size=64), st.none() | st.integers(0, 2**32 - 1))
def test_responses_come_back_and_no_window_is_not_a_window_of_none(
    answers: list[BatchAnswer], window: int | None
) -> None:
    response = BatchResponse(answers, window)
    assert parse_batch_response(encode_batch_response(response)) == response


@pytest.mark.parametrize("raw", [b"\xff", b"\x12\x02\x08\x01"], ids=["garbage", "an answer without an outcome"])
def test_nonsense_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_batch_response(raw)
