"""NetworkPolicies: the arrows of the architecture, all of them, and no other."""

from collections.abc import Iterator
from typing import Any

from tests.support.cluster import Rendered

Call = tuple[str, str, int]  # who ("namespace/role"), whom, on which port

ORDERER, ORDERER_OPERATIONS = 7050, 8443
PEER, PEER_OPERATIONS = 7051, 9443
MEMBERS = ("medical", "police", "citizens")
EVERYBODY = (*MEMBERS, "ministry")


def calls(rendered: Rendered, direction: str) -> set[Call]:
    """What the policies let pods receive (`ingress`) or send (`egress`)."""
    return {call for policy in rendered.of_kind("NetworkPolicy") for call in _calls(policy, direction)}


def _calls(policy: dict[str, Any], direction: str) -> Iterator[Call]:
    here = f"{policy['metadata']['namespace']}/{_role(policy['spec']['podSelector'])}"
    for rule in policy["spec"].get(direction, ()):
        assert set(rule) == {"ports", {"ingress": "from", "egress": "to"}[direction]}, "a rule for anybody, or any port"
        for peer in rule.get("from", rule.get("to")):
            there = f"{_namespace(peer['namespaceSelector'])}/{_role(peer['podSelector'])}"
            for port in rule["ports"]:
                yield (there, here, port["port"]) if direction == "ingress" else (here, there, port["port"])


def _namespace(selector: dict[str, Any]) -> str:
    return str(selector["matchLabels"]["kubernetes.io/metadata.name"])


def _role(selector: dict[str, Any]) -> str:
    labels = selector.get("matchLabels", {})
    return str(labels.get("app.kubernetes.io/name", labels.get("k8s-app", "*")))


def of_the_demo() -> Iterator[Call]:
    """The arrows of ARCHITECTURE.md, for one channel with three members, a client organisation and one orderer."""
    orderer = "demo-ministry/orderer"
    for org in EVERYBODY:
        yield f"demo-{org}/client", orderer, ORDERER
        for member in MEMBERS:
            yield f"demo-{org}/client", f"demo-{member}/peer", PEER
    for member in MEMBERS:
        yield f"demo-{member}/peer", orderer, ORDERER
        for other in MEMBERS:
            if other != member or member == "citizens":  # who have two peers
                yield f"demo-{member}/peer", f"demo-{other}/peer", PEER


def to_prometheus(rendered: Rendered) -> set[Call]:
    """Prometheus is in a namespace that is not ours."""
    return {call for call in calls(rendered, "ingress") if call[0] == "monitoring/prometheus"}


def to_names(rendered: Rendered) -> set[Call]:
    return {call for call in calls(rendered, "egress") if call[1] == "kube-system/kube-dns"}


def test_the_demo_has_the_arrows_of_the_architecture_and_no_other(demo: Rendered) -> None:
    assert calls(demo, "ingress") - to_prometheus(demo) == set(of_the_demo())


def test_whoever_may_send_is_let_in_and_the_other_way_round(rendered: Rendered) -> None:
    assert calls(rendered, "ingress") - to_prometheus(rendered) == calls(rendered, "egress") - to_names(rendered)


def test_everybody_may_ask_for_names_and_prometheus_asks_every_node(rendered: Rendered) -> None:
    namespaces = {each["metadata"]["name"] for each in rendered.of_kind("Namespace")}
    assert to_names(rendered) == {(f"{each}/*", "kube-system/kube-dns", 53) for each in namespaces}
    topology = rendered.topology
    assert to_prometheus(rendered) == {
        ("monitoring/prometheus", f"{topology.name}-{node.org.name}/{role}", port)
        for nodes, role, port in (
            (topology.orderers, "orderer", ORDERER_OPERATIONS),
            (topology.peers, "peer", PEER_OPERATIONS),
        )
        for node in nodes
    }


def test_nothing_passes_that_no_policy_lets_pass(rendered: Rendered) -> None:
    denied = [policy for policy in rendered.of_kind("NetworkPolicy") if policy["metadata"]["name"] == "default-deny"]
    assert {each["metadata"]["namespace"] for each in denied} == {
        each["metadata"]["name"] for each in rendered.of_kind("Namespace")
    }
    assert {str(each["spec"]) for each in denied} == {str({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})}


def test_only_orderers_and_brokers_reach_the_log(on_kafka: Rendered) -> None:
    log = "ordering4-kafka"
    reached = {(source, target, port) for source, target, port in calls(on_kafka, "ingress") if target.startswith(log)}
    outside = {(f"ordering4-{org}/orderer", f"{log}/kafka", 9092) for org in EVERYBODY}
    outside |= {(f"ordering4-{org}/orderer", f"{log}/zookeeper", 2181) for org in EVERYBODY}
    assert reached == outside | {
        (f"{log}/kafka", f"{log}/kafka", 9092),
        (f"{log}/kafka", f"{log}/zookeeper", 2181),
        (f"{log}/zookeeper", f"{log}/zookeeper", 2888),
        (f"{log}/zookeeper", f"{log}/zookeeper", 3888),
    }


def test_orderers_of_one_log_help_each_other_and_one_alone_calls_nobody(demo: Rendered, on_kafka: Rendered) -> None:
    among = {(one, other) for one, other, _ in calls(on_kafka, "egress") if one.endswith("/orderer")}
    fellows = {f"ordering4-{org}/orderer" for org in EVERYBODY}
    assert {(one, other) for one, other in among if other in fellows} == {
        (one, other) for one in fellows for other in fellows if one != other
    }
    assert not [call for call in calls(demo, "egress") if call[0].endswith("/orderer")]


def test_every_pod_is_of_a_role_that_policies_know(rendered: Rendered) -> None:
    known = {pods for call in calls(rendered, "egress") | calls(rendered, "ingress") for pods in call[:2]}
    for workload in rendered.workloads:
        role = workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        assert f"{workload['metadata']['namespace']}/{role}" in known
