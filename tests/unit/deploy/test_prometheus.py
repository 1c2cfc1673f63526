"""What Prometheus is told: accepted by its own tools, about every node, with a way out of every alert."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import generate
from deploy.packages import Missing
from deploy.prometheus import programs
from deploy.prometheus.scraping import ALERTS, configuration
from deploy.topology import load_topology
from tests.support.promql import choices_in, metrics_in
from tests.support.promtool import FOLDER, promtool

ROOT = Path(__file__).parents[3]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_beside_it() -> None:
    tested = promtool("test", "rules", "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_no_alert_can_lose_its_meaning_unseen(tmp_path: Path) -> None:
    missed, _ = differences("vector(0) > 1", tmp_path)
    assert missed == {alert["alert"] for alert in alerts()}


def test_no_alert_can_be_raised_by_more_than_it_is_for_unseen(tmp_path: Path) -> None:
    _, unwanted = differences(None, tmp_path)
    assert unwanted == {alert["alert"] for alert in alerts()}


def differences(expr: str | None, folder: Path) -> tuple[set[str], set[str]]:
    """Which alerts are missed, and which are too much, when all have this expression; None: whatever is measured."""
    document = yaml.safe_load(ALERTS.read_text())
    for rule in (rule for group in document["groups"] for rule in group["rules"]):
        rule["expr"] = expr or " or ".join(sorted(metrics_in(rule["expr"])))
        if expr is None:
            rule.pop("for", None)
    (folder / "alerts.yml").write_text(yaml.safe_dump(document))
    (folder / "alerts.test.yml").write_text((FOLDER / "alerts.test.yml").read_text())
    tested = promtool("test", "rules", "alerts.test.yml", folder=folder)
    assert tested.returncode != 0
    missed, unwanted = set[str](), set[str]()
    for failure in re.split(r"\n(?=.*\btime: )", tested.stdout + tested.stderr):
        wanted, _, got = failure.partition("got:")
        expected, found = (set(re.findall(r"\{[^{}]*alertname=[^{}]*\}", part)) for part in (wanted, got))
        missed |= {_name_in(labels) for labels in expected - found}
        unwanted |= {_name_in(labels) for labels in found - expected}
    return missed, unwanted


def _name_in(labels: str) -> str:
    (name,) = re.findall(r'alertname="(\w+)"', labels)
    return str(name)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_every_alert_says_how_bad_it_is_and_has_a_section_that_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_a_network_of_this_machine_is_scraped_node_by_node(tmp_path: Path) -> None:
    network = generate(load_topology("demo"), tmp_path / "network")
    (tmp_path / "prometheus.yml").write_text(configuration(network))
    checked = promtool("check", "config", "prometheus.yml", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(alerts())} rules found" in checked.stdout
    (job,) = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    found = {config["labels"]["instance"]: config for config in job["static_configs"]}
    assert {name: config["targets"] for name, config in found.items()} == {
        node.name: [node.operations_address] for node in network.nodes
    }
    labels = {"network": "demo", "org": "citizens", "role": "peer", "instance": "peer1.citizens.city"}
    assert found["peer1.citizens.city"]["labels"] == labels


def test_where_it_cannot_be_had_the_line_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    monkeypatch.setattr(programs, "_UNPACKED", tmp_path / "programs")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Missing, match="install them with: apt-get install prometheus"):
        programs.program(programs.PROMETHEUS)


@pytest.mark.parametrize(
    ("expr", "metrics"),
    [
        ('sum by (a, le) (rate(x_count{b="up", c=~"d|e"}[5m])) > 0.1 * y offset 1m', {"x_count", "y"}),
        ("x < on (n) group_left () max by (n) (y) unless z == 0", {"x", "y", "z"}),
        ("abs(x - timestamp(x)) > 30 * 86400 or vector(0)", {"x"}),
    ],
)
def test_metrics_are_told_from_labels_and_words(expr: str, metrics: set[str]) -> None:
    assert metrics_in(expr) == metrics


def test_what_an_expression_chooses_by_is_found() -> None:
    expr = 'rate(x{b="up", c=~"d|e"}[5m]) > max by (b) (y{n=~".*"})'
    assert list(choices_in(expr)) == [("x", "b", {"up"}), ("x", "c", {"d", "e"}), ("y", "n", set())]
