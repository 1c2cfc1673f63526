"""Whom Prometheus asks, how often, and by which rules it judges, as its configuration says it."""

from pathlib import Path
from typing import Any, Final

import yaml

from deploy.manifest import Network, NodeEntry

ALERTS: Final = Path(__file__).with_name("alerts.yml")
JOB: Final = "privysharing"
INTERVAL_S: Final = 5.0  # a local network lives for minutes


def configuration(network: Network, rules: Path = ALERTS, interval_s: float = INTERVAL_S) -> str:
    """prometheus.yml for a network of this machine."""
    often = f"{int(interval_s * 1000)}ms"
    document = {
        "global": {"scrape_interval": often, "scrape_timeout": often, "evaluation_interval": often},
        "rule_files": [str(rules.absolute())],
        "scrape_configs": [{"job_name": JOB, "static_configs": [_target(network, node) for node in network.nodes]}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _target(network: Network, node: NodeEntry) -> dict[str, Any]:
    labels = {"network": network.topology, "org": node.org, "role": node.role, "instance": node.name}
    return {"targets": [node.operations_address], "labels": labels}
