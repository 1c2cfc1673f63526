"""What is printed for people and machines, whatever the ledger holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.client.cli.output import EXIT_REFUSED, Output
from services.client.cli.paying import choose_coins, coins

HOSTILE = ["[red]red[/red]", "[/nothing]", ":smile:", "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\u202eback", "\0"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_wrote_is_shown_and_not_obeyed(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.rows(text, ("name",), [{"name": text}])
    output.record(text, {"name": text, "inside": [text]})
    output.done(text, {})
    output.note(text)
    with pytest.raises(SystemExit):
        output.fail(text, {"found": text})
    printed = capsys.readouterr()
    for shown in (printed.out, printed.err):
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\0"} & set(shown)
        if text.isprintable():
            assert text in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_machines_get_it_as_it_is(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).rows("assets", ("name",), [{"name": text, "more": 1}])
    assert json.loads(capsys.readouterr().out) == [{"name": text, "more": 1}]


def test_values_read_naturally(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).record("thing", {"is_valid": True, "gone": None, "count": 0, "names": ["ä", "b"]})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["thing"], ["is", "valid", "yes"], ["gone", "-"], ["count", "0"], ["names", "ä,", "b"]]


def test_an_empty_list_says_none_to_people_and_is_empty_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows("assets", ("name",), [])
    assert capsys.readouterr().out == "assets: none\n"
    Output(as_json=True).rows("assets", ("name",), [])
    assert capsys.readouterr().out == "[]\n"


def test_a_failure_of_several_lines_keeps_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        Output(as_json=False).fail("peer ended; its log ends with:\nlast words")
    assert exited.value.code == EXIT_REFUSED
    assert capsys.readouterr().err == "error: peer ended; its log ends with:\nlast words\n"


ROW = {
    "asset": "alice@CitizensMSP/pulse",
    "by": "doctor@MedicalMSP",
    "time": "2026-11-23T00:35:03.123456789Z",
    "tx_id": "ab" * 32,
    "purpose": "the treatment of a long illness, and many more words than fit",
}


def test_a_table_fits_the_screen_and_breaks_between_words_only(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).rows("requests", tuple(ROW), [ROW])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    words = out.split()
    for word in ("alice@CitizensMSP/pulse", "doctor@MedicalMSP", "2026-11-23", "00:35:03Z", f"{'ab' * 6}…"):
        assert word in words
    assert set(ROW["purpose"].split()) <= set(words)


def test_what_does_not_fit_is_wider_than_the_screen_rather_than_cut(capsys: pytest.CaptureFixture[str]) -> None:
    row = {name: letter * 30 for name, letter in (("a", "a"), ("b", "b"), ("c", "c"))}
    row["d"] = "x" * 64
    Output(as_json=False).rows("things", tuple(row), [row])
    Output(as_json=False).record("thing", {"block_hash": "ab" * 32, "height_of_it_all": "x" * 64})
    words = capsys.readouterr().out.split()
    assert set(row.values()) <= set(words)
    assert "ab" * 32 in words  # one thing is shown whole


@pytest.mark.parametrize(("number", "words"), [(0, "0 coins"), (1, "1 coin"), (2, "2 coins")])
def test_one_coin_is_one(number: int, words: str) -> None:
    assert coins(number) == words


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 200))
def test_coins_are_chosen_that_suffice_and_not_one_more(amounts: list[int], amount: int) -> None:
    coins: list[dict[str, Any]] = [
        {"id": str(place), "amount": value} for place, value in enumerate(sorted(amounts, reverse=True))
    ]
    amount_of = {coin["id"]: coin["amount"] for coin in coins}
    chosen = [amount_of[coin_id] for coin_id in choose_coins({"coins": coins}, amount)]
    if sum(amounts) < amount:
        assert len(chosen) == len(coins)  # the contract says best what is lacking
    else:
        assert sum(chosen) >= amount
        assert sum(chosen[:-1]) < amount or not chosen
