"""Commands about private assets, as far as they go without a network that runs."""

import io
import json
from pathlib import Path

import click
import pytest

from deploy.manifest import Network
from services.client.cli.assets import _value
from tests.support.commandline import Run
from tests.unit.client.test_proofs import WHOLE


@pytest.mark.parametrize(
    ("content", "value"),
    [("2.4\n", 2.4), ('{"a": [1]}', {"a": [1]}), ("high\n", "high"), ("two\nlines\n", "two\nlines"), ("", "")],
)
def test_a_value_comes_from_the_command_line_a_file_or_standard_input(
    content: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "value").write_text(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert _value(content.removesuffix("\n")) == _value(f"@{tmp_path / 'value'}") == _value("-") == value


def test_text_that_looks_like_a_file_is_given_as_json() -> None:
    assert (_value('"@home"'), _value('"-"')) == ("@home", "-")


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _value(f"@{tmp_path / 'value'}")
    (tmp_path / "value").write_bytes(b"\xff")
    with pytest.raises(click.BadParameter, match="UTF-8"):
        _value(f"@{tmp_path / 'value'}")


def test_brackets_without_end_are_text() -> None:
    assert _value("[" * 100_000) == "[" * 100_000


def test_a_confidentiality_that_is_yet_to_come_is_not_offered(run: Run) -> None:
    status, _, err = run("asset", "create", "heart_rate", "a", "--confidentiality", "encrypted", "--as", "alice")
    assert (status, "'plain', 'private'" in err) == (2, True)


@pytest.mark.parametrize(("content", "said"), [("{}", "is no proof of a purge"), ("", "is no proof of a purge")])
def test_what_is_no_proof_is_refused_in_one_line(
    content: str, said: str, resting: Network, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "proof.json"
    file.write_text(content)
    status, out, err = run("asset", "verify-purge", file, "--network", resting.folder)
    assert (status, out, said in err) == (1, "", True)


def test_a_proof_that_is_there_is_not_written_over(resting: Network, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    WHOLE.save(file)
    before = file.read_bytes()
    status, out, err = run("asset", "delete", "alcohol", "--proof", file, "--as", "alice", "--network", resting.folder)
    assert (status, out, "needed: a new file" in err) == (2, "", True)
    assert file.read_bytes() == before


def test_another_networks_proof_is_refused(resting: Network, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    WHOLE.save(file)
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "channel": "health"}))
    status, out, err = run("asset", "verify-purge", file, "--network", resting.folder)
    assert (status, out) == (1, "")
    assert "the statement is about channel" in err
