"""Composite keys are Fabric's, and different parts never make the same key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privysharing.chaincode.keys import composite_key, partial_range, split

PARTS = st.lists(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\U0010ffff")), min_size=1, max_size=4
)


def test_a_key_is_laid_out_as_fabrics_shim_does():
    assert composite_key("coin", "alice", "1") == "\x00coin\x00alice\x001\x00"
    assert partial_range("coin", "alice") == ("\x00coin\x00alice\x00", "\x00coin\x00alice\x00\U0010ffff")


@given(PARTS)
def test_a_key_splits_into_what_it_was_made_of(parts):
    assert split(composite_key(*parts)) == (parts[0], tuple(parts[1:]))


@given(PARTS, PARTS)
def test_a_partial_range_holds_exactly_the_keys_that_begin_so(parts, others):
    start, end = partial_range(*parts)
    assert (start <= composite_key(*others) < end) == (others[: len(parts)] == parts)


@pytest.mark.parametrize("part", ["\x00", "a\x00b", "\U0010ffff", "\ud800"])
def test_text_that_could_forge_another_key_is_refused(part):
    with pytest.raises(ValueError, match=r"composite key|surrogates"):
        composite_key("coin", part)


@pytest.mark.parametrize("key", ["", "\x00", "simple", "\x00open", "open\x00"])
def test_a_simple_key_does_not_split(key):
    with pytest.raises(ValueError, match="not a composite key"):
        split(key)
