"""Samples become processor time where it was spent: no more and no less than the process took."""

import xml.etree.ElementTree as ET

import pytest

from bench.profiling import flame, report
from bench.profiling.budget import REST, step_of
from bench.profiling.sampling import Profile
from bench.profiling.stacks import Frame, Stack, parse_folded
from bench.profiling.times import NATIVE, by, function, room, timed, totals

LIBRARY = "/usr/lib/python3.11"
ROOT = __file__.partition("/tests/")[0]
VERIFY = f"VerifyingKey.verify ({ROOT}/privysharing/protocol/crypto.py:56)"
CHECK = f"Checks.run ({ROOT}/services/peer/endorsement/checks.py:9)"
SELECT = f"EpollSelector.select ({LIBRARY}/selectors.py:451)"
STEP = f"Handle._run ({LIBRARY}/asyncio/events.py:78)"
FOLDED = f"""\
thread (7): MainThread;{STEP};{SELECT} 90
thread (7): MainThread;{STEP};{CHECK};{VERIFY} 6
thread (7): MainThread;{STEP};{CHECK} 2
thread (8): crypto_0;{VERIFY} 5
"""


def profile() -> Profile:
    return Profile(tuple(parse_folded(FOLDED)), {7: 3.0, 8: 1.0, 9: 4.0}, {7: "peer", 8: "peer", 9: "event_engine"})


def test_a_line_is_a_thread_its_functions_and_how_often_they_were_seen() -> None:
    stacks = list(parse_folded(FOLDED))
    assert [stack.samples for stack in stacks] == [90, 6, 2, 5]
    assert stacks[1].thread == 7
    assert stacks[1].frames[-2:] == (
        Frame("services.peer.endorsement.checks", "Checks.run"),
        Frame("privysharing.protocol.crypto", "VerifyingKey.verify"),
    )


@pytest.mark.parametrize("text", ["nonsense", "MainThread;f (a.py:1) 3", "thread (x): a;f (a.py:1) 3"])
def test_what_py_spy_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="thread"):
        list(parse_folded(text))


def test_all_time_is_spread_and_none_of_it_over_waits() -> None:
    times = timed(profile(), 800.0)
    assert sum(each.microseconds for each in times) == pytest.approx(800.0)
    assert by(times, function) == pytest.approx(
        {f"{NATIVE}:event_engine": 400.0, "privysharing.protocol.crypto:VerifyingKey.verify": 325.0}
        | {"services.peer.endorsement.checks:Checks.run": 75.0}
    )
    assert by(times, room) == pytest.approx(
        {NATIVE: 400.0, "privysharing.protocol": 325.0, "services.peer.endorsement": 75.0}
    )
    assert totals(times)["services.peer.endorsement.checks:Checks.run"] == pytest.approx(300.0)


def test_a_thread_that_was_only_seen_waiting_keeps_its_time() -> None:
    waiting = Profile(tuple(parse_folded(f"thread (7): a;{SELECT} 3")), {7: 1.0}, {7: "a"})
    assert by(timed(waiting, 10.0), function) == {"selectors:EpollSelector.select": 10.0}


def test_a_librarys_time_is_whose_who_called_it() -> None:
    (called,) = parse_folded(f"thread (1): a;{CHECK};dumps ({LIBRARY}/json/encoder.py:1) 1")
    (alone,) = parse_folded(f"thread (1): a;dumps ({LIBRARY}/json/encoder.py:1) 1")
    assert (room(called), room(alone)) == ("services.peer.endorsement", "json")


def test_a_step_is_told_by_what_a_stack_goes_through() -> None:
    _, endorsing, checking, other = parse_folded(FOLDED)
    assert step_of("peer0.medical.city", endorsing) == "endorse: verify the proposal"
    assert step_of("peer0.medical.city", checking) == "endorse: read, check, answer"
    assert step_of("orderer0.ministry.city", other) == "admit: verify the envelope"
    assert step_of("client", Stack(1, (Frame("asyncio.events", "Handle._run"),), 1)) == REST


def test_tables_and_flame_graph_show_the_whole() -> None:
    times = timed(profile(), 800.0)
    text = "\n".join(report.tables("peer0.medical.city", times))
    assert "800 us" in text
    assert "endorse: verify the proposal" in text
    picture = ET.fromstring(flame.svg("a <peer>", times))
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "a <peer>: 800.0 us, 100.0%"
    assert any("Checks.run: 300.0 us" in (title or "") for title in titles)
