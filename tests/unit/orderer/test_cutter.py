"""The cutter loses nothing, keeps the order, and keeps to the limits."""

from hypothesis import given
from hypothesis import strategies as st

from privysharing.protocol.channel.settings import BatchSize
from services.orderer.cutter import BlockCutter

LIMITS = BatchSize(max_message_count=3, absolute_max_bytes=1000, preferred_max_bytes=100)


def test_messages_wait_until_the_batch_is_full() -> None:
    cutter = BlockCutter()
    assert cutter.ordered(b"a", 1, LIMITS).batches == ()
    assert cutter.ordered(b"b", 1, LIMITS).pending
    full = cutter.ordered(b"c", 1, LIMITS)
    assert full.batches == ((b"a", b"b", b"c"),)
    assert not full.pending


def test_a_message_that_would_overfill_the_batch_starts_another() -> None:
    cutter = BlockCutter()
    cutter.ordered(b"a", 60, LIMITS)
    ordered = cutter.ordered(b"b", 41, LIMITS)
    assert ordered.batches == ((b"a",),)
    assert ordered.pending
    assert cutter.cut() == (b"b",)


def test_a_batch_may_be_exactly_as_large_as_preferred() -> None:
    cutter = BlockCutter()
    cutter.ordered(b"a", 60, LIMITS)
    assert cutter.ordered(b"b", 40, LIMITS).batches == ()


def test_a_message_above_the_preferred_size_travels_alone_behind_what_waits() -> None:
    cutter = BlockCutter()
    assert cutter.ordered(b"big", 101, LIMITS).batches == ((b"big",),)
    cutter.ordered(b"a", 1, LIMITS)
    ordered = cutter.ordered(b"big", 101, LIMITS)
    assert ordered.batches == ((b"a",), (b"big",))
    assert not ordered.pending


def test_there_is_nothing_to_cut_in_an_empty_batch() -> None:
    assert BlockCutter().cut() == ()


def test_the_limits_of_the_moment_decide() -> None:
    cutter = BlockCutter()
    cutter.ordered(b"a", 1, LIMITS)
    narrower = BatchSize(max_message_count=1, absolute_max_bytes=1000, preferred_max_bytes=100)
    assert cutter.ordered(b"b", 1, narrower).batches == ((b"a", b"b"),)


@given(
    st.lists(st.one_of(st.none(), st.integers(0, 300)), max_size=60),
    st.integers(1, 6),
    st.integers(1, 200),
)
def test_the_cutter_loses_nothing_keeps_the_order_and_the_limits(
    events: list[int | None], count: int, preferred: int
) -> None:
    limits = BatchSize(max_message_count=count, absolute_max_bytes=1000, preferred_max_bytes=preferred)
    cutter = BlockCutter()
    batches: list[tuple[bytes, ...]] = []
    sizes: dict[bytes, int] = {}
    for number, size in enumerate(events):
        if size is None:
            batches.append(cutter.cut())
            continue
        message = str(number).encode()
        sizes[message] = size
        ordered = cutter.ordered(message, size, limits)
        assert len(ordered.batches) <= 2
        assert all(ordered.batches)
        assert ordered.pending == bool(cutter.pending)
        assert ordered.batches or ordered.pending
        batches += ordered.batches
    batches.append(cutter.cut())
    assert [message for batch in batches for message in batch] == list(sizes)
    for batch in batches:
        assert len(batch) <= count
        assert len(batch) <= 1 or sum(sizes[message] for message in batch) <= preferred
