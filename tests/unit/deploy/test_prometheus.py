"""What Prometheus is told: accepted by its own tools, about every node, with a way out of every alert."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import generate
from deploy.packages import Missing
from deploy.prometheus import programs
from deploy.prometheus.scraping import ALERTS, JOB, configuration
from deploy.topology import load_topology
from tests.support.promql import metrics_in

ROOT = Path(__file__).parents[3]
FOLDER = ALERTS.parent


def promtool(*arguments: str | Path, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    command = [programs.program(programs.PROMTOOL), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_beside_it() -> None:
    tested = promtool("test", "rules", "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    text = (FOLDER / "alerts.test.yml").read_text()
    raised = set(re.findall(r'alertname="(\w+)"|alertname: (\w+)', text))
    assert {alert["alert"] for alert in alerts()} == {one or other for one, other in raised}


def test_an_alert_that_has_lost_its_meaning_fails_its_test(tmp_path: Path) -> None:
    document = yaml.safe_load((FOLDER / "alerts.test.yml").read_text())
    document["tests"] = [test for test in document["tests"] if "a channel that has stopped" in test["name"]]
    (tmp_path / "alerts.test.yml").write_text(yaml.safe_dump(document))
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text().replace("channel_stopped == 1", "channel_stopped == 2"))
    tested = promtool("test", "rules", "alerts.test.yml", folder=tmp_path)
    assert tested.returncode != 0
    assert 'alertname="ChannelStopped"' in tested.stdout + tested.stderr


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


def in_kubernetes(tmp_path: Path, **pod: str) -> dict[str, str]:
    """The labels that a pod's port has as a target; none when it is not one.

    Debian's promtool has no Kubernetes in it: what Kubernetes would say of the pod is said here.
    """
    document = yaml.safe_load((FOLDER / "kubernetes.yml").read_text())
    (job,) = document["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    assert document.pop("rule_files") == ["alerts.yml"]
    said = {f"__meta_kubernetes_{key}": value for key, value in pod.items()}
    job["static_configs"] = [{"targets": ["10.1.2.3:9443"], "labels": said}]
    (tmp_path / "kubernetes.yml").write_text(yaml.safe_dump(document))
    checked = promtool("check", "service-discovery", "--timeout=300ms", "kubernetes.yml", JOB, folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    (target,) = yaml.safe_load(checked.stdout)
    return {key: value for key, value in target["labels"].items() if not key.startswith("__")}


POD = {
    "namespace": "bench-1ch-citizens",
    "pod_label_app_kubernetes_io_part_of": "privysharing",
    "pod_label_app_kubernetes_io_name": "peer",
    "pod_label_app_kubernetes_io_instance": "peer0",
    "pod_annotation_prometheus_io_scrape": "true",
    "pod_container_port_name": "operations",
}


def test_a_pod_of_a_node_is_scraped_under_the_nodes_name(tmp_path: Path) -> None:
    assert in_kubernetes(tmp_path, **POD) == {
        "job": JOB,
        "network": "bench-1ch",
        "org": "citizens",
        "role": "peer",
        "instance": "peer0.bench-1ch-citizens",
    }


@pytest.mark.parametrize(
    "other",
    [
        {"pod_container_port_name": "grpc"},
        {"pod_label_app_kubernetes_io_part_of": "another"},
        {"pod_annotation_prometheus_io_scrape": "false"},
    ],
    ids=str,
)
def test_whatever_else_runs_in_a_cluster_is_not(tmp_path: Path, other: dict[str, str]) -> None:
    assert in_kubernetes(tmp_path, **POD | other) == {}


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
