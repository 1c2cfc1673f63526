"""Prometheus finds every node of a cluster by what its pod says of itself, and nothing else."""

import re
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

from deploy.kubernetes.names import namespace_of
from deploy.prometheus.scraping import JOB
from tests.support.cluster import Document, Rendered, pod_of
from tests.support.promtool import in_kubernetes


def ports_of(workload: Document) -> Iterator[dict[str, str]]:
    """What Kubernetes tells Prometheus of each port of a pod; a pod without ports is told of, too."""
    template = workload["spec"]["template"]
    said = {"namespace": workload["metadata"]["namespace"]}
    for kind in ("labels", "annotations"):
        for key, value in template["metadata"].get(kind, {}).items():
            said[f"pod_{kind[:-1]}_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}"] = value
    for container in pod_of(workload)["containers"]:
        for port in container.get("ports", [{}]):
            found = said | {"pod_container_port_name": port.get("name", "")}
            yield {f"__meta_kubernetes_{key}": value for key, value in found.items()}


def test_every_node_is_scraped_under_a_name_of_its_own_and_no_other_pod_is(rendered: Rendered, tmp_path: Path) -> None:
    topology = rendered.topology
    scraped = in_kubernetes(tmp_path, [port for workload in rendered.workloads for port in ports_of(workload)])
    expected = [
        {
            "job": JOB,
            "network": topology.name,
            "org": node.org.name,
            "role": rendered.network.node(node.full_name).role,
            "instance": f"{node.name}.{namespace_of(topology, node.org)}",
        }
        for node in topology.nodes
    ]
    assert sorted(scraped, key=itemgetter("instance")) == sorted(expected, key=itemgetter("instance"))


def test_a_pod_that_does_not_ask_for_it_is_not_scraped(demo: Rendered, tmp_path: Path) -> None:
    workload = demo.of_kind("StatefulSet")[0]
    ports = list(ports_of(workload))
    asked = "__meta_kubernetes_pod_annotation_prometheus_io_scrape"
    assert len(in_kubernetes(tmp_path, ports)) == 1
    assert in_kubernetes(tmp_path, [port | {asked: "false"} for port in ports]) == []
