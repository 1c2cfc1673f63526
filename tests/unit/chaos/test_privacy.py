"""By their bytes, private values are where they must be, and nowhere else."""

from tests.canary.places import EVERYBODY, FILES, Place
from tests.chaos.privacy import Private, misplaced

PRIVATE = Private(frozenset({"medical", "police"}), frozenset({b'{"salt":"aa"}'}), frozenset({b"aa", b"bb"}))


def of(*contents: tuple[str, bytes]) -> list[str]:
    return list(
        misplaced(PRIVATE, (Place(f"a file of {owner}", FILES, frozenset({owner}), raw) for owner, raw in contents))
    )


def test_members_have_what_was_committed_and_may_have_what_was_not() -> None:
    assert of(("medical", b'1 {"salt":"aa"} 2'), ("police", b'{"salt":"aa"} bb'), ("citizens", b"a hash")) == []


def test_a_member_that_lacks_a_value_is_named_whatever_others_have() -> None:
    assert of(("medical", b'{"salt":"aa"}'), ("police", b'{"salt":"a"}')) == [
        'police lacks 1 private values: b\'{"salt":"aa"}\''
    ]


def test_whoever_has_what_is_for_members_alone_is_named() -> None:
    members = ("medical", b'{"salt":"aa"}'), ("police", b'{"salt":"aa"}')
    for stranger in ("citizens", EVERYBODY):
        assert of(*members, (stranger, b"-bb-")) == [
            f"a file of {stranger} has 1 values that are for members alone: b'bb'"
        ]


def test_nothing_private_is_misplaced_nowhere() -> None:
    nothing = Private(frozenset({"medical"}), frozenset(), frozenset())
    assert list(misplaced(nothing, [Place("a file", FILES, frozenset({"citizens"}), b"bb")])) == []
