"""Enough of Prometheus' language to say which metrics an expression asks for, and Prometheus itself to run it."""

import http.client
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

_LABELS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAMES = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "offset", "bool", "sum", "max", "min", "count"}
_SELECTED = re.compile(r"(\w+)\{([^}]*)\}")
_CHOSEN = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
_DURATION = re.compile(r"\d+(?:ms|[smhdwy])")
OF_ITS_OWN = {"up", "ALERTS"}  # metrics that Prometheus makes


def metrics_in(expr: str) -> set[str]:
    """The names of metrics in an expression."""
    bare = _DURATION.sub(" ", _LABELS.sub(" ", expr))
    return set(_NAMES.findall(bare)) - _WORDS


def choices_in(expr: str) -> Iterator[tuple[str, str, set[str]]]:
    """Metric, label and values of everything that an expression chooses by; no values where any will do."""
    for metric, chosen in _SELECTED.findall(expr):
        for label, _, values in _CHOSEN.findall(chosen):
            yield metric, label, set(values.split("|")) - {".*"}


def query(address: str, expr: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each series now; AssertionError when Prometheus does not take the expression."""
    found = _get(address, f"/api/v1/query?{urlencode({'query': expr})}")
    return [(series["metric"], float(series["value"][1])) for series in found["result"]]


def rules(address: str) -> Sequence[dict[str, Any]]:
    """Every rule that it judges by, with what came of it last."""
    return [rule for group in _get(address, "/api/v1/rules")["groups"] for rule in group["rules"]]


def _get(address: str, path: str) -> Any:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert answer["status"] == "success", (path, answer)
    return answer["data"]
