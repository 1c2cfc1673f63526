"""The threat model names tests that exist, and every one that it names is the evidence of some row."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "threat-model.md").read_text()
TABLES, EVIDENCE = DOCUMENT.split("## 7. The tests")
LISTED = re.compile(r"^- \[([^\]]+)\] (`.+`)$", re.MULTILINE)


def listed() -> dict[str, list[str]]:
    """The tests behind each word."""
    return {word: re.findall(r"`([^`]+)`", tests) for word, tests in LISTED.findall(EVIDENCE)}


def cited() -> set[str]:
    """The words in brackets in the tables."""
    rows = [line for line in TABLES.splitlines() if line.startswith("|")]
    return {word for row in rows for word in re.findall(r"\[([^\]]+)\]", row)}


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    names = {found for node in ast.parse(file.read_text()).body for found in defined_by(node)}
    return name in names if name else any(found.startswith("test_") for found in names)


def defined_by(statement: ast.stmt) -> list[str]:
    """What pytest could collect: functions, and names given to test cases."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
    return []


def test_every_test_that_it_names_exists() -> None:
    assert [test for tests in listed().values() for test in tests if not exists(test)] == []


def test_every_line_of_its_evidence_is_read() -> None:
    assert len(listed()) == sum(line.startswith("- ") for line in EVIDENCE.splitlines()) > 0


def test_every_row_cites_what_is_listed_and_everything_listed_is_cited() -> None:
    assert cited() == set(listed())


def test_a_name_that_is_none_would_be_found() -> None:
    assert not exists("tests/unit/docs/test_threat_model.py::test_nothing_of_the_kind")
    assert not exists("tests/unit/docs/test_nothing.py::test_every_test_that_it_names_exists")
    assert exists("tests/unit/docs/test_threat_model.py::test_every_test_that_it_names_exists")


def test_whatever_nothing_stops_is_in_the_list_of_such_things() -> None:
    """The section that says it plainly is there, and is not shorter than what the tables admit."""
    plainly = TABLES.split("## 6. What nothing stops")[1]
    assert len(re.findall(r"^\d+\. ", plainly, re.MULTILINE)) >= 10
    assert sum("**nothing**" in line.lower() for line in TABLES.splitlines() if line.startswith("|")) > 10
