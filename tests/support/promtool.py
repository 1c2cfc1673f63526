"""promtool, which judges what Prometheus is told."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.prometheus import programs
from deploy.prometheus.scraping import ALERTS, JOB

FOLDER = ALERTS.parent


def promtool(*arguments: str | Path, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    command = [programs.program(programs.PROMTOOL), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def in_kubernetes(folder: Path, ports: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The labels of those ports of pods that are scraped, by deploy/prometheus/kubernetes.yml.

    Debian's promtool has no Kubernetes in it: what Kubernetes would say of each port is said here.
    """
    document = yaml.safe_load((FOLDER / "kubernetes.yml").read_text())
    (job,) = document["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    assert document.pop("rule_files") == ["alerts.yml"]
    job["static_configs"] = [{"targets": [f"10.1.2.3:{n}"], "labels": dict(said)} for n, said in enumerate(ports, 9000)]
    (folder / "kubernetes.yml").write_text(yaml.safe_dump(document))
    checked = promtool("check", "service-discovery", "--timeout=300ms", "kubernetes.yml", JOB, folder=folder)
    assert checked.returncode == 0, checked.stderr
    found: list[dict[str, Any]] = [target["labels"] for target in yaml.safe_load(checked.stdout)]
    return [{key: value for key, value in each.items() if not key.startswith("__")} for each in found if each]
