"""Whoever may not see a canary is named; whoever must have it and does not is named, too."""

from tests.canary.canaries import Canary, word_canary
from tests.canary.hunt import Control, Hunt, Planted
from tests.canary.places import CONNECTIONS, FILES, MEMORY, Place

SECRET, MARK = word_canary("secret"), word_canary("mark")
MEMBERS = frozenset({"medical", "police"})
KNOWN = MEMBERS | {"alice"}


def place(kind: str, *seen_by: str, of: Canary = SECRET) -> Place:
    return Place(f"{kind} of {' and '.join(seen_by)}", kind, frozenset(seen_by), b"[" + of.forms[0] + b"]")


def hunted(*places: Place, kept_by: frozenset[str] = MEMBERS) -> Hunt:
    hunt = Hunt([Planted(SECRET, KNOWN, kept_by)], [Control(MARK, ((FILES, "citizens"), (MEMORY, "citizens")))])
    hunt.look(places)
    return hunt


def test_all_is_well_where_members_have_it_and_nobody_else() -> None:
    hunt = hunted(place(FILES, "medical"), place(FILES, "police"), place(CONNECTIONS, "alice", "medical"))
    assert (hunt.outside(), hunt.on_members(), hunt.not_on_members()) == ([], {"secret"}, [])
    assert (hunt.places, hunt.canaries, hunt.bytes) == (3, 1, 3 * 26)


def test_what_one_end_of_a_connection_may_not_see_is_outside() -> None:
    for seen_by in (("citizens",), ("medical", "citizens"), ("everybody",)):
        (finding,) = hunted(place(CONNECTIONS, *seen_by)).outside()
        assert (finding.canary, finding.encoding) == ("secret", "raw")


def test_a_member_that_lacks_it_is_not_excused_by_another_nor_by_what_went_over_a_wire() -> None:
    hunt = hunted(place(FILES, "medical"), place(CONNECTIONS, "medical", "police"), place(MEMORY, "police"))
    assert hunt.not_on_members() == ["secret"]


def test_what_nobody_keeps_must_be_seen_somewhere() -> None:
    assert hunted(kept_by=frozenset()).not_on_members() == ["secret"]
    assert hunted(place(FILES, "citizens"), kept_by=frozenset()).not_on_members() == ["secret"]
    assert hunted(place(CONNECTIONS, "alice", "medical"), kept_by=frozenset()).not_on_members() == []


def test_a_control_must_be_found_wherever_it_is() -> None:
    hunt = hunted(place(FILES, "citizens", of=MARK), place(MEMORY, "medical", of=MARK))
    assert hunt.missed() == ["mark in memory citizens"]
    assert hunt.outside() == []
    hunt.look([place(MEMORY, "citizens", of=MARK)])
    assert hunt.missed() == []
